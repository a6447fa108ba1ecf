"""Spiking neurons, 64 points: no target; on a GPU no kernel runs them, and the reference's step is replayed."""

from unittest.mock import patch

from benchmarks import networks
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import a_step, build
from neuroflame.core import reference


def measure(options: Options) -> Outcome:
    sweep = networks.spiking()
    if options.smoke:
        sweep = sweep.toy()
    program = build(sweep, options.device)
    steps = 60 if options.smoke else 1000
    taken = a_step(program, steps, options.repetitions)
    rows = [Row("a step", taken["microseconds_a_step"], "µs")]
    if taken["executor"] == "reference":
        with patch.object(reference, "WORTH_CAPTURING", float("inf")):
            launched = a_step(program, steps, 1)["microseconds_a_step"]
        rows.append(Row("a step, its kernels launched one by one", launched, "µs"))
    return Outcome(rows, taken)


BENCHMARK = Benchmark("spiking", "2,000 spiking neurons, 64 points", measure)
