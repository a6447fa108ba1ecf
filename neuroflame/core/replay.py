"""A step taken again and again in place: on a CUDA device as a graph, the same kernels launched together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Tensors = Mapping[str, Tensor]

WORTH_CAPTURING = 50
"""Steps from which a graph is sooner captured, which takes three of them and some milliseconds, and replayed."""
_WARM_UP = 2


class Replay:
    """Holds a state, and moves it by a step at a time.

    A graph launches what the function launched when it was captured: the numbers are the function's own to the last
    bit, so long as nothing that it does depends on the values of tensors, on the host, or on the step's number other
    than by the tensor that it is given. On a CPU the function is called.

    Parameters
    ----------
    function : callable
        From state, inputs and the step's number, a Tensor, to the state one step later: tensors of the same names.
    state : mapping of Tensor
    inputs : mapping of Tensor
        What is constant during a step; the largest shape that each may have.
    step : int

    Attributes
    ----------
    state : dict of Tensor
        As it is now; overwritten by the next step.
    """

    def __init__(
        self,
        function: Callable[[Tensors, Tensors, Tensor], Tensors],
        state: Tensors,
        inputs: Tensors,
        step: int,
    ) -> None:
        self._function = function
        self.state = {name: _own(value) for name, value in state.items()}
        self._inputs = {name: _own(value) for name, value in inputs.items()}
        self._given: dict[str, Tensor] = dict(inputs)
        device = next(iter(self.state.values())).device
        self._clock = torch.full((), step, dtype=torch.int64, device=device)
        self._graph = self._captured(device) if device.type == "cuda" else None
        self.put(state)
        self._clock.fill_(step)

    def put(self, state: Tensors) -> None:
        """Replace the state."""
        for name, value in state.items():
            self.state[name].copy_(value)

    def advance(self, inputs: Tensors) -> None:
        """Take a step with these inputs."""
        for name, value in inputs.items():
            if value is not self._given[name]:
                self._inputs[name].copy_(value)
                self._given[name] = value
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def _step(self) -> None:
        self.put(self._function(self.state, self._inputs, self._clock))
        self._clock.add_(1)

    def _captured(self, device: torch.device) -> torch.cuda.CUDAGraph:
        graph, aside = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
        with torch.cuda.device(device):
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):  # what compiles or allocates at its first call may not be captured
                for _ in range(_WARM_UP):
                    self._step()
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(graph):
                self._step()
        return graph


def _own(value: Tensor) -> Tensor:
    return value.detach().clone(memory_format=torch.contiguous_format)
