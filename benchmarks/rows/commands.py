"""From a command to its first result: what answers at once, and the whole ring sweep on a machine without kernels."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.alone import ROOT
from benchmarks.row import Benchmark, Options, Outcome, Row

SWEEP = str(ROOT / "sweeps" / "ring_attractor.yml")
AT_ONCE = {"--help": ["--help"], "validate": ["validate", SWEEP], "plan": ["plan", SWEEP]}
SECONDS_AT_ONCE, SECONDS_OF_RUN = 1.0, 60.0
SMALL = ["populations.E.size=40", "populations.I.size=40", "duration=0.3", "window=0.1", "stimuli=[]"]


def measure(options: Options) -> Outcome:
    rows = []
    for name, words in AT_ONCE.items():
        taken = [seconds(words) for _ in range(1 if options.smoke else options.repetitions + 1)]
        rows.append(Row(f"`{name}`", statistics.median(taken[1:] or taken), "s", SECONDS_AT_ONCE))
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", SWEEP, "--out", str(Path(folder, "table"))]
        if options.smoke:
            words += ["--backend", "inline", "--no-report", *(w for text in SMALL for w in ("--set", text))]
        whole = seconds(words, NEUROFLAME_CACHE=str(Path(folder, "kernels")))
    rows.append(Row("`run` of the ring sweep, kernels compiled, report made", whole, "s", SECONDS_OF_RUN))
    return Outcome(rows)


def seconds(words: list[str], **environment: str) -> float:
    """Return the wall time of a command."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "neuroflame", *words],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd=ROOT,
    )
    return time.perf_counter() - begin


BENCHMARK = Benchmark("commands", "command to first result", measure, devices=("cpu",))
