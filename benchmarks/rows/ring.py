"""The published ring: 1,000 neurons, 400 points, 13,500 steps, from numbers to statistics."""

from benchmarks import networks, peer
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import build, difference, whole

SECONDS = {"cpu": 6.0, "cuda": 0.02}
TIMES = {"cpu": 150.0, "cuda": 500.0}
CEILING = {
    "cpu": (0.7, "25 vector operations a neuron and step on two Zen 4 cores"),
    "cuda": (0.005, "734 instructions a step of one warp at 1.98 GHz"),
}
CHECKED = 400
"""Steps that are compared with the reference."""


def measure(options: Options) -> Outcome:
    sweep = networks.ring()
    if options.smoke:
        sweep = sweep.toy()
    apart = difference(build(sweep.cut(CHECKED).some(4), options.device), CHECKED)
    taken = whole(sweep, options.device, options.repetitions)
    ceiling, source = CEILING[options.device]
    beside, original = peer.beside(
        options,
        sweep,
        taken["microseconds_a_step"] * 1e-6,
        TIMES[options.device],
        5 if options.smoke else None,
    )
    rows = [
        Row(
            "whole sweep",
            taken["seconds"],
            "s",
            SECONDS[options.device],
            ceiling=ceiling,
            ceiling_of=source,
        ),
        beside,
    ]
    return Outcome(rows, taken | original | {"difference_from_reference": apart})


BENCHMARK = Benchmark("ring", "published ring, 400 points × 13,500 steps", measure)
