"""Stand-ins for the simulator that workers import by name: cheap, and able to go wrong.

A value of J.EE says what happens: below 100 it is the rate; 100 to 199 raises, 200 to 299 kills the worker,
300 to 399 asks for something that the machine lacks.
"""

import os
import signal
import time
from dataclasses import dataclass

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


def slow(network, values, *, seeds, **options):
    """Take a tenth of a second for each point."""
    time.sleep(0.1 * len(seeds))
    return cheap(network, values, seeds=seeds, **options)
