"""Measure the rows of the table of targets and print them beside their targets and ceilings."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from typing import TYPE_CHECKING

from benchmarks.record import RESULTS, load_per_core, machine, table, write
from benchmarks.row import Options, Row
from benchmarks.rows import BENCHMARKS

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = {benchmark.name: benchmark for benchmark in BENCHMARKS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if something broke, 0 otherwise, also if targets are missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("row", nargs="*", metavar="ROW", help="names of --list; default all")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--peer", metavar="PATH", help="a checkout of kiriclope/NeuroFlame at 4575eac, to run beside"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="timed after one that warms up")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, no record: do the scripts work?")
    parser.add_argument("--list", action="store_true", help="tell the rows and measure nothing")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.row if name not in NAMED]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}: see --list")
    if given.list:
        print(table([{"row": b.name, "on": ", ".join(b.devices), "": b.about} for b in BENCHMARKS]))
        return 0
    options = Options(given.device, given.peer, given.smoke, given.repetitions)
    found: list[tuple[str, Row]] = []
    broken = False
    for name in given.row or NAMED:
        begin = time.perf_counter()
        rows, failed = measured(name, options)
        broken |= failed
        print(f"{name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)
        found += [(name, row) for row in rows]
    if any(row.measured is not None for _, row in found):
        print(", ".join(f"{key} {value}" for key, value in machine(options.device).items()))
    print(table([{"row": name} | row.shown() for name, row in found]))
    print("toy sizes: the figures mean nothing" if options.smoke else f"records in {RESULTS}")
    return int(broken)


def measured(name: str, options: Options) -> tuple[list[Row], bool]:
    """Return a benchmark's rows, and whether it broke; leave its record."""
    benchmark = NAMED[name]
    reason = benchmark.cannot(options.device)
    if reason is not None:
        return [Row(benchmark.about, None, "", reason=f"not run: {reason}")], False
    load = load_per_core()
    try:
        outcome = benchmark.measure(options)
    except Exception as error:  # the rows that follow are worth their time all the same
        traceback.print_exc()
        return [Row(benchmark.about, None, "", reason=f"broke: {type(error).__name__}: {error}")], True
    if not options.smoke:
        rows = [row.as_data() for row in outcome.rows]
        write(name, options.device, rows, load_per_core_before=load, details=outcome.details)
    return outcome.rows, False


if __name__ == "__main__":
    sys.exit(main())
