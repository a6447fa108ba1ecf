"""What a store on a server of objects has to keep, whichever server it is."""

import pickle
import threading
from functools import partial

import pytest

from neuroflame.cli import main
from neuroflame.errors import Interrupted, StoreError
from neuroflame.store import StoreWarning, SweepStore, open_table
from neuroflame.store._files import open_files
from neuroflame.sweep.running import resume, run_sweep, start
from tests.unit.test_store import COLUMNS, rows
from tests.unit.test_sweep_controller import CHEAP, Stop
from tests.unit.test_sweep_controller import rows as table_rows
from tests.unit.test_sweep_spec import sweep


def together(count, function):
    """Run a function in several threads, which begin at once; return what it returned."""
    barrier, found = threading.Barrier(count), []

    def one(number):
        barrier.wait()
        found.append(function(number))

    threads = [threading.Thread(target=one, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def check_resume(uri, tmp_path, capsys):
    """A sweep that was stopped is resumed, and compacted."""
    spec = sweep(space={"J.EE": [1, 2, 3, 4, 5]}, repeat={"seeds": 2}, compute={"tile": 2})
    with pytest.raises(Interrupted):
        start(spec, uri, backend="inline", measure=CHEAP, progress=Stop(2))
    assert main(["status", uri]) == 0
    assert "of 10 done" in capsys.readouterr().out
    resume(uri, backend="inline", measure=CHEAP)
    run_sweep(spec, tmp_path / "whole", backend="inline", measure=CHEAP)
    assert table_rows(uri) == table_rows(tmp_path / "whole")
    assert main(["compact", uri]) == 0
    assert open_files(uri).names("parts")[0].startswith("packed-")
    assert len(open_files(uri).names("parts")) == 1
    assert table_rows(uri) == table_rows(tmp_path / "whole")
    assert open_table(uri).dataset().count_rows() == 10


def check_one_publishes(uri):
    """Of many writers one does, also of those that find the name free at the same moment: the server decides."""
    stores = [SweepStore.create(uri, {}), *(SweepStore.open(uri) for _ in range(3))]
    for number in range(5):
        write = partial(SweepStore.write_fragment, tile_id=f"t{number}", columns=COLUMNS, data=rows([number]))
        won = together(4, lambda k, write=write: write(stores[k]))
        assert sorted(won) == [False, False, False, True]
    assert len(stores[0].finished()) == 5


def check_one_creates(uri):
    """Of many creators one succeeds, and the others are told so."""

    def create(number):
        try:
            SweepStore.create(uri, {"by": number})
        except StoreError as error:
            return str(error)
        return number

    found = together(4, create)
    made = [one for one in found if isinstance(one, int)]
    assert made == [SweepStore.open(uri).manifest["by"]]
    assert sum("already holds a sweep" in str(one) for one in found) == 3


def check_damage(uri):
    """Damage is put aside, and a store travels between processes."""
    store = pickle.loads(pickle.dumps(SweepStore.create(uri, {})))
    store.write_fragment("a", COLUMNS, rows([0]))
    files = open_files(uri)
    files._write(files._at("parts/a.parquet"), files.read("parts/a.parquet")[:-9])
    with pytest.warns(StoreWarning, match="moved"):
        assert store.finished() == {}
    assert len(files.names("quarantine")) == 1
    assert store.write_fragment("a", COLUMNS, rows([0])) is True
    assert list(store.finished()) == ["a"]
