"""One point of the balanced ring: what a step costs where there is nothing to share it with."""

from benchmarks import networks
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import a_step, build, difference

MICROSECONDS = 15.0


def measure(options: Options) -> Outcome:
    sweep = networks.sparse(2000, 500, 125, 1)
    if options.smoke:
        sweep = sweep.toy()
    program = build(sweep, options.device)
    apart = difference(program, 20 if options.smoke else 200)
    taken = a_step(program, 20 if options.smoke else 2000, options.repetitions)
    row = Row("a step", taken["microseconds_a_step"], "µs", MICROSECONDS)
    return Outcome([row], taken | {"difference_from_reference": apart})


BENCHMARK = Benchmark("one_point", "balanced ring, one point", measure, devices=("cuda",))
