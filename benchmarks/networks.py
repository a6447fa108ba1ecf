"""The networks and points that are timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroflame.spec import NetworkSpec, load_network

CONF = Path(__file__).resolve().parents[1] / "conf"


@dataclass(frozen=True)
class Sweep:
    """Points of one network.

    Attributes
    ----------
    spec : NetworkSpec
    values : mapping of ndarray, (P,)
    """

    spec: NetworkSpec
    values: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        """Number of points."""
        return len(self.values["J.EE"])

    def cut(self, steps: int) -> Sweep:
        """Return it with so many steps, and without stimuli, which may lie beyond."""
        return self.changed(duration=steps * self.spec.dt, stimuli=[])

    def changed(self, **values: Any) -> Sweep:
        """Return it with other values of the network: ``populations__E__size`` is ``populations.E.size``."""
        paths = {path.replace("__", "."): value for path, value in values.items()}
        return replace(self, spec=self.spec.with_values(paths))

    def some(self, count: int) -> Sweep:
        """Return it with so many points, evenly taken."""
        index = np.linspace(0, self.count - 1, count).astype(int)
        return replace(self, values={path: value[index] for path, value in self.values.items()})

    def toy(self) -> Sweep:
        """Return a few points of a small network for a few steps."""
        degree = {} if self.spec.connectivity.K is None else {"connectivity__K": 5}
        small = self.changed(populations__E__size=40, populations__I__size=20, **degree)
        return small.some(min(self.count, 4)).cut(40)


def ring(side: int = 20) -> Sweep:
    """Return the ring of the original's notebook, 20 × 20 points."""
    axes = np.linspace(5, 15, side), np.linspace(0, 10, side)
    return _grid("ring_EI.yml", 13.5, *axes)


def balanced_ring() -> Sweep:
    """Return the balanced ring of the original's notebook, 20 × 10 points."""
    return _grid("balanced_ring.yml", 11.5, np.linspace(5, 10, 20), np.linspace(0, 4, 10))


def sparse(excitatory: int, inhibitory: int, degree: int, points: int) -> Sweep:
    """Return a balanced ring of another size, without stimuli, at points drawn where it is active."""
    rng = np.random.default_rng(0)
    values = {"J.EE": rng.uniform(5, 10, points), "J0.E": rng.uniform(1, 4, points)}
    sizes = {"populations__E__size": excitatory, "populations__I__size": inhibitory}
    return Sweep(load_network(CONF / "balanced_ring.yml"), values).changed(
        **sizes, connectivity__K=degree, stimuli=[]
    )


def spiking(points: int = 64) -> Sweep:
    """Return leaky integrate-and-fire neurons in the balanced state, with drives up to a fifth above the file's."""
    spec = load_network(CONF / "lif_balanced.yml")
    values = {"J.EE": np.full(points, 0.01), "J0.E": np.linspace(0.5, 0.6, points)}
    return Sweep(spec, values)


def _grid(file: str, duration: float, excitation: np.ndarray, drive: np.ndarray) -> Sweep:
    grid = np.meshgrid(excitation, drive, indexing="ij")
    spec = load_network(CONF / file, {"duration": duration})
    return Sweep(spec, {"J.EE": grid[0].ravel(), "J0.E": grid[1].ravel()})
