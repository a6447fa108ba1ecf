"""The command line, within this process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import neuroflame
from neuroflame import cli
from neuroflame.store import open_table
from neuroflame.sweep.progress import LiveProgress, PlainProgress, Progress, Status
from neuroflame.sweep.tally import Rate
from tests.unit.test_sweep_spec import NETWORK

SWEEP = {"network": "net.yml", "space": {"J.EE": [0.5, 1.0], "J0.E": [1, 2]}, "window": 0.01}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yml").write_text(yaml.safe_dump(NETWORK))
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    return tmp_path


def call(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_run_writes_a_table_and_tells_where(folder, capsys):
    assert call("run", "sweep.yml", "--backend", "inline") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == f"table   {folder / 'runs' / 'sweep'}"
    assert any(line.startswith("figures") and line.endswith(".png") for line in lines)
    assert any(line.startswith("report") and line.endswith("index.html") for line in lines)
    assert "of 4 points" in lines[-1]
    assert "4/4 points" in err
    assert len(open_table("runs/sweep")) == 4


def test_run_again_goes_on(folder, capsys):
    run = ("run", "sweep.yml", "--backend", "inline", "--out", "x", "--no-report")
    assert call(*run) == 0
    capsys.readouterr()
    assert call(*run) == 0
    out, err = capsys.readouterr()
    assert "holds this sweep" in err
    assert out == f"table   {folder / 'x'}\n"


def test_quiet_is_quiet(folder, capsys):
    assert call("run", "sweep.yml", "--backend", "inline", "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_set_reaches_network_and_sweep(folder, capsys):
    sets = ("--set", "J.II=-2", "--set", "space.J.EE=[0.1, 0.2, 0.3]", "--set", "repeat.seeds=2")
    assert call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", *sets) == 0
    manifest = json.loads((folder / "x" / "manifest.json").read_text())
    assert manifest["points"] == 12
    assert manifest["network"]["J"]["II"] == -2


def test_compute_options_win_over_the_file(folder):
    options = ("--tile", "1", "--device", "cpu", "--executor", "reference")
    assert call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", *options) == 0
    assert len(open_table("x").metadata) == 4


def test_resume_and_status(folder, capsys):
    call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", "--tile", "1")
    next((folder / "x" / "parts").iterdir()).unlink()
    capsys.readouterr()
    assert call("status", "x") == 0
    out, _ = capsys.readouterr()
    assert "3 of 4 done (75 %)" in out
    assert "resume x" in out
    assert call("resume", "x", "--backend", "inline", "--no-report", "--quiet") == 0
    assert call("status", "x") == 0
    assert "4 of 4 done (100 %)" in capsys.readouterr().out


def test_failed_points_are_told_by_the_exit_code(folder, capsys, monkeypatch):
    monkeypatch.setattr("neuroflame.sweep.running.MEASURE", "nowhere:nothing")
    import tests.e2e.simulators as simulators
    from neuroflame.core import measure

    monkeypatch.setattr(measure, "measure_points", simulators.cheap)
    code = call("run", "sweep.yml", "--backend", "inline", "--no-report", "--set", "space.J.EE=[1, 100]")
    assert code == 1
    assert "2 of 4 points failed" in capsys.readouterr().err


def test_plan_runs_nothing(folder, capsys):
    assert call("plan", "sweep.yml", "--tile", "2") == 0
    out, _ = capsys.readouterr()
    assert "tiles       2 of up to 2 points" in out
    assert not (folder / "runs").exists()


def test_validate_takes_both_kinds(folder, capsys):
    assert call("validate", "sweep.yml", "net.yml") == 0
    out, _ = capsys.readouterr()
    assert out.splitlines() == [
        "sweep.yml: a sweep of 4 points (grid over J.EE, J0.E)",
        "net.yml: a network of 30 neurons (E 20, I 10), 50 steps",
    ]


def test_validate_tells_of_every_file(folder, capsys):
    (folder / "bad.yml").write_text("populations: {E: {size: -1}}")
    assert call("validate", "bad.yml", "net.yml", "none.yml") == 2
    out, err = capsys.readouterr()
    assert out.startswith("net.yml: a network")
    assert err.count("\n") == 2


def test_best(folder, capsys):
    call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", "--quiet")
    assert call("best", "x", "--by", "rate.E.mean", "-n", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rate.E.mean", "J.EE", "J0.E", "point_id"]
    first, second = (float(line.split()[0]) for line in lines[1:])
    assert first >= second
    assert call("best", "x", "--by", "rate.E.mean", "-n", "1", "--smallest") == 0
    assert float(capsys.readouterr().out.splitlines()[1].split()[0]) <= second


def test_best_where_no_point_meets_the_constraints(folder, capsys):
    search = "search={kind: tpe, trials: 4, maximise: rate.E.mean, constraints: [rate.E.mean < -1, J.EE > 0]}"
    space = "space={J.EE: {low: 0.5, high: 1}}"
    call(
        "run",
        "sweep.yml",
        "--set",
        search,
        "--set",
        space,
        "--backend",
        "inline",
        "--no-report",
        "--out",
        "x",
    )
    capsys.readouterr()
    assert call("best", "x") == 2
    assert capsys.readouterr().err == (
        "neuroflame-sweep: x: no point meets the constraints: of 4 points 4 are ok, and none of these meets all, "
        "got 'rate.E.mean < -1 and J.EE > 0' (loosen search.constraints)\n"
    )


def test_report(folder, capsys):
    call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", "--quiet")
    assert call("report", "x", "--out", "drawn") == 0
    assert (folder / "drawn" / "index.html").exists()
    assert "index.html" in capsys.readouterr().out


def test_version(capsys):
    assert call("--version") == 0
    assert capsys.readouterr().out == f"neuroflame-sweep {neuroflame.__version__}\n"


def test_help_of_every_command(capsys):
    for name in ("run", "resume", "status", "plan", "validate", "best", "report"):
        assert call(name, "--help") == 0
        assert "usage" in capsys.readouterr().out


def test_a_fault_of_ours_is_a_line_too(folder, capsys, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("some\nthing")

    monkeypatch.setattr("neuroflame.sweep.planner.make_plan", broken)
    assert call("plan", "sweep.yml") == 2
    assert capsys.readouterr().err == (
        "neuroflame-sweep: ZeroDivisionError: some thing (run again with --debug to see where)\n"
    )
    assert call("plan", "sweep.yml", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_has_its_exit_code(folder, capsys, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("neuroflame.sweep.inline.Worker", stopped)
    assert call("run", "sweep.yml", "--backend", "inline", "--out", "x") == 130
    err = capsys.readouterr().err.splitlines()[-1]
    assert err == (
        "neuroflame-sweep: stopped with 0 of 4 points done (go on with: neuroflame-sweep resume x)"
    )


def test_planning_imports_nothing_heavy(folder):
    code = """
import sys
from neuroflame.cli import main
main(["plan", "sweep.yml"])
main(["validate", "net.yml"])
print([name for name in ("torch", "ray", "optuna", "pandas", "pyarrow", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_fault(folder):
    call("run", "sweep.yml", "--backend", "inline", "--no-report", "--out", "x", "--quiet")
    command = f"{sys.executable} -m neuroflame best x --by rate.E.mean | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


# --- progress ---------------------------------------------------------------------------------------------


def status(done, **changes):
    values = {"failed": 0, "diverged": 0, "restored": 0, "rate": 2.0, "elapsed": 1.0, **changes}
    return Status(total=100, done=done, **values)


def test_status_in_words():
    assert str(status(50)) == "50/100 points, 2.00 points/s, 25 s left, 0 failed"
    assert str(status(100, failed=3, diverged=4)) == "100/100 points, 2.00 points/s, 4 diverged, 3 failed"
    assert str(status(0, rate=0.0)) == "0/100 points, 0 failed"
    assert str(status(50, best=1.23456)).endswith("best 1.235")


def test_plain_progress_is_sparing(capsys):
    progress = PlainProgress()
    progress.start(status(0))
    for done in range(1, 101):
        progress.update(status(done))
    progress.stop()
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [str(status(100))]


def test_plain_progress_ends_with_where_it_stopped(capsys):
    progress = PlainProgress()
    progress.start(status(0))
    progress.update(status(7))
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [str(status(7))]


def test_live_progress_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    progress = LiveProgress()
    progress.start(status(0))
    progress.update(status(40))
    progress.note("in passing")
    progress.stop()
    progress.stop()
    err = capsys.readouterr().err
    assert "40/100 points" in err
    assert "in passing" in err


FAILURE = {"tile": "a", "cause": "ValueError: 3", "points": 2, "new": True}


def test_failures_are_told_by_cause(capsys):
    """Once when the cause is new, and counted at the end."""
    progress = PlainProgress()
    progress.start(status(0))
    progress.event("failure", FAILURE)
    progress.event("failure", {**FAILURE, "new": False})
    progress.event("tile", {"points": 3})
    progress.event("warning", {"text": "moved away"})
    progress.update(status(100, failed=4, causes=(("ValueError: 3", 4),)))
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [
        "failed: ValueError: 3",
        "warning: moved away",
        "100/100 points, 2.00 points/s, 4 failed",
        "4 failed: ValueError: 3",
    ]


def test_a_status_goes_through_json():
    before = status(50, best=1.5, causes=(("x", 2),), gpu="GPU 3 of 80 GiB")
    assert Status.from_dict(json.loads(json.dumps({**before.to_dict(), "dashboard": None}))) == before
    assert str(before).endswith("best 1.5, GPU 3 of 80 GiB")


def test_events_are_lines_of_json(folder, capsys):
    """As docs/events.md describes them: its table names every event and every key."""
    assert call("run", "sweep.yml", "--backend", "inline", "--out", "x", "--tile", "1", "--log-json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["event"] for event in events][:: len(events) - 1] == ["note", "finished"]
    documented = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    for event in events:
        assert f"`{event['event']}`" in documented
        for key in event:
            assert f"`{key}`" in documented, key
    assert not (folder / "x" / "report").exists()


def test_silent_progress_says_nothing(capsys):
    progress = Progress()
    progress.note("x")
    progress.start(status(0))
    progress.update(status(1))
    progress.stop()
    assert capsys.readouterr() == ("", "")


def test_rate_is_that_of_the_last_minute(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    rate = Rate()
    rate.start(0)
    for second in range(1, 200):
        now[0] = float(second)
        found = rate.update(second if second < 100 else 100 + 5 * (second - 100))
    assert found == pytest.approx(5.0, rel=0.1)
