"""A balanced ring of 100,000 neurons, 500 inputs a pair, 256 points: a step beside its product alone, and memory."""

from benchmarks import networks
from benchmarks.alone import peak_gib
from benchmarks.record import forget_peak
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import a_step, build, difference, product_alone

PRODUCT = 12883.0
"""Microseconds of the product on an H200, in two terms of 16 bits."""
GIB = 40.0


def measure(options: Options) -> Outcome:
    sweep = networks.sparse(80000, 20000, 500, 256)
    if options.smoke:
        sweep = sweep.toy()
    forget_peak(options.device)
    program = build(sweep, options.device)
    taken = a_step(program, 10 if options.smoke else 12, options.repetitions)
    peak = peak_gib(options.device)
    apart = difference(program, 2)
    del program
    forget_peak(options.device)
    alone = product_alone(sweep.spec.size, sweep.count, options.device)
    rows = [
        Row(
            "a step",
            taken["microseconds_a_step"],
            "µs",
            2 * PRODUCT,
            ceiling=alone,
            ceiling_of="the product alone, here",
        ),
        Row("memory", peak, "GiB", GIB),
    ]
    return Outcome(rows, taken | {"product_alone_microseconds": alone, "difference_from_reference": apart})


BENCHMARK = Benchmark(
    "sparse_100000", "100,000 neurons, 500 inputs a pair, 256 points", measure, devices=("cuda",)
)
