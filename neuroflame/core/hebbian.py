"""Pairs whose weights learn: their coefficients, how they start, and their step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.edges import Edges, edges_of
from neuroflame.core.memory import free_bytes_on
from neuroflame.core.torch_physics import physics
from neuroflame.errors import SimulationError
from neuroflame.spec.hebbian import NUMBERS_PER_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neuroflame.core.connectivity import Operator
    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.network import Pair

Weights = dict[str, Tensor]
Averages = dict[str, Tensor]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class HebbianProgram:
    """Coefficients of one pair's rule; every Tensor is (P, 1) or (1, 1).

    Attributes
    ----------
    edges : Edges
        The connections that have weights.
    coupling, sign : Tensor
        J, and its sign, which no weight loses.
    gain, keep, ceiling : Tensor
        As in `neuroflame.physics.hebbian.weight_step`.
    start : Tensor, int64
        First step in which weights change.
    first, last : int
        The least and the greatest of them.
    decay : Tensor
        exp(−dt/τ) of the running means, 0 for hebb.
    scale : Tensor
        The rate ``target`` of bcm, the deviation ``sd_min`` of corr, 1 for the others.
    """

    pair: str
    post: str
    pre: str
    rule: str
    edges: Edges
    coupling: Tensor
    sign: Tensor
    gain: Tensor
    keep: Tensor
    ceiling: Tensor
    start: Tensor
    first: int
    last: int
    decay: Tensor
    scale: Tensor


def hebbian_program(
    spec: NetworkSpec,
    pair: Pair,
    operator: Operator,
    number: Callable[[str], Tensor],
    column: Callable[[Tensor], Tensor],
) -> HebbianProgram:
    """Return the coefficients of a pair's rule.

    Parameters
    ----------
    operator : Operator
        Bound to the points' numbers.
    number : callable
        From dotted path to its value at each point, float64, (P,) or (1,).
    column : callable
        From such a value to a column in the run's type.
    """
    rule, base = spec.hebbian[pair.name], f"hebbian.{pair.name}"
    eta, coupling = number(f"{base}.eta"), number(f"J.{pair.name}")
    start = torch.round(number(f"{base}.onset") / spec.dt).to(torch.int64)
    one = torch.ones_like(eta)
    scale = {"bcm": "target", "corr": "sd_min"}.get(rule.rule)
    ceiling = one * torch.inf if rule.w_max is None else number(f"{base}.w_max")
    return HebbianProgram(
        pair=pair.name,
        post=pair.post,
        pre=pair.pre,
        rule=rule.rule,
        edges=edges_of(operator, eta.device),
        coupling=coupling[:, None],
        sign=column(torch.sign(coupling.detach())),
        gain=column(spec.dt * eta),
        keep=column(torch.exp(-spec.dt * number(f"{base}.decay"))),
        ceiling=column(ceiling),
        start=start[:, None],
        first=int(start.min()),
        last=int(start.max()),
        decay=column(0.0 * one if rule.rule == "hebb" else torch.exp(-spec.dt / number(f"{base}.tau"))),
        scale=column(one if scale is None else number(f"{base}.{scale}")),
    )


def start_weights(program: Program) -> Weights:
    """Return weights at step 0.

    Raises
    ------
    SimulationError
        If there is not enough memory, or connectivity itself has entries below 0: weights keep the sign of J.
    """
    _check_memory(program)
    weights: Weights = {}
    for pair in program.pairs:
        if pair.hebbian is not None:
            h, values = pair.hebbian, pair.hebbian.edges.values()
            if values.numel() and float(values.detach().min()) < -_ROUNDING:
                raise SimulationError(
                    f"the connectivity of {h.pair} has entries below 0, and its weights keep the sign of J",
                    remedy=f"leave out hebbian.{h.pair}, or let all entries be positive, with their sign in J",
                )
            wide = (program.points, values.shape[1])
            weights[h.pair] = (h.coupling * values).to(program.dtype).expand(wide)
    return weights


def start_averages(program: Program, rates: Mapping[str, Tensor], weights: Weights) -> Averages:
    """Return running means at step 0, where the rates have the values given."""
    averages: Averages = {}
    for pair in program.pairs:
        if pair.hebbian is not None:
            h = pair.hebbian
            found = _averages_at_rest(h, rates[h.post], rates[h.pre], weights[h.pair])
            averages |= {f"{h.pair}.{name}": value for name, value in found.items()}
    return averages


def _check_memory(program: Program) -> None:
    """Raise an error where weights would not fit; it says the same of few points as of many."""
    connections = sum(edges.count for edges in program.edges.values())
    needed = connections * NUMBERS_PER_CONNECTION * program.dtype.itemsize
    if needed and program.points * needed > free_bytes_on(program.device):
        raise SimulationError(
            "weights that learn need more memory than is free",
            got=f"{needed / 2**30:.3g} GiB a point",
            remedy="simulate fewer points at once, fewer neurons, or sparse connectivity",
        )


def _averages_at_rest(h: HebbianProgram, post: Tensor, pre: Tensor, like: Tensor) -> Averages:
    if h.rule == "hebb":
        return {}
    if h.rule == "bcm":
        return {"threshold": post * post / h.scale}
    means = {"post_mean": post, "pre_mean": pre}
    if h.rule == "cov":
        return means
    variances = {"post_variance": torch.zeros_like(post), "pre_variance": torch.zeros_like(pre)}
    return means | variances | {"product": torch.zeros_like(like)}


def step_hebbian(
    program: Program,
    step: int | Tensor,
    rates: Mapping[str, Tensor],
    weights: Weights,
    averages: Averages,
) -> tuple[Weights, Averages]:
    """Return weights and running means one step later: both move by what they and the rates were before it."""
    known = not isinstance(step, Tensor)
    new_weights: Weights = {}
    new_averages: Averages = {}
    for pair in program.pairs:
        if pair.hebbian is not None:
            h = pair.hebbian
            old = {n.removeprefix(f"{h.pair}."): v for n, v in averages.items() if n.startswith(f"{h.pair}.")}
            weight, post, pre = weights[h.pair], rates[h.post], rates[h.pre]
            if not known or step >= h.first:
                growth = _growth(h, post, pre, old)
                moved = physics.weight_step(weight, growth, h.gain, h.keep, h.sign, h.ceiling)
                weight = moved if known and step >= h.last else torch.where(step >= h.start, moved, weight)
            new_weights[h.pair] = weight
            new_averages |= {f"{h.pair}.{n}": v for n, v in _relaxed(h, post, pre, old).items()}
    return new_weights, new_averages


def _growth(h: HebbianProgram, post: Tensor, pre: Tensor, averages: Averages) -> Tensor:
    """Return η⁻¹ dw/dt of each connection, (P, connections)."""
    at_post, at_pre = h.edges.at_post, h.edges.at_pre
    growth: Tensor
    if h.rule == "hebb":
        growth = physics.growth_hebb(at_post(post), at_pre(pre))
    elif h.rule == "cov":
        means = at_post(averages["post_mean"]), at_pre(averages["pre_mean"])
        growth = physics.growth_cov(at_post(post), means[0], at_pre(pre), means[1])
    elif h.rule == "bcm":
        growth = physics.growth_bcm(at_post(post), at_post(averages["threshold"]), at_pre(pre))
    else:
        variances = at_post(averages["post_variance"]), at_pre(averages["pre_variance"])
        growth = physics.growth_corr(averages["product"], *variances, h.scale)
    return growth


def _relaxed(h: HebbianProgram, post: Tensor, pre: Tensor, averages: Averages) -> Averages:
    """Return the running means one step later."""
    if h.rule == "hebb":
        return {}
    if h.rule == "bcm":
        return {"threshold": physics.relax(averages["threshold"], post * post / h.scale, h.decay)}
    targets = {"post_mean": post, "pre_mean": pre}
    if h.rule == "corr":
        post_off, pre_off = post - averages["post_mean"], pre - averages["pre_mean"]
        targets["post_variance"], targets["pre_variance"] = post_off * post_off, pre_off * pre_off
        targets["product"] = h.edges.at_post(post_off) * h.edges.at_pre(pre_off)
    return {name: physics.relax(averages[name], target, h.decay) for name, target in targets.items()}
