"""Points tried again in a directory whose fragments were, or are being, put together."""

import os

import pytest

from neuroflame.cli import main
from neuroflame.errors import Interrupted
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.inspect import describe
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import resume, start
from tests.unit.test_sweep_controller import CHEAP, TPE, Stop, rows, run
from tests.unit.test_sweep_spec import sweep

MENDED = "tests.e2e.simulators:mended"
SPEC = {"space": {"J.EE": [1, 100, 2, 150, 3]}, "compute": {"tile": 1}}


def again(out, measure, **options):
    return resume(str(out), backend="inline", measure=measure, retry_failed=True, **options)


def compact(out):
    SweepStore.open(out).compact()
    (name,) = os.listdir(out / "parts")
    assert name.startswith("packed-")


def errors(out):
    return open_table(str(out)).to_pandas()["error"].dropna().tolist()


def test_of_two_failures_the_newer_is_shown_whatever_was_compacted_between(tmp_path):
    out = tmp_path / "out"
    run(sweep(**SPEC), out)
    for number, words in enumerate(("other words", "still other words", "last words"), start=1):
        compact(out)
        outcome = again(out, f"tests.e2e.simulators:{words.partition(' ')[0]}")
        assert (outcome.status.restored, outcome.status.failed) == (3, 2)
        assert errors(out) == [f"RuntimeError: {words}"] * 2
        assert open_table(str(out)).attempt == number
        before = rows(out)
        compact(out)
        assert rows(out) == before
        assert open_table(str(out)).attempt == number
    attempts = open_table(str(out)).to_pandas(["point_id"], provenance=True)["provenance.attempt"]
    assert attempts.tolist() == [0, 3, 0, 3, 0]


def test_a_result_beats_a_later_failure_in_one_file(tmp_path):
    """Two runs at once may both try a point again; whoever gets a result is right."""
    out = tmp_path / "out"
    run(sweep(**SPEC), out)
    again(out, "tests.e2e.simulators:other")
    table, store = open_table(str(out)), SweepStore.open(out)
    late = {name: values[1:2] for name, values in table.to_arrow().to_pydict().items()}
    assert late["status"] == ["failed"]
    again(out, MENDED)
    store.write_fragment("late", list(table.columns.values()), late, {"attempt": "9"})
    before = rows(out)
    assert errors(out) == []
    compact(out)
    assert rows(out) == before
    assert errors(out) == []


def test_what_a_compacted_directory_tells(tmp_path, capsys):
    out = tmp_path / "out"
    run(sweep(**SPEC), out)
    told = describe(str(out))
    assert "5 of 5 done" in told
    assert "try again" in told
    compact(out)
    assert describe(str(out)) == told
    again(out, MENDED)
    compact(out)
    assert main(["status", str(out)]) == 0
    told = capsys.readouterr().out
    assert "0 diverged, 0 failed" in told
    assert "try again" not in told
    start(sweep(**SPEC), str(tmp_path / "whole"), backend="inline", measure=MENDED)
    assert rows(out) == rows(tmp_path / "whole")


class Compacting(Progress):
    """Puts the fragments together whenever a tile is done, while the run holds the directory."""

    def __init__(self, out, after=None):
        self.out, self.left, self.files = out, after, []

    def update(self, status):
        done = SweepStore.open(self.out).compact()
        self.files.append(done.after)
        assert len(open_table(str(self.out))) == status.done
        if self.left is not None and len(self.files) > self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("search", ["grid", "tpe"])
def test_a_run_goes_on_while_its_table_is_compacted(search, tmp_path):
    """Stopped, resumed, failed points tried again, and each of its fragments gone a moment after it came."""
    space = {"space": {"J.EE": {"low": 60, "high": 140}, "J0.E": [1, 2, 3]}}
    spec = sweep(**({**TPE, **space, "compute": {"tile": 3}} if search == "tpe" else SPEC))
    out, whole = tmp_path / "out", tmp_path / "whole"
    with pytest.raises(Interrupted):
        run(spec, out, progress=Compacting(out, after=2))
    told = Compacting(out)
    resume(str(out), backend="inline", measure=CHEAP, progress=told)
    assert max(told.files) == 1
    run(spec, whole)
    assert rows(out) == rows(whole)
    failed = len(errors(out))
    assert failed > 0
    retried = again(out, MENDED, progress=Retrying(out))
    assert retried.status.failed == 0
    assert retried.status.restored == spec.points - failed
    again(whole, MENDED)
    assert rows(out) == rows(whole)


class Retrying(Compacting):
    """The same where all points have rows already."""

    def update(self, status):
        SweepStore.open(self.out).compact()
        assert len(open_table(str(self.out))) == status.total


def test_stopped_in_the_middle_of_trying_again(tmp_path):
    out = tmp_path / "out"
    run(sweep(**SPEC), out)
    compact(out)
    with pytest.raises(Interrupted):
        again(out, MENDED, progress=Stop(1))
    assert len(errors(out)) == 1
    compact(out)
    assert again(out, MENDED).status.failed == 0
    assert open_table(str(out)).attempt == 2
    start(sweep(**SPEC), str(tmp_path / "whole"), backend="inline", measure=MENDED)
    assert rows(out) == rows(tmp_path / "whole")
