"""A balanced ring of 30,720 neurons, 1,024 inputs a pair, 256 points: a step beside its product alone."""

from benchmarks import networks, peer
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import a_step, build, difference, product_alone

PRODUCT = 1249.0
"""Microseconds of the product on an H200, in two terms of 16 bits."""
TIMES = 6.0


def measure(options: Options) -> Outcome:
    sweep = networks.sparse(24576, 6144, 1024, 256)
    if options.smoke:
        sweep = sweep.toy()
    program = build(sweep, options.device)
    apart = difference(program, 4)
    taken = a_step(program, 10 if options.smoke else 60, options.repetitions)
    del program
    alone = product_alone(sweep.spec.size, sweep.count, options.device)
    beside, original = peer.beside(options, sweep, taken["microseconds_a_step"] * 1e-6, TIMES, 20)
    row = Row(
        "a step",
        taken["microseconds_a_step"],
        "µs",
        1.5 * PRODUCT,
        ceiling=alone,
        ceiling_of="the product alone, here",
    )
    details = taken | original | {"product_alone_microseconds": alone, "difference_from_reference": apart}
    return Outcome([row, beside], details)


BENCHMARK = Benchmark(
    "sparse_30720", "30,720 neurons, 1,024 inputs a pair, 256 points", measure, devices=("cuda",)
)
