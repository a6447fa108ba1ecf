"""States that theory predicts, as the flat states of a simulated network."""

import numpy as np
import torch

from neuroflame.core.dynamics import StepMap
from neuroflame.spec import NetworkSpec
from neuroflame.theory import mean_field, number_at
from tests.physics.helpers import ensemble_of


def field_of(base, values=None):
    """Return the mean field of a mapping or a specification."""
    spec = base if isinstance(base, NetworkSpec) else NetworkSpec.parse(base)
    return mean_field(spec, number_at(spec, values or {}))


def waves(count):
    """Return cos k(θ_i − θ_j), (M + 1, N, N), and sin of the same."""
    theta = 2 * np.pi * np.arange(count) / count
    return theta[:, None] - theta


def simulated_state(base, rates):
    """Return the step of a network as a map, and the flat state that goes with steady rates (n, N).

    Everything but the rates follows from the steady-state formulas, written out here once more.
    """
    field = field_of(base)
    spec = base if isinstance(base, NetworkSpec) else NetworkSpec.parse(base)
    step_map = StepMap(ensemble_of(spec.to_dict()).quiet(), at=spec.steps)
    count = rates.shape[1]
    turn = waves(count)
    currents, slow = np.zeros_like(rates), np.zeros_like(rates)
    stp = {}
    for pair in field.pairs:
        sent = rates[pair.pre]
        if pair.plastic is not None:
            stp[pair.name] = dict(zip("ux", pair.plastic.steady(sent), strict=True))
            sent = sent * stp[pair.name]["u"] * stp[pair.name]["x"]
        kernel = sum(
            ((1 if k == 0 else 2) * w * np.exp(1j * k * turn)).real for k, w in enumerate(pair.modes)
        )
        arrives = kernel @ sent / count
        currents[pair.post] += arrives
        if pair.slow:
            slow[pair.post] += field.slow_ratio[pair.post] * arrives
    index = {name: a for a, name in enumerate(field.names)}
    parts = []
    for name in step_map.sizes:
        group, _, owner = name.partition(".")
        if group == "stp":
            pair, _, which = owner.partition(".")
            parts.append(stp[pair][which])
        else:
            a = index[owner]
            thresholds = field.rest[a] + field.strength[a] * rates[a]
            parts.append(
                {"rates": rates[a], "currents": currents[a], "slow": slow[a], "thresholds": thresholds}[group]
            )
    flat = torch.as_tensor(np.concatenate(parts))[None]
    return step_map, flat
