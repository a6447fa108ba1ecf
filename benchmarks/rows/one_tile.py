"""10,000 points of the published ring in one tile."""

from benchmarks import networks
from benchmarks.alone import peak_gib
from benchmarks.record import forget_peak
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import whole

SECONDS = 0.5
"""As many neuron-steps a second as the target of 400 points in 0.02 s demands."""
CEILING = 0.095, "734 instructions a step of one warp, four at once on each of 132 multiprocessors"


def measure(options: Options) -> Outcome:
    sweep = networks.ring(side=100)
    if options.smoke:
        sweep = sweep.toy()
    forget_peak(options.device)
    taken = whole(sweep, options.device, options.repetitions)
    row = Row("whole sweep", taken["seconds"], "s", SECONDS, ceiling=CEILING[0], ceiling_of=CEILING[1])
    return Outcome([row], taken | {"peak_gib": peak_gib(options.device)})


BENCHMARK = Benchmark(
    "one_tile", "published ring, 10,000 points × 13,500 steps in one tile", measure, devices=("cuda",)
)
