"""Stand-ins for the simulator that workers import by name: cheap, and able to go wrong.

A value of J.EE says what happens: below 100 it is the rate; 100 to 199 raises, 200 to 299 kills the worker,
300 to 399 asks for something that the machine lacks, 400 to 499 hangs, 500 to 599 hangs the first time.
"""

import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import BackendError


@dataclass
class Measured:
    columns: tuple
    data: dict
    executor: str = "pretend"
    device: str = "cpu"


COLUMNS = (
    Column("status", "str"),
    Column("t_fail", "float", "s"),
    Column("rate.E.mean", "float", "Hz"),
    Column("bump.E.m1", "float", "Hz"),
)


def cheap(network, values, *, graph, seeds, initial, **options):
    """Return a rate that depends on the point alone."""
    swept = {path: np.asarray(column, dtype=float) for path, column in values.items()}
    rate = np.asarray(graph + 0.1 * np.asarray(seeds), dtype=float)
    for path in sorted(swept):
        for value in swept[path].tolist():
            if path == "J.EE" and 100 <= value < 200:
                raise RuntimeError(f"J.EE is {value:g}")
            if path == "J.EE" and 200 <= value < 300:
                os.kill(os.getpid(), signal.SIGKILL)
            if path == "J.EE" and 300 <= value < 400:
                raise BackendError("there is no such machine", got=value)
            if path == "J.EE" and (400 <= value < 500 or (500 <= value < 600 and _first_time(value))):
                time.sleep(3600)
        rate = rate + swept[path] * (1 + len(path))
    status = np.full(len(rate), "ok", dtype=object)
    return Measured(
        COLUMNS,
        {
            "status": status,
            "t_fail": np.full(len(rate), np.nan),
            "rate.E.mean": rate,
            "bump.E.m1": -((rate - 20) ** 2),
        },
    )


def _first_time(value):
    """Say whether no process of this machine has asked this before."""
    try:
        (Path(tempfile.gettempdir()) / f"neuroflame-test-{value!r}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def mended(network, values, **options):
    """Be cheap, and know nothing of bad values."""
    kept = {path: np.asarray(column, dtype=float) for path, column in values.items()}
    bad = kept["J.EE"] >= 100
    found = cheap(network, {**kept, "J.EE": np.where(bad, 0.0, kept["J.EE"])}, **options)
    found.data["rate.E.mean"] = found.data["rate.E.mean"] + np.where(bad, kept["J.EE"] * 5, 0.0)
    return found


def _failing(words):
    def measure(network, values, **options):
        if np.any(np.asarray(values["J.EE"]) >= 100):
            raise RuntimeError(words)
        return cheap(network, values, **options)

    return measure


other, still, last = (_failing(words) for words in ("other words", "still other words", "last words"))


def slow(network, values, *, seeds, **options):
    """Take a tenth of a second for each point."""
    time.sleep(0.1 * len(seeds))
    return cheap(network, values, seeds=seeds, **options)


def unequal(network, values, *, seeds, **options):
    """Take 4 ms a point in one process, 1 ms in the others, and write down when: `UNEQUAL` names the folder."""
    folder = Path(os.environ["UNEQUAL"])
    begin = time.time()
    time.sleep((0.004 if _is_slow(folder) else 0.001) * len(seeds))
    with open(folder / f"{os.getpid()}.times", "a") as file:
        file.write(f"{begin} {time.time()}\n")
    return cheap(network, values, seeds=seeds, **options)


def _is_slow(folder):
    """Say whether this process was the first to ask."""
    with suppress(FileExistsError), open(folder / "slow", "x") as file:
        file.write(str(os.getpid()))
    return (folder / "slow").read_text() == str(os.getpid())
