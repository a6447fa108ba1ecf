"""Largest Lyapunov exponents of random tanh networks against their size, by a program of its own.

    python -m benchmarks.finite_size --device cuda --sizes 1000 4000 16000 --gains 2 3

Nothing of the simulator or of the theory is used: x = g J r, r ← e r + (1 − e) tanh x, J of independent normal entries
of variance 1/N, tangents by the map's own derivative, several draws of J and several starts of each. What it found is
in docs/decisions.md.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch


def exponents(
    size: int,
    gain: float,
    dt: float,
    *,
    seed: int,
    starts: int,
    transient: float,
    duration: float,
    device: str,
    diagonal: bool = True,
) -> np.ndarray:
    """Return the largest exponent along each trajectory of one draw, in 1/τ, (starts,).

    Parameters
    ----------
    size : int
        N.
    gain : float
        g.
    dt : float
        Step, in τ.
    transient, duration : float
        Time before growth counts, and over which it does, in τ.
    diagonal : bool
        Whether neurons hear themselves.
    """
    drawn = torch.Generator(device).manual_seed(seed)
    matrix = torch.randn(size, size, generator=drawn, device=device) * (gain / size**0.5)
    if not diagonal:
        matrix.fill_diagonal_(0.0)
    both = torch.randn(size, 2 * starts, generator=drawn, device=device)
    kept, growth = float(np.exp(-dt)), torch.zeros(starts, dtype=torch.float64, device=device)
    before, counted = round(transient / dt), round(duration / dt)
    for step in range(before + counted):
        received = matrix @ both
        rates = torch.tanh(received[:, :starts])
        target = torch.cat([rates, (1.0 - rates * rates) * received[:, starts:]], dim=1)
        both = target + (both - target) * kept
        length = both[:, starts:].norm(dim=0)
        both[:, starts:] /= length
        if step >= before:
            growth += torch.log(length.double())
    found: np.ndarray = (growth / (counted * dt)).cpu().numpy()
    return found


def main() -> None:
    """Print a line for each size and gain: mean over draws and its standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--gains", type=float, nargs="+", default=[2.0, 3.0])
    parser.add_argument("--dt", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--starts", type=int, default=8)
    parser.add_argument("--transient", type=float, default=100.0)
    parser.add_argument("--duration", type=float, default=200.0)
    parser.add_argument("--no-diagonal", action="store_true")
    given = parser.parse_args()
    for gain in given.gains:
        for size in given.sizes:
            draws = [
                exponents(
                    size,
                    gain,
                    given.dt,
                    seed=seed,
                    starts=given.starts,
                    transient=given.transient,
                    duration=given.duration,
                    device=given.device,
                    diagonal=not given.no_diagonal,
                ).mean()
                for seed in range(given.draws)
            ]
            error = np.std(draws, ddof=1) / len(draws) ** 0.5
            print(
                f"g {gain:g}  N {size}  dt {given.dt:g}  {np.mean(draws):.5f} ± {error:.5f} / τ", flush=True
            )


if __name__ == "__main__":
    main()
