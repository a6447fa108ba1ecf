"""Which networks compiled kernels run, as far as the specification tells: the reference executor runs the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.errors import SimulationError
from neuroflame.spec.connectivity import LowRank
from neuroflame.spec.stimuli import ArrayStimulus, is_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

GPU_ONLY = "it is for CUDA devices, and the network is on {}"
RANK_LIMIT = 16
"""Outer products that compiled kernels write out."""


def executor_error(executor: str, reason: str) -> SimulationError:
    """Return the error of an executor that is asked for and cannot run a network."""
    return SimulationError(f"the executor {executor} cannot run this: {reason}", remedy="use executor: auto")


def kernel_refusal(network: NetworkSpec, varied: Iterable[str] = (), *, cuda: bool) -> str | None:
    """Return why no compiled kernel can run a network, None if nothing in the specification is against it.

    Parameters
    ----------
    network : NetworkSpec
    varied : iterable of str
        Dotted paths whose values differ between points.
    cuda : bool
        Whether it runs on a GPU.
    """
    spikes = next((name for name, population in network.populations.items() if population.spiking), None)
    if cuda and spikes is not None:
        return f"the neurons of {spikes} spike"
    if any(stimulus.jitter is not None for stimulus in network.stimuli) or any(map(is_time, varied)):
        return "the times of stimuli differ between points"
    if any(isinstance(stimulus, ArrayStimulus) and stimulus.lasting for stimulus in network.stimuli):
        return "the external input has a time course"
    if network.feedforward is not None:
        return "the external input has dynamics of its own (feedforward)"
    for pair in network.pairs:
        if pair.name in network.hebbian:
            return f"the weights of {pair.name} learn (hebbian)"
        if pair.kind == "all_to_all" and pair.profile.kind == "gaussian":
            return f"the connectivity of {pair.name} is a dense matrix"
        if pair.kind == "all_to_all" and isinstance(pair.profile, LowRank) and pair.profile.rank > RANK_LIMIT:
            return f"the connectivity of {pair.name} is of a rank above {RANK_LIMIT}"
    return None
