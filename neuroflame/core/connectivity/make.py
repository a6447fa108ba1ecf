"""From a pair's specification to its operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.dense import draw_gaussian
from neuroflame.core.connectivity.given import operator_of
from neuroflame.core.connectivity.low_rank import LowRankOperator, draw_vectors
from neuroflame.core.connectivity.ring import (
    FourierSeries,
    RingOperator,
    cosine_series,
    radians,
    uniform_series,
    von_mises_series,
)
from neuroflame.core.connectivity.sparse import draw
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec.blocks import read_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.connectivity.base import Operator
    from neuroflame.spec.blocks import Block
    from neuroflame.spec.connectivity import Profile
    from neuroflame.spec.network import NetworkSpec, Pair


def make_operator(
    spec: NetworkSpec,
    pair: Pair,
    *,
    graph: int,
    device: torch.device | str,
    dtype: torch.dtype = torch.float64,
) -> Operator:
    """Return the operator of a pair; where it depends on batchable numbers, unbound (see `bind_operator`).

    Parameters
    ----------
    dtype : torch.dtype
        Of the run: weights of single connections are stored in it.

    Raises
    ------
    SimulationError
        If the file of a given block is gone or has changed, or the block was given in memory.
    """
    post, pre = spec.populations[pair.post].size, spec.populations[pair.pre].size
    if pair.kind == "given":
        return operator_of(_block(spec, pair, (post, pre)), device=device, dtype=dtype)
    if pair.profile.kind == "gaussian":
        own = pair.profile.seed
        seed = spec.connectivity.seed if own is None else own
        return draw_gaussian(pair.name, post, pre, seed=seed, graph=graph, device=device, dtype=dtype)
    vectors = None
    if pair.profile.kind == "low_rank":
        vectors = draw_vectors(spec, pair, graph=graph, device=device)
    if pair.kind == "sparse":
        seed = spec.connectivity.seed
        return draw(pair, post, pre, seed=seed, graph=graph, device=device, vectors=vectors)
    return RingOperator(post, pre, device) if vectors is None else LowRankOperator(*vectors)


def _block(spec: NetworkSpec, pair: Pair, shape: tuple[int, int]) -> Block:
    own = spec.connectivity.pairs[pair.name]
    path = f"connectivity.pairs.{pair.name}"
    if own.file is None or own.content is None:
        raise SimulationError(
            "was given in memory, and the specification does not hold it",
            path=path,
            remedy=f"give it again, Network(..., connectivity={{{pair.name!r}: …}}), or save it to a file",
        )
    try:
        return read_block(own.file, own.content, shape)
    except SpecError as error:  # whatever the points: not a fault of one
        raise SimulationError(error.rule, got=error.got, remedy=error.remedy, path=f"{path}.file") from None


def scaling(spec: NetworkSpec, pair: Pair) -> float:
    """Return what J is multiplied by: 1/√K, 1/N, 1/√N for Gaussian weights, 1 for a block that was given."""
    if pair.K is not None:
        return 1.0 / pair.K**0.5
    size = spec.populations[pair.pre].size
    if pair.kind == "given":
        return 1.0
    return 1.0 / size**0.5 if pair.profile.kind == "gaussian" else 1.0 / size


def bind_operator(
    operator: Operator,
    spec: NetworkSpec,
    pair: Pair,
    number: Callable[[str], Tensor],
    dtype: torch.dtype = torch.float64,
) -> Operator:
    """Return the operator with the points' own numbers (κ, phase and background of all-to-all profiles).

    Parameters
    ----------
    number : callable
        From dotted path to its value at each point, float64, (P,) or (1,).
    dtype : torch.dtype
        Of the run: series are cut below its rounding.
    """
    own = spec.connectivity.pairs.get(pair.name)
    base = f"connectivity.pairs.{pair.name}.profile" if own and own.profile else "connectivity.profile"
    by_pair = isinstance(getattr(pair.profile, "kappa", None), dict)
    kappa = f"{base}.kappa.{pair.name}" if by_pair else f"{base}.kappa"
    if isinstance(operator, LowRankOperator):
        return operator.bind(number(kappa), number(f"{base}.background"), dtype)
    if not isinstance(operator, RingOperator):
        return operator
    if pair.profile.kind == "uniform":
        return operator.bind(uniform_series(number("dt").device))
    smallest = 0.05 * torch.finfo(dtype).eps
    return operator.bind(_series(pair.profile, number(kappa), number(f"{base}.phase"), smallest))


def _series(profile: Profile, kappa: Tensor, phase: Tensor, smallest: float) -> FourierSeries:
    kappa, phase = torch.broadcast_tensors(kappa, radians(phase))
    if profile.kind == "von_mises":
        return von_mises_series(kappa, phase, smallest)
    return cosine_series(kappa, phase)  # cosine_weak too: √K is 1 in all-to-all networks
