"""Whether the executor that a sweep asks for can run its networks, as far as that is known beforehand."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

from neuroflame.errors import SpecError
from neuroflame.spec.kernels import GPU_ONLY, executor_error, kernel_refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.sweep import SweepSpec

_MOST = 1000  # networks that are looked at


def check_executor(spec: SweepSpec) -> None:
    """Raise SimulationError, as a run would, if the executor asked for cannot run one of the sweep's networks.

    What only machines can tell is left to the run: whether there is a GPU where `device` is auto.
    """
    name, device = spec.compute.executor, spec.compute.device
    if name in {"auto", "reference"}:
        return
    if name == "stepped" and device == "cpu":
        raise executor_error(name, GPU_ONLY.format("cpu"))
    varied = [axis.path for axis in spec.axes]
    for network in itertools.islice(_networks(spec), _MOST):
        reason = kernel_refusal(network, varied, cuda=device == "cuda")
        if reason is not None:
            raise executor_error(name, reason)


def _networks(spec: SweepSpec) -> Iterator[NetworkSpec]:
    """Yield the network of each combination of structural values; those that are no networks fail by themselves."""
    axes = [axis for axis in spec.axes if axis.structural and axis.levels is not None]
    for levels in itertools.product(*(axis.levels or () for axis in axes)):
        with suppress(SpecError):
            values = dict(zip((axis.path for axis in axes), levels, strict=True))
            yield spec.network.with_values(values) if values else spec.network
