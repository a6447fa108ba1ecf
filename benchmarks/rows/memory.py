"""Peak memory of a sweep that keeps statistics alone, beside that of one with eight times the steps."""

from benchmarks import networks
from benchmarks.alone import alone, peak_gib
from benchmarks.row import Benchmark, Options, Outcome, Row
from benchmarks.timing import run_all

GROWTH = 1.02
"""Of the peak, libraries included; room for the allocator, not for one number a point and step."""
SWEEPS = {"ring": networks.ring, "balanced ring": networks.balanced_ring}
POINTS = {"ring": 400, "balanced ring": 64}
STEPS = 1000


def measure(options: Options) -> Outcome:
    rows, details = [], {}
    for name in SWEEPS:
        few, many = (
            alone(peak, name=name, steps=steps, device=options.device, smoke=options.smoke)
            for steps in ((50, 400) if options.smoke else (STEPS, 8 * STEPS))
        )
        rows.append(Row(f"{name}: peak with 8 × the steps", many / few, "×", GROWTH))
        details[name] = {"peak_gib": few, "peak_gib_with_8_times_the_steps": many}
    return Outcome(rows, details)


def peak(name: str, steps: int, device: str, smoke: bool) -> float:
    """Return the peak memory of a sweep, GiB, in a process of its own."""
    sweep = SWEEPS[name]().some(POINTS[name])
    if smoke:
        sweep = sweep.toy()
    run_all(sweep.cut(steps), device)
    return peak_gib(device)


BENCHMARK = Benchmark("memory", "statistics-only sweeps, independent of the number of steps", measure)
