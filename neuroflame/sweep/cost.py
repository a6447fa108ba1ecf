"""What a tile costs in time and memory: first from the specification, then from what was measured."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.tiles import GRAIN, whole_grains

if TYPE_CHECKING:
    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.sweep import SweepSpec

TARGET_S = 4.0
"""Seconds that a tile should take: long beside the 13 to 50 ms between tiles, short beside a coffee."""
LONGEST_S = 30.0
"""Seconds that a tile may take where a larger tile is worth it."""
_WORTH = 3.0  # times that a tile's points should take longer than what it costs to have a tile at all
_LARGEST = 65536
_FIRST = 64
_CORE_S = (1.5e-9, 1.5e-10)  # seconds for a neuron, for a synapse; measured, and half as much again
_CUDA_S = (1e-11, 1e-12)
_REFERENCE = 30.0  # how much longer the reference executor takes
_CELL_BYTES = 8 * 24  # states, inputs, window sums of two epochs and the final window, in double precision
_SAMPLES = 1000
_CUDA_BYTES = 8 * 2**30
_SHARE = 0.4


def guessed_seconds(network: NetworkSpec, *, cuda: bool) -> float:
    """Return the seconds of a point among many on one core, or one GPU, before anything is measured.

    Neurons are counted at each step, and with sparse connectivity the synapses.
    """
    return network.steps * step_seconds(network, cuda=cuda)


def step_seconds(network: NetworkSpec, *, cuda: bool) -> float:
    """Return the seconds of a step of a point among many, by the fastest executor."""
    gathered = 0.0
    for pair in network.pairs:
        post, pre = network.populations[pair.post].size, network.populations[pair.pre].size
        if pair.kind == "sparse" and pair.K is not None:
            gathered += post * pair.K
        elif pair.kind == "given" or pair.profile.kind == "gaussian":
            gathered += post * pre
    per_neuron, per_synapse = _CUDA_S if cuda else _CORE_S
    return network.size * per_neuron + gathered * per_synapse


def dynamics_seconds(spec: SweepSpec, *, cuda: bool) -> float:
    """Return the seconds that the measures of dynamics add to a point; the reference executor takes them."""
    steps = sum(spec.dynamics.extra_steps(spec.network, spec.measure).values())
    return _REFERENCE * steps * step_seconds(spec.network, cuda=cuda)


def point_bytes(spec: SweepSpec) -> int:
    """Return the memory of a point in a running tile: proportional to neurons, not to steps."""
    network = spec.network
    series = 2 * _SAMPLES * len(network.populations) * 4 if spec.keeps_traces else 0
    return network.size * (_CELL_BYTES + 8 * spec.dynamics.vectors(spec.measure)) + series


def free_bytes() -> int:
    """Return the memory of this machine that is free for simulations."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if ":" in line}
        return found.get("MemAvailable", 4 * 2**30)
    except OSError:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 0.5)


class CostModel:
    """Says how many points the next tile should have.

    A tile takes a + b·points seconds; a is large where each step of a program costs the same for few points
    as for many. Both are fitted to the last tiles, in which sizes are varied as far as is needed to tell them
    apart.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    actors : int
        Processes that simulate at once.
    cuda : bool
        Whether they do so on GPUs.
    """

    def __init__(self, spec: SweepSpec, actors: int, *, cuda: bool = False) -> None:
        self.actors = max(1, actors)
        self._fixed = None if spec.compute.tile == "auto" else int(spec.compute.tile)
        slower = _REFERENCE if spec.compute.executor == "reference" else 1.0
        self._guess = slower * guessed_seconds(spec.network, cuda=cuda) + dynamics_seconds(spec, cuda=cuda)
        self._seen: deque[tuple[int, float]] = deque(maxlen=8)
        self._rough = True
        self.point_bytes = point_bytes(spec)
        memory = _CUDA_BYTES if cuda else _SHARE * free_bytes() / self.actors
        self._most = max(1, min(_LARGEST, int(memory / self.point_bytes)))

    def observe(self, points: int, seconds: float, *, first: bool = False) -> None:
        """Learn from a finished tile; a worker's first, which compiles too, counts until there are others."""
        if first and not self._rough:
            return
        if self._rough and not first:
            self._seen.clear()
            self._rough = False
        self._seen.append((points, max(seconds, 1e-6)))

    def shrink(self, points: int) -> None:
        """Learn that so many points at once were too many for the memory."""
        self._most = max(1, min(self._most, points // 2))

    def size(self, pending: int) -> int:
        """Return the number of points for the next tile.

        Parameters
        ----------
        pending : int
            Points that are in no tile yet.
        """
        if self._fixed is not None:
            return self._fixed
        share = -(-pending // self.actors)  # so that no actor is left without work while another has plenty
        return max(1, min(whole_grains(self._wanted()), whole_grains(share), self._most))

    def seconds(self, points: int) -> float:
        """Return the seconds that so many points are expected to take with all actors."""
        if not self._seen:
            return points * self._guess / self.actors
        done = sum(count for count, _ in self._seen)
        return points * sum(time for _, time in self._seen) / done / self.actors

    def _wanted(self) -> float:
        if not self._seen:  # a guess can be wrong by much: begin small
            return min(TARGET_S / self._guess, _FIRST)
        sizes = {count for count, _ in self._seen}
        count, time = self._seen[-1]
        if len(sizes) == 1:  # too little to tell a from b: try another size
            if time > LONGEST_S and count > GRAIN:
                return count * LONGEST_S / time
            return min(4 * count, max(2 * count, count * TARGET_S / time))
        start, slope = self._fitted()
        if slope <= 0:
            return 2.0 * max(sizes)
        wanted = max((TARGET_S - start) / slope, _WORTH * start / slope)
        return min(wanted, max((LONGEST_S - start) / slope, 0.0), 4.0 * max(sizes))

    def _fitted(self) -> tuple[float, float]:
        """Return a and b, both at least 0."""
        count, time = np.array(self._seen).T
        slope = max(0.0, float(np.cov(count, time)[0, 1] / np.var(count, ddof=1)))
        start = float(time.mean() - slope * count.mean())
        return (start, slope) if start >= 0 else (0.0, float(time.sum() / count.sum()))
