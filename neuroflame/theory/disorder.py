"""Networks of one population with random connectivity alone: whether rest is stable, and what takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from neuroflame.spec.connectivity import LowRank
from neuroflame.spec.network import NetworkSpec
from neuroflame.theory import transfer
from neuroflame.theory.chaos import NODES, WEIGHTS, chaos
from neuroflame.theory.homogeneous import slopes
from neuroflame.theory.meanfield import NotCovered, mean_field
from neuroflame.theory.random import disc_growth, growth_of_eigenvalue, outliers

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.spec.network import Pair
    from neuroflame.theory.meanfield import MeanField

Array = np.ndarray[Any, Any]
Cells = dict[str, Any]

LIMIT = "in the limit of many neurons"


def predict_disorder(spec: NetworkSpec, number: Callable[[str], float]) -> tuple[Cells, list[str]]:
    """Return the predicted cells of a network with Gaussian or low-rank connectivity, and what is to be said of them.

    Rest, where all rates are 0, is stable while no eigenvalue of the connectivity makes the step grow. Independent
    weights: a disc of radius g, J times the slope at rest, beyond which there is chaos (`chaos`). Low rank: a few
    outliers; one that is real gives way to two states along ±m, of the strength κ = J κ_0 ⟨n φ(κ m)⟩, which for normal
    vectors is ⟨φ'⟩ = 1/λ at the input's variance κ² σ_m² (Mastrogiuseppe & Ostojic 2018, Neuron 99:609), one of a
    complex pair to an oscillation.

    Raises
    ------
    NotCovered
        If it has several populations, input, a threshold, or a transfer function that is not odd.
    """
    pair, field = _single(spec, number)
    rest = np.zeros(1)
    gain, coupling = float(slopes(field, rest)[0]), number(f"J.{pair.name}")
    notes = [LIMIT]
    if pair.profile.kind == "gaussian":
        radius = abs(coupling)
        growth = disc_growth(field, rest, radius)
        cells: Cells = {"theory.random.radius": radius * gain, "theory.random.alpha": growth.alpha}
        regime = "chaotic" if growth.alpha > 0 else "quiescent"
        if field.transfer[0] != "tanh":
            notes.append("amplitude and exponent of chaos are known for tanh alone")
        else:
            found = chaos(radius * gain)
            cells["theory.random.variance"] = found.rate_variance * float(field.scale[0]) ** 2
            if field.decay_syn[0] == 0.0 and field.slow_ratio is None and np.isnan(field.decay_adapt[0]):
                cells["theory.random.exponent"] = found.exponent / float(field.tau[0])
    else:
        eigenvalues = coupling * _outliers(spec, pair, number)
        growths = [growth_of_eigenvalue(field, rest, complex(z)) for z in eigenvalues]
        first = int(np.argmax([one.alpha for one in growths]))
        cells = {
            "theory.random.outlier": float(np.real(eigenvalues[first])) * gain,
            "theory.random.alpha": growths[first].alpha,
        }
        rising = growths[first].alpha > 0
        regime = (
            "quiescent" if not rising else "oscillating" if growths[first].frequency > 0 else "multistable"
        )
        assert isinstance(pair.profile, LowRank)
        if pair.profile.rank == 1:
            strength, variance = _along(field, pair, float(np.real(eigenvalues[first])) if rising else 0.0)
            cells |= {"theory.random.kappa": strength, "theory.random.variance": variance}
    return {**cells, "theory.regime": regime}, notes


def _single(spec: NetworkSpec, number: Callable[[str], float]) -> tuple[Pair, MeanField]:
    """Return the one pair, and the mean field of the network as if its connectivity were uniform."""
    if len(spec.pairs) != 1 or len(spec.populations) != 1:
        raise NotCovered("random connectivity is predicted for one population that is connected to itself")
    pair = spec.pairs[0]
    if pair.kind != "all_to_all" or pair.profile.kind not in ("gaussian", "low_rank"):
        raise NotCovered(f"connectivity of {pair.name} is not Gaussian or of low rank, all to all")
    if spec.stp:
        raise NotCovered("short-term plasticity of random connectivity is not part of the theory")
    plain = {"kind": "all_to_all", "profile": {"kind": "uniform"}}
    field = mean_field(NetworkSpec.parse({**spec.to_dict(), "connectivity": plain}), number)
    if field.transfer[0] not in transfer.ODD_TRANSFERS:
        raise NotCovered(f"the transfer function {field.transfer[0]} is not odd: rates are not 0 at rest")
    if field.drive[0] != 0 or field.rest[0] != 0:
        raise NotCovered("an input or a threshold: rates are not 0 at rest")
    return pair, field


def _outliers(spec: NetworkSpec, pair: Pair, number: Callable[[str], float]) -> Array:
    profile = pair.profile
    assert isinstance(profile, LowRank)
    if any(profile.means):
        raise NotCovered("vectors with a mean: rates need not be 0 on average")
    means, covariance = np.array(profile.means), np.array(profile.covariances)
    if profile.symmetric:
        means, covariance = np.tile(means, 2), np.tile(covariance, (2, 2))
    own = spec.connectivity.pairs.get(pair.name)
    where = f"connectivity.pairs.{pair.name}.profile" if own and own.profile else "connectivity.profile"
    by_name = isinstance(profile.kappa, dict)
    kappa = number(f"{where}.kappa.{pair.name}" if by_name else f"{where}.kappa")
    background = number(f"{where}.background")
    if background:
        raise NotCovered("a background beside low rank: use background: 0")
    return outliers(means, covariance, kappa)


def _along(field: MeanField, pair: Pair, eigenvalue: float) -> tuple[float, float]:
    """Return the strength κ > 0 of the state along m, and the variance of its rates; 0 where rest is stable."""
    if eigenvalue == 0.0:
        return 0.0, 0.0
    name, scale, steep = field.transfer[0], float(field.scale[0]), float(field.gain[0])
    assert isinstance(pair.profile, LowRank)
    spread = float(np.sqrt(pair.profile.covariances[0][0]))

    def excess(strength: float) -> float:
        slope = transfer.slope(name, steep * strength * spread * NODES)
        return eigenvalue * scale * steep * float(WEIGHTS @ slope) - 1.0

    strength = float(brentq(excess, 0.0, 10.0 * eigenvalue * scale / spread))
    rates = scale * transfer.value(name, steep * strength * spread * NODES)
    return strength, float(WEIGHTS @ (rates * rates))
