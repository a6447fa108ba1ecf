"""The published balanced ring: 2,500 neurons, 200 points, 11,500 steps, from numbers to statistics."""

from benchmarks import networks, peer
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import build, difference, whole

MICROSECONDS = {"cpu": 9000.0, "cuda": 28.0}
TIMES = {"cpu": 10.0, "cuda": 25.0}
CEILING = {"cuda": (16.0, "the matrix from the second-level cache once a step")}
STEPS = {"cpu": 1000}
"""Steps that are run where all would take minutes."""
CHECKED = 200
"""Steps that are compared with the reference."""


def measure(options: Options) -> Outcome:
    sweep = networks.balanced_ring()
    if options.device in STEPS:
        sweep = sweep.cut(STEPS[options.device])
    if options.smoke:
        sweep = sweep.toy()
    apart = difference(build(sweep.cut(CHECKED).some(4), options.device), CHECKED)
    taken = whole(sweep, options.device, options.repetitions)
    ceiling, source = CEILING.get(options.device, (None, ""))
    beside, original = peer.beside(
        options,
        sweep,
        taken["microseconds_a_step"] * 1e-6,
        TIMES[options.device],
        5 if options.smoke else None,
    )
    rows = [
        Row(
            "a step of the sweep",
            taken["microseconds_a_step"],
            "µs",
            MICROSECONDS[options.device],
            ceiling=ceiling,
            ceiling_of=source,
        ),
        beside,
    ]
    return Outcome(rows, taken | original | {"difference_from_reference": apart})


BENCHMARK = Benchmark("balanced_ring", "published balanced ring, 200 points × 11,500 steps", measure)
