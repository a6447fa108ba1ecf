"""Time and memory of opening a large table, before and after it is compacted: python -m benchmarks.table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from neuroflame.columns import Column
from neuroflame.store import SweepStore

STATISTICS = [Column(f"rate.E.s{number}", "float", "Hz") for number in range(20)]
COLUMNS = [
    Column("point_id", "str"),
    Column("point_index", "int"),
    Column("point.J.EE", "float"),
    Column("point.J0.E", "float"),
    Column("graph", "int"),
    Column("seed", "int"),
    Column("initial_condition", "str"),
    Column("status", "str"),
    *STATISTICS,
]
READ = """
import json, resource, sys, time
import pyarrow, pandas
from neuroflame.store import SweepStore, open_table
import neuroflame.store._fragment
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, busy = time.perf_counter(), time.process_time()
what = sys.argv[2]
if what == "compact":
    SweepStore.open(sys.argv[1]).compact()
elif what == "finished":
    SweepStore.open(sys.argv[1]).finished()
else:
    table = open_table(sys.argv[1], verify=what != "open unverified")
    if what == "to_pandas":
        table.to_pandas()
    if what == "two columns":
        table.to_pandas(["point.J.EE", "rate.E.s0"])
seconds, busy = time.perf_counter() - start, time.process_time() - busy
print(json.dumps([seconds, busy, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fragments", type=int, default=400)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        fill(directory, arguments.fragments, arguments.rows)
        tell(directory, "before", ["open", "open unverified", "to_pandas", "two columns", "finished"])
        tell(directory, "compacting", ["compact"])
        tell(directory, "after", ["open", "open unverified", "to_pandas", "two columns", "finished"])


def fill(directory: str, fragments: int, rows: int) -> None:
    store = SweepStore.create(directory, {"name": "large"})
    size = rows // fragments
    rng = np.random.default_rng(0)
    for number in range(fragments):
        index = np.arange(number * size, (number + 1) * size)
        text = [f"{one * 0x9E3779B97F4A7C15 % 2**64:016x}" for one in index.tolist()]
        data = {
            "point_id": text,
            "point_index": index,
            "point.J.EE": 5 + index // 1000 * 0.01,
            "point.J0.E": index % 1000 * 0.01,
            "graph": np.zeros(size, int),
            "seed": np.zeros(size, int),
            "initial_condition": ["network"] * size,
            "status": ["ok"] * size,
            **{column.name: rng.random(size) for column in STATISTICS},
        }
        about = {"executor": "trajectory", "device": "cpu", "seconds": "1.0", "host": "node", "process": "1"}
        store.write_fragment(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}", COLUMNS, data, about)


def tell(directory: str, when: str, whats: list[str]) -> None:
    parts = list(Path(directory, "parts").iterdir())
    size = sum(path.stat().st_size for path in parts) / 2**20
    print(f"{when}: {len(parts)} files, {size:.0f} MiB")
    for what in whats:
        time.sleep(0.2)
        done = subprocess.run(
            [sys.executable, "-c", READ, directory, what], capture_output=True, text=True, check=True
        )
        seconds, busy, memory = json.loads(done.stdout)
        print(f"  {what:<16} {seconds:6.2f} s  {busy:6.2f} s of processors  {memory:6.0f} MiB")


if __name__ == "__main__":
    main()
