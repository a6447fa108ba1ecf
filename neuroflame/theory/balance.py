"""Balanced networks: rates to leading order in √K, where excitation and inhibition cancel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.theory.homogeneous import SAME, piecewise_states
from neuroflame.theory.meanfield import NotCovered

if TYPE_CHECKING:
    from neuroflame.theory.meanfield import MeanField

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Balance:
    """Solutions of the balance equations with all populations active.

    Parameters
    ----------
    rates : ndarray, (S, n), Hz
        Ascending in the mean over populations; none where there is no solution with positive rates.
    """

    rates: Array


def balance(field: MeanField) -> Balance:
    """Return the rates at which input of order √K cancels in every population.

    0 = I_A + Σ_B J_AB √K_AB s_AB(r_B), van Vreeswijk & Sompolinsky 1996, 1998; with short-term plasticity
    s = u* x* r (Mongillo, Hansel & van Vreeswijk 2012), otherwise s = r and the equations are linear. Thresholds,
    adaptation and the transfer function do not matter to leading order. Two populations, linear: both rates are
    positive and the state can be stable where J_E0/J_I0 > J_EI/J_II > J_EE/J_IE.

    Raises
    ------
    NotCovered
        If a pair is not sparse, a transfer function saturates, or plastic pairs have several presynaptic populations.
    """
    if field.root_k is None or not field.pairs:
        raise NotCovered("balance needs sparse connectivity of every pair")
    for name in field.transfer:
        if name not in ("relu", "brunel"):
            raise NotCovered(f"balance needs a transfer function without bound, {name} has one")
    if len({pair.pre for pair in field.pairs if pair.plastic is not None}) > 1:
        raise NotCovered("balance needs plastic pairs to have one presynaptic population")
    count = len(field.names)
    kept: list[Array] = []
    for rates in piecewise_states(field, np.zeros(count), field.drive):
        if (rates > 0.0).all() and all(np.abs(rates - one).max() > SAME for one in kept):
            kept.append(rates)
    kept.sort(key=lambda r: float(r.mean()))
    return Balance(np.array(kept).reshape(-1, count))


def scaled(field: MeanField, factor: float) -> MeanField:
    """Return the network with all in-degrees times ``factor``: recurrent and external input times its root."""
    root = float(np.sqrt(factor))
    pairs = tuple(replace(pair, modes=pair.modes * root) for pair in field.pairs)
    grown = None if field.root_k is None else field.root_k * root
    return replace(field, pairs=pairs, drive=field.drive * root, root_k=grown)
