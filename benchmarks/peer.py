"""The original, kiriclope/NeuroFlame at commit 4575eac, run in this process from a checkout of the user's."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np

CONFIGURATIONS = {"ring": "config_ringEI.yml", "balanced ring": "config_bal_ring.yml"}
STEPS = {"cpu": 30, "cuda": 500}


def seconds_per_step(path: str, sweep: str, points: dict[str, np.ndarray], device: str) -> float:
    """Return the time of a step of the original's batched network, in the way its notebooks sweep.

    Two runs of different length, so that what does not grow with the steps drops out.
    """
    root = str(Path(path).resolve())
    here = Path.cwd()
    sys.path.insert(0, root)
    os.chdir(root)
    try:
        return _time(root, sweep, points, device)
    finally:
        os.chdir(here)
        sys.path.remove(root)


def _time(root: str, sweep: str, points: dict[str, np.ndarray], device: str) -> float:
    from src.network import Network  # type: ignore[import-not-found]

    count = len(points["J.EE"])

    def run(steps: int) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            model = Network(
                CONFIGURATIONS[sweep],
                root + "/",
                DEVICE=device,
                VERBOSE=0,
                LIVE_FF_UPDATE=1,
                IF_STP=1,
                DT=0.001,
                DURATION=steps * 0.001,
                T_STEADY=0.0,
                T_WINDOW=0.005,
                IF_NMDA=1 if sweep == "ring" else 0,
                VAR_FF=[0.0, 0.0],
                T_STIM_ON=[90.0, 95.0],
                T_STIM_OFF=[91.0, 96.0],
            )
            model.N_BATCH = count
            ja0 = model.Ja0.repeat((count, 1, 1))
            ja0[:, 0] = (
                torch.as_tensor(points["J0.E"], dtype=torch.float32, device=device)[:, None] * model.M0
            )
            model.Ja0 = ja0
            model.J_STP = torch.as_tensor(points["J.EE"], dtype=torch.float32, device=device)[:, None]
            with torch.no_grad():
                _wait(device)
                begin = time.perf_counter()
                model(REC_LAST_ONLY=1)
                _wait(device)
                return time.perf_counter() - begin

    steps = STEPS[device]
    run(5)
    long, short = min(run(3 * steps) for _ in range(2)), min(run(steps) for _ in range(2))
    return (long - short) / (2 * steps)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
