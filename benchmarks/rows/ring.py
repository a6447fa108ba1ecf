"""The published ring: 1,000 neurons, 400 points, 13,500 steps, from numbers to statistics."""

from benchmarks import networks
from benchmarks.published import outcome
from benchmarks.row import Benchmark, Options, Outcome, Row

SECONDS = {"cpu": 6.0, "cuda": 0.02}
TIMES = {"cpu": 150.0, "cuda": 500.0}
CEILING = {
    "cpu": (0.7, "25 vector operations a neuron and step on two Zen 4 cores"),
    "cuda": (0.005, "734 instructions a step of one warp at 1.98 GHz"),
}


def measure(options: Options) -> Outcome:
    ceiling, source = CEILING[options.device]
    row = Row("whole sweep", None, "s", SECONDS[options.device], ceiling=ceiling, ceiling_of=source)
    return outcome(networks.ring(), options, row, of="seconds", times=TIMES, checked=400)


BENCHMARK = Benchmark("ring", "published ring, 400 points × 13,500 steps", measure)
