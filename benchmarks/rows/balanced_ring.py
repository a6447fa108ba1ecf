"""The published balanced ring: 2,500 neurons, 200 points, 11,500 steps, from numbers to statistics."""

from benchmarks import networks
from benchmarks.published import outcome
from benchmarks.row import Benchmark, Options, Outcome, Row

MICROSECONDS = {"cpu": 9000.0, "cuda": 28.0}
TIMES = {"cpu": 10.0, "cuda": 25.0}
CEILING = {"cuda": (16.0, "the matrix from the second-level cache once a step")}
STEPS = {"cpu": 1000}
"""Steps that are run where all would take minutes."""


def measure(options: Options) -> Outcome:
    sweep = networks.balanced_ring()
    if options.device in STEPS:
        sweep = sweep.cut(STEPS[options.device])
    ceiling, source = CEILING.get(options.device, (None, ""))
    row = Row(
        "a step of the sweep",
        None,
        "µs",
        MICROSECONDS[options.device],
        ceiling=ceiling,
        ceiling_of=source,
    )
    return outcome(sweep, options, row, of="microseconds_a_step", times=TIMES, checked=200)


BENCHMARK = Benchmark("balanced_ring", "published balanced ring, 200 points × 11,500 steps", measure)
