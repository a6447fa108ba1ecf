"""A point computed again, and a sweep's directory that was moved."""

import shutil

import numpy as np
import pytest
import yaml

from neuroflame.cli import main
from neuroflame.errors import Interrupted, StoreError
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep import repro
from neuroflame.sweep.repro import reproduce
from neuroflame.sweep.running import resume, run_sweep, start
from tests.unit.test_sweep_controller import CHEAP, Stop, rows
from tests.unit.test_sweep_spec import NETWORK, sweep

SWEEP = {
    "space": {"J.EE": [0.5, 1.0], "J0.E": [1.0, 2.0]},
    "repeat": {"seeds": 2, "initial_conditions": ["cold", "cued"]},
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A small sweep, really simulated, all in one tile."""
    path = tmp_path_factory.mktemp("repro") / "out"
    run_sweep(sweep(**SWEEP, compute={"executor": "reference"}), path, backend="inline")
    return str(path)


def test_a_point_alone_equals_its_row_to_the_last_bit(out, capsys):
    frame = open_table(out).to_pandas()
    for identity in frame["point_id"][[0, 7, 13]]:
        assert main(["repro", out, identity]) == 0
        told = capsys.readouterr()
        assert "equal to the last bit" in told.out
        assert told.err == ""


def forged(out, tmp_path, change, **about):
    """Return a copy of a sweep in which one row, and what is told of it, were changed."""
    source = SweepStore.open(out)
    copy = SweepStore.create(tmp_path / "forged", {k: v for k, v in source.manifest.items() if k != "format"})
    table = open_table(out)
    (told,) = table.metadata.values()
    data = table.to_arrow().to_pydict()
    for name, function in change.items():
        data[name][3] = function(data[name][3])
    copy.write_fragment("t", list(table.columns.values()), data, {**told, **about})
    return copy.uri, data["point_id"][3]


def test_a_bit_more_is_different(out, tmp_path, capsys):
    uri, point = forged(out, tmp_path, {"rate.E.mean": lambda value: np.nextafter(value, np.inf)})
    assert main(["repro", uri, point]) == 1
    told = capsys.readouterr().out
    assert "1 of" in told
    line = next(line for line in told.splitlines() if line.startswith("rate.E.mean"))
    assert line.split()[1] == "Hz"
    assert line.endswith("DIFFERENT")


@pytest.mark.parametrize(
    ("about", "warning"),
    [
        ({"version": "0.0.9"}, "version was 0.0.9"),
        ({"commit": "0" * 40}, "commit was 0000"),
        ({"device": "cuda"}, "device was cuda, is cpu"),
        ({"executor": "other"}, "executor was other, is "),
    ],
)
def test_where_something_changed_it_warns_and_allows_a_little(about, warning, out, tmp_path, capsys):
    if "device" in about and pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU here")
    uri, point = forged(out, tmp_path, {"rate.E.mean": lambda value: value * (1 + 1e-6)}, **about)
    assert main(["repro", uri, point]) == 0
    told = capsys.readouterr()
    assert f"warning: {warning}" in told.err
    assert "within 0.0001" in told.out
    assert "rate.E.mean" in told.out


def test_a_little_is_not_much(out, tmp_path):
    uri, point = forged(out, tmp_path, {"rate.E.mean": lambda value: value * 1.01}, version="0.0.9")
    found = reproduce(uri, point)
    assert not found.equal
    assert [one.column for one in found.differences if not one.passes] == ["rate.E.mean"]


def test_another_outcome_is_different(out, tmp_path):
    uri, point = forged(out, tmp_path, {"status": lambda _: "diverged"}, version="0.0.9")
    assert not reproduce(uri, point).equal


def test_rows_of_format_1_take_version_and_commit_from_the_manifest():
    row = {"provenance.device": "cpu", "provenance.executor": None}
    told = repro._provenance_of(row, {"version": "0.0.1", "git_commit": "abc"})
    assert told == {"device": "cpu", "version": "0.0.1", "commit": "abc"}


def test_bad_input(out, tmp_path, capsys):
    assert main(["repro", out, "nobody"]) == 2
    assert "no such point" in capsys.readouterr().err
    uri, point = forged(out, tmp_path, {"point.J.EE": lambda value: value + 1})
    with pytest.raises(StoreError, match="not those of its point_id"):
        reproduce(uri, point)


def test_a_directory_that_was_moved_resumes_without_its_files(tmp_path):
    """The network is in the manifest: the file it came from, and the first place, are gone."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "net.yml").write_text(yaml.safe_dump(NETWORK))
    (home / "sweep.yml").write_text(
        yaml.safe_dump({"network": "net.yml", "space": {"J.EE": [1, 2, 3, 4]}, "compute": {"tile": 1}})
    )
    run_sweep(home / "sweep.yml", tmp_path / "whole", backend="inline", measure=CHEAP)
    from neuroflame.spec.overrides import load_sweep

    with pytest.raises(Interrupted):
        start(
            load_sweep(home / "sweep.yml"),
            str(home / "out"),
            backend="inline",
            measure=CHEAP,
            progress=Stop(2),
        )
    shutil.move(home / "out", tmp_path / "elsewhere")
    shutil.rmtree(home)
    outcome = resume(str(tmp_path / "elsewhere"), backend="inline", measure=CHEAP)
    assert outcome.resumed
    assert outcome.status.restored > 0
    assert rows(tmp_path / "elsewhere") == rows(tmp_path / "whole")
    assert not home.exists()


def test_series_texts_and_missing_values_are_compared_as_such():
    assert repro._equal(None, float("nan"))
    assert not repro._equal(1.0, None)
    assert repro._equal([1.0, 2.0], np.array([1.0, 2.0], dtype=np.float32))
    assert not repro._close([1.0], [1.0, 2.0], 1.0)
    assert not repro._close("ok", "failed", 1.0)
