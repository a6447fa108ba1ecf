"""Options of the measures that need the network's equations: Lyapunov exponents, eigenvalues, fixed points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.spec.base import Real, Spec, Whole, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

_NEWTON = 8  # steps until Newton's method has found a fixed point
_LINEAR = 100  # steps of the network that one Newton step takes: 40 products, each worth two, and the search
_AGAIN = 8  # a subspace that must be sought again has 8 steps between its vectors
_BETWEEN = 6  # starts between the fixed points found
_VARIABLES = 4  # state variables of a neuron


class LyapunovOptions(Spec):
    """Lyapunov exponents from tangent vectors along the trajectory that goes on from the end of the run."""

    k: Whole = quantity("Number of exponents, largest first.", default=1, ge=1)
    transient: Real | None = quantity(
        "Time before growth counts; by default 20 times the slowest time constant.",
        default=None,
        unit="s",
        ge=0,
    )
    duration: Real | None = quantity(
        "Time over which growth is averaged; by default 50 times the slowest time constant.",
        default=None,
        unit="s",
        gt=0,
    )
    blocks: Whole = quantity("Stretches of it whose spread gives the standard error.", default=10, ge=2)

    def times(self, network: NetworkSpec) -> tuple[float, float]:
        """Return transient and duration for a network, seconds."""
        slowest = max(network.slowest(), network.dt)
        before = 20.0 * slowest if self.transient is None else self.transient
        return before, 50.0 * slowest if self.duration is None else self.duration


class SpectrumOptions(Spec):
    """Leading eigenvalues of the step's Jacobian at the fixed point that Newton's method finds from the end."""

    k: Whole = quantity("Number of eigenvalues, largest modulus first.", default=6, ge=1)
    basis: Whole = quantity("Dimension of the subspace in which they are sought.", default=60, ge=2)


class FixedPointOptions(Spec):
    """Fixed points that Newton's method finds from many starts, the end of the run among them."""

    levels: tuple[Real, ...] = quantity(
        "Homogeneous rates to start from; in fiftieths of the maximum where the transfer function saturates.",
        default=(0.001, 1.0, 10.0, 50.0),
        unit="Hz",
    )
    random: Whole = quantity("Number of random starts, drawn from the point's seed.", default=8, ge=0)
    tolerance: Real = quantity("Largest |dx/dt| τ/(1 + |x|) of a fixed point.", default=1e-9, gt=0)


class DiffusionOptions(Spec):
    """Diffusion of bumps, by trials that go on from the end of the run with noise of their own."""

    trials: Whole = quantity("Number of trials of a point.", default=128, ge=4)
    duration: Real | None = quantity(
        "Length of a trial; by default ten times the slowest time constant, at least 2 s.",
        default=None,
        unit="s",
        gt=0,
    )

    def time(self, network: NetworkSpec) -> float:
        """Return the length of a trial of a network, seconds."""
        return max(10.0 * network.slowest(), 2.0) if self.duration is None else self.duration


class DynamicsOptions(Spec):
    """How the measures `lyapunov`, `spectrum`, `fixed_points` and `diffusion` are taken."""

    lyapunov: LyapunovOptions = quantity("Of the measure `lyapunov`.", default=LyapunovOptions())
    spectrum: SpectrumOptions = quantity("Of the measure `spectrum`.", default=SpectrumOptions())
    fixed_points: FixedPointOptions = quantity("Of the measure `fixed_points`.", default=FixedPointOptions())
    diffusion: DiffusionOptions = quantity("Of the measure `diffusion`.", default=DiffusionOptions())

    def extra_steps(self, network: NetworkSpec, measure: Iterable[str]) -> dict[str, float]:
        """Return what each measure costs a point, in steps of the reference executor, as a rough estimate.

        Those of `diffusion` are of the executor that runs the network. A direction carried through a step costs as
        much as the step; orthonormalisation is not counted.
        """
        eigenvalues = 2.0 * self.spectrum.basis * (1 + _AGAIN)
        root = float(_NEWTON * _LINEAR)
        starts = len(self.fixed_points.levels) + self.fixed_points.random + 1 + _BETWEEN
        costs = {
            "lyapunov": 2.0 * self.lyapunov.k * sum(self.lyapunov.times(network)) / network.dt,
            "spectrum": root + eigenvalues,
            "fixed_points": starts * root + eigenvalues,
            "diffusion": self.diffusion.trials * self.diffusion.time(network) / network.dt,
        }
        return {name: costs[name] for name in measure if name in costs}

    def vectors(self, measure: Iterable[str]) -> int:
        """Return how many numbers of a neuron a point holds at once for these measures, at most."""
        starts = len(self.fixed_points.levels) + self.fixed_points.random
        held = {
            "lyapunov": 4 * self.lyapunov.k,
            "spectrum": 2 * self.spectrum.basis,
            "fixed_points": starts * self.spectrum.basis,
            "diffusion": self.diffusion.trials,
        }
        return _VARIABLES * max((held[name] for name in measure if name in held), default=0)
