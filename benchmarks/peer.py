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

from benchmarks.record import synchronize
from benchmarks.row import Row

if TYPE_CHECKING:
    from benchmarks.networks import Sweep
    from benchmarks.row import Options

STEPS = {"cpu": 30, "cuda": 500}


def beside(
    options: Options, sweep: Sweep, seconds_a_step: float, target: float, steps: int | None = None
) -> tuple[Row, dict[str, float]]:
    """Return how many times faster than the original a step is, and the original's time.

    Parameters
    ----------
    seconds_a_step : float
        Ours, on the same points.
    steps : int, optional
        Steps of the original's shorter run.
    """
    name, unit = "speed beside the original", "×"
    if options.peer is None:
        return Row(name, None, unit, target, at_least=True, reason="not run: needs --peer"), {}
    theirs = seconds_per_step(options.peer, sweep, options.device, steps or STEPS[options.device])
    row = Row(name, theirs / seconds_a_step, unit, target, at_least=True)
    return row, {"original_microseconds_a_step": 1e6 * theirs}


def seconds_per_step(path: str, sweep: Sweep, device: str, steps: int) -> float:
    """Return the time of a step of the original's batched network, in the way its notebooks sweep.

    Two runs of different length, so that what does not grow with the steps drops out.
    """
    root = str(Path(path).resolve())
    here = Path.cwd()
    sys.path.insert(0, root)
    os.chdir(root)
    try:
        _run(root, sweep, device, 5)
        long, short = (min(_run(root, sweep, device, n) for _ in range(2)) for n in (3 * steps, steps))
    finally:
        os.chdir(here)
        sys.path.remove(root)
        if device == "cuda":
            torch.cuda.empty_cache()
    return (long - short) / (2 * steps)


def _run(root: str, sweep: Sweep, device: str, steps: int) -> float:
    from src.network import Network  # type: ignore[import-not-found]

    spec, count = sweep.spec, sweep.count
    sizes = [population.size for population in spec.populations.values()]
    dense = spec.connectivity.K is None
    changes = {} if dense else {"K": float(spec.connectivity.K)}
    with contextlib.redirect_stdout(io.StringIO()):
        model = Network(
            "config_ringEI.yml" if dense else "config_bal_ring.yml",
            root + "/",
            DEVICE=device,
            VERBOSE=0,
            LIVE_FF_UPDATE=1,
            IF_STP=1,
            DT=spec.dt,
            DURATION=steps * spec.dt,
            T_STEADY=0.0,
            T_WINDOW=0.005,
            IF_NMDA=1 if dense else 0,
            VAR_FF=[0.0, 0.0],
            T_STIM_ON=[90.0, 95.0],
            T_STIM_OFF=[91.0, 96.0],
            N_NEURON=sum(sizes),
            frac=[size / sum(sizes) for size in sizes],
            **changes,
        )
        model.N_BATCH = count
        ja0 = model.Ja0.repeat((count, 1, 1))
        ja0[:, 0] = (
            torch.as_tensor(sweep.values["J0.E"], dtype=torch.float32, device=device)[:, None] * model.M0
        )
        model.Ja0 = ja0
        model.J_STP = torch.as_tensor(sweep.values["J.EE"], dtype=torch.float32, device=device)[:, None]
        with torch.no_grad():
            synchronize(device)
            begin = time.perf_counter()
            model(REC_LAST_ONLY=1)
            synchronize(device)
            return time.perf_counter() - begin
