"""Hebbian plasticity of a pair: one model for each rule, with the fields that apply to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, quantity

if TYPE_CHECKING:
    from neuroflame.spec.network import NetworkSpec

NUMBERS_PER_CONNECTION = 20
"""Numbers held in memory for each connection that learns: 9 to 14 were measured, and up to 21 of float32 where
weights start from profiles that differ between points, in float64."""


class _Rule(Spec):
    onset: Real = quantity("Time from which weights change.", default=0.0, unit="s", ge=0)
    decay: Real = quantity("Rate at which weights decay to 0.", default=0.0, unit="1/s", ge=0)
    w_max: Real | None = quantity(
        "Magnitude at which weights saturate, in units of J; by default they do not.", default=None, gt=0
    )


class Hebb(_Rule):
    """Weights grow as eta · r_post · r_pre (Hebb 1949)."""

    rule: Literal["hebb"] = quantity("The rule's name.", structural=True)
    eta: Real = quantity("Learning rate; negative: anti-Hebbian.", unit="1/(s·Hz²)")


class Covariance(_Rule):
    """Weights grow as eta · (r_post − ⟨r_post⟩)(r_pre − ⟨r_pre⟩), with running means (Sejnowski 1977)."""

    rule: Literal["cov"] = quantity("The rule's name.", structural=True)
    eta: Real = quantity("Learning rate; negative: anti-Hebbian.", unit="1/(s·Hz²)")
    tau: Real = quantity("Time constant of the running means.", unit="s", gt=0)


class BCM(_Rule):
    """Weights grow as eta · r_post (r_post − θ) r_pre, with θ a running mean of r_post²/target.

    Bienenstock, Cooper & Munro 1982.
    """

    rule: Literal["bcm"] = quantity("The rule's name.", structural=True)
    eta: Real = quantity("Learning rate.", unit="1/(s·Hz³)")
    tau: Real = quantity("Time constant of the sliding threshold.", unit="s", gt=0)
    target: Real = quantity(
        "Constant rate at which the threshold equals the rate.", default=1.0, unit="Hz", gt=0
    )


class Correlation(_Rule):
    """Weights grow as eta · ρ, ρ the running coefficient of correlation of r_post and r_pre, in [−1, 1]."""

    rule: Literal["corr"] = quantity("The rule's name.", structural=True)
    eta: Real = quantity("Learning rate; negative: anti-Hebbian.", unit="1/s")
    tau: Real = quantity("Time constant of the running means, variances and covariances.", unit="s", gt=0)
    sd_min: Real = quantity(
        "Standard deviation below which a rate's variation counts as none.", default=0.01, unit="Hz", gt=0
    )


HebbianRule = Annotated[Hebb | Covariance | BCM | Correlation, Discriminator("rule")]


def check_hebbian(spec: NetworkSpec) -> None:
    """Raise `SpecError` where a rule would never act, or weights begin with the wrong sign."""
    for pair in spec.pairs:
        rule = spec.hebbian.get(pair.name)
        if rule is None:
            continue
        if rule.onset >= spec.duration:
            raise SpecError(
                f"must be before the end of the run at {spec.duration:g} s",
                got=rule.onset,
                path=f"hebbian.{pair.name}.onset",
            )
        if pair.kind == "all_to_all" and pair.profile.kind == "gaussian":
            raise SpecError(
                "keeps the sign of J, and Gaussian weights have both signs",
                path=f"hebbian.{pair.name}",
                remedy="leave it out",
            )
        for population in (pair.post, pair.pre):
            if spec.populations[population].spiking is not None:
                raise SpecError(
                    f"learns by rates, and {population} spikes",
                    path=f"hebbian.{pair.name}",
                    remedy="leave it out",
                )
        kappa = getattr(pair.profile, "kappa", 0.0)
        kappa = kappa[pair.name] if isinstance(kappa, dict) else kappa
        if pair.kind == "all_to_all" and pair.profile.kind in {"cosine", "cosine_weak"} and abs(kappa) > 1:
            raise SpecError(
                "keeps the sign of J, so kappa must be between -1 and 1",
                got=kappa,
                path=f"hebbian.{pair.name}",
            )


def learning_connections(spec: NetworkSpec) -> int:
    """Return the expected number of connections whose weights learn; of blocks that are given, the most."""
    found = 0.0
    for pair in spec.pairs:
        if pair.name in spec.hebbian:
            drawn = pair.K if pair.kind == "sparse" else None
            inputs = spec.populations[pair.pre].size if drawn is None else drawn
            found += spec.populations[pair.post].size * inputs
    return round(found)


def learning_bytes(spec: NetworkSpec, width: int) -> int:
    """Return the memory that learning weights take at each point, for numbers of so many bytes."""
    return learning_connections(spec) * NUMBERS_PER_CONNECTION * width
