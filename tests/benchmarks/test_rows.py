"""Every row of the benchmarks at toy size: they cannot rot. Nothing is held to a time."""

import json
import math

import pytest

from benchmarks import __main__ as command
from benchmarks import readme
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.rows import BENCHMARKS, memory, orchestration, training

ALONE = (memory, orchestration, training)


@pytest.fixture
def together(monkeypatch):
    """What needs a process of its own for its memory's sake shares this one."""
    for module in ALONE:
        monkeypatch.setattr(module, "alone", lambda function, **arguments: function(**arguments))


@pytest.mark.parametrize(
    "measured",
    [
        pytest.param(b, id=b.name, marks=[pytest.mark.slow] if b.name == "commands" else [])
        for b in BENCHMARKS
    ],
)
def test_a_row_measures_what_has_a_target(measured, together):
    """But for spiking neurons, of which none is asked."""
    outcome = measured.measure(Options("cpu", smoke=True, repetitions=1))
    json.dumps(outcome.details)
    assert outcome.rows
    for row in outcome.rows:
        assert Row.of(row.as_data()) == row
        assert (row.target is None) == (measured.name == "spiking")
        if row.measured is None:
            assert row.reason == "not run: needs --peer"
        else:
            assert math.isfinite(row.measured)
            assert row.met is (None if row.ratio is None else row.ratio >= 1)


def test_a_function_is_called_in_a_process_of_its_own():
    from benchmarks.alone import alone

    mine = alone(memory.peak, name="ring", steps=20, device="cpu", smoke=True)
    assert 0.05 < mine < 4


def test_ratios_say_how_much_better():
    time = Row("t", 2.0, "s", 6.0, ceiling=1.0)
    assert (time.ratio, time.of_ceiling, time.met) == (3.0, 0.5, True)
    speed = Row("v", 100.0, "×", 150.0, at_least=True, ceiling=200.0)
    assert (speed.ratio, speed.of_ceiling, speed.met) == (100 / 150, 0.5, False)
    missing = Row("v", None, "×", 150.0, at_least=True, reason="why")
    assert (missing.ratio, missing.of_ceiling, missing.met) == (None, None, None)
    assert missing.shown()["measured"] == "why"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two rows of which one breaks, one that runs elsewhere, and a folder for records."""

    def breaks(options):
        raise ValueError("no room")

    good = Outcome([Row("step", 2.0, "µs", 4.0)], {"points": 3})
    made = [
        Benchmark("bad", "one that breaks", breaks),
        Benchmark("good", "one that runs", lambda options: good),
        Benchmark("other", "one for GPUs", lambda options: good, devices=("cuda",)),
    ]
    monkeypatch.setattr(command, "NAMED", {benchmark.name: benchmark for benchmark in made})
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    monkeypatch.setattr(readme, "RESULTS", tmp_path)
    monkeypatch.setattr(readme, "BENCHMARKS", made)
    return tmp_path


def test_what_breaks_is_told_and_the_rest_is_measured(results, capsys):
    assert command.main([]) == 1
    told = capsys.readouterr()
    assert "broke: ValueError: no room" in told.out
    assert "not run: has no target on cpu, on cuda alone" in told.out
    assert "Traceback" in told.err
    assert [path.name for path in results.iterdir()] == ["good-cpu.json"]
    record = json.loads((results / "good-cpu.json").read_text())
    assert record["details"] == {"points": 3}
    assert record["rows"][0]["ratio_to_target"] == 2.0
    assert "| `good` | one that runs: step | 2 µs | ≤ 4 µs | 2 | – |" in readme.lines()


def test_toys_leave_no_record(results, capsys):
    assert command.main(["--smoke", "good"]) == 0
    assert "the figures mean nothing" in capsys.readouterr().out
    assert not list(results.iterdir())


def test_rows_are_listed_and_their_names_checked(capsys):
    assert command.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(benchmark.name in listed for benchmark in BENCHMARKS)
    with pytest.raises(SystemExit):
        command.main(["ringg"])
    assert "there is no row ringg" in capsys.readouterr().err
