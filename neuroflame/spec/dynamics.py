"""Options of the measures that need the network's equations: Lyapunov exponents, eigenvalues, fixed points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, quantity
from neuroflame.spec.parts import ODD_TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

_NEWTON = 8  # steps until Newton's method has found a fixed point
_LINEAR = 100  # steps of the network that one Newton step takes: 40 products, each worth two, and the search
SPECTRUM_POWERS = (1, 8, 64)
"""Steps of the network between the vectors of the subspace in which eigenvalues are sought, at each attempt."""
SPECTRUM_WIDER = 4
"""How much larger the subspace of the last attempt is."""
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
    longest: Real | None = quantity(
        "Time up to which a point goes on, twice as long each time, until it is precise; by default `duration` where "
        "that is given, else 200 times the slowest time constant.",
        default=None,
        unit="s",
        gt=0,
    )
    precision: Real = quantity(
        "Standard error of the largest exponent at which a point stops, over the exponent or over 1/T, T the time "
        "counted, whichever is larger.",
        default=0.03,
        ge=0,
    )
    blocks: Whole = quantity("Stretches of it whose spread gives the standard error.", default=10, ge=2)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.longest is not None and self.duration is not None and self.longest < self.duration:
            raise SpecError(
                f"must be at least the duration, {self.duration:g} s", got=self.longest, path="longest"
            )
        return self

    def times(self, network: NetworkSpec) -> tuple[float, float, float]:
        """Return transient, duration and longest duration for a network, seconds."""
        slowest = max(network.slowest(), network.dt)
        before = 20.0 * slowest if self.transient is None else self.transient
        if self.duration is not None:
            return before, self.duration, self.duration if self.longest is None else self.longest
        most = 200.0 * slowest if self.longest is None else self.longest
        return before, min(50.0 * slowest, most), most

    def steps(self, network: NetworkSpec) -> tuple[float, float]:
        """Return how many steps a point takes at least and at most, those of its directions included."""
        before, duration, longest = self.times(network)
        doublings = math.floor(math.log2(longest / duration) + 1e-9)
        each = 2.0 * self.k / network.dt
        return each * (before + duration), each * (before + duration * 2.0**doublings)


class SpectrumOptions(Spec):
    """Leading eigenvalues of the step's Jacobian at the fixed point that Newton's method finds from the end."""

    k: Whole = quantity("Number of eigenvalues, largest modulus first.", default=6, ge=1)
    basis: Whole = quantity(
        "Dimension of the subspace in which they are sought; four times that at last, where they have not converged.",
        default=60,
        ge=2,
    )

    def steps(self) -> tuple[float, float]:
        """Return how many steps a row takes where the second attempt succeeds, and where none before the last does."""
        each = [power + (power > 1) for power in SPECTRUM_POWERS]  # and the image of each vector
        most = sum(each) + SPECTRUM_WIDER * each[-1]
        return 2.0 * self.basis * sum(each[:2]), 2.0 * self.basis * most


class FixedPointOptions(Spec):
    """Fixed points that Newton's method finds from many starts, the end of the run among them."""

    levels: tuple[Real, ...] = quantity(
        "Homogeneous rates to start from; in fiftieths of the maximum where the transfer function saturates, and of "
        "both signs where rates can be negative.",
        default=(0.001, 1.0, 10.0, 50.0),
        unit="Hz",
    )
    random: Whole = quantity("Number of random starts, drawn from the point's seed.", default=8, ge=0)
    tolerance: Real = quantity("Largest |dx/dt| τ/(1 + |x|) of a fixed point.", default=1e-9, gt=0)

    def starts(self, network: NetworkSpec) -> int:
        """Return how many homogeneous and random starts a point has: twice as many where rates have both signs."""
        signs = 2 if any(network.transfer_of(name) in ODD_TRANSFERS for name in network.populations) else 1
        return signs * (len(self.levels) + self.random)


class DiffusionOptions(Spec):
    """Diffusion of bumps, by trials that go on from the end of the run with noise of their own."""

    trials: Whole = quantity("Number of trials of a point.", default=128, ge=4)
    duration: Real | None = quantity(
        "Length of a trial; by default ten times the slowest time constant, at least 2 s.",
        default=None,
        unit="s",
        gt=0,
    )

    lags: tuple[Real, Real] = quantity(
        "Shares of a trial's length: lags between which the variance of the phase counts as a straight line's.",
        default=(0.1, 0.3),
    )
    ratio: Real = quantity(
        "m1/m0, of the mean over trials and time, below which there is no bump whose phase could diffuse.",
        default=0.1,
        ge=0,
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if not 0 < self.lags[0] < self.lags[1] <= 0.5:
            raise SpecError(
                "must be two shares that ascend, above 0 and at most 0.5", got=list(self.lags), path="lags"
            )
        return self

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

        That of `lyapunov` is the most that a point can take, that of `spectrum` what most take (see
        `SpectrumOptions.steps`); those of `diffusion` are of the executor that runs the
        network. A direction carried through a step costs as much as the step; orthonormalisation is not counted.
        """
        eigenvalues = self.spectrum.steps()[0]
        root = float(_NEWTON * _LINEAR)
        starts = self.fixed_points.starts(network) + 1 + _BETWEEN
        costs = {
            "lyapunov": self.lyapunov.steps(network)[1],
            "spectrum": root + eigenvalues,
            "fixed_points": starts * root + eigenvalues,
            "diffusion": self.diffusion.trials * self.diffusion.time(network) / network.dt,
        }
        return {name: costs[name] for name in measure if name in costs}

    def vectors(self, network: NetworkSpec, measure: Iterable[str]) -> int:
        """Return how many numbers of a neuron a point holds at once for these measures, at most."""
        starts = self.fixed_points.starts(network)
        held = {
            "lyapunov": 4 * self.lyapunov.k,
            "spectrum": 2 * self.spectrum.basis,
            "fixed_points": starts * self.spectrum.basis,
            "diffusion": self.diffusion.trials,
        }
        return _VARIABLES * max((held[name] for name in measure if name in held), default=0)
