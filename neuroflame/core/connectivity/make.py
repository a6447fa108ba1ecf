"""From a pair's specification to its operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.ring import (
    FourierSeries,
    RingOperator,
    cosine_series,
    radians,
    uniform_series,
    von_mises_series,
)
from neuroflame.core.connectivity.sparse import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.connectivity.base import Operator
    from neuroflame.spec.network import NetworkSpec, Pair


def make_operator(spec: NetworkSpec, pair: Pair, *, graph: int, device: torch.device | str) -> Operator:
    """Return the operator of a pair; where it depends on batchable numbers, unbound (see `bind_operator`)."""
    post, pre = spec.populations[pair.post].size, spec.populations[pair.pre].size
    if pair.kind == "sparse":
        return draw(pair, post, pre, seed=spec.connectivity.seed, graph=graph, device=device)
    return RingOperator(post, pre, device)


def bind_operator(
    operator: Operator,
    spec: NetworkSpec,
    pair: Pair,
    number: Callable[[str], Tensor],
    dtype: torch.dtype = torch.float64,
) -> Operator:
    """Return the operator with the points' own numbers (κ and phase of all-to-all profiles).

    Parameters
    ----------
    number : callable
        From dotted path to its value at each point, float64, (P,) or (1,).
    dtype : torch.dtype
        Of the run: series are cut below its rounding.
    """
    if not isinstance(operator, RingOperator):
        return operator
    return operator.bind(_series(spec, pair, number, 0.05 * torch.finfo(dtype).eps))


def _series(spec: NetworkSpec, pair: Pair, number: Callable[[str], Tensor], smallest: float) -> FourierSeries:
    own = spec.connectivity.pairs.get(pair.name)
    base = f"connectivity.pairs.{pair.name}.profile" if own and own.profile else "connectivity.profile"
    profile = pair.profile
    if profile.kind == "uniform":
        return uniform_series(number("dt").device)
    kappa = number(f"{base}.kappa.{pair.name}" if isinstance(profile.kappa, dict) else f"{base}.kappa")
    kappa, phase = torch.broadcast_tensors(kappa, radians(number(f"{base}.phase")))
    if profile.kind == "von_mises":
        return von_mises_series(kappa, phase, smallest)
    return cosine_series(kappa, phase)  # cosine_weak too: √K is 1 in all-to-all networks
