"""What a tile costs in time and memory: first from the specification, then from what was measured."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroflame.core.memory import free_bytes
from neuroflame.errors import SpecError
from neuroflame.spec.hebbian import learning_bytes, learning_connections
from neuroflame.spec.kernels import kernel_refusal
from neuroflame.spec.measures import samples_course, spike_step
from neuroflame.spec.protocols import protocol_steps
from neuroflame.sweep.pace import Pace
from neuroflame.sweep.shares import Actor, last_size
from neuroflame.sweep.tiles import GRAIN, whole_grains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.flights import Busy
    from neuroflame.sweep.points import Points

TARGET_S = 4.0
"""Seconds that a tile should take: long beside the 13 to 50 ms between tiles, short beside a coffee."""
LONGEST_S = 30.0
"""Seconds that a tile may take where a larger tile is worth it."""
_WORTH = 3.0  # times that a tile's points should take longer than what it costs to have a tile at all
_LARGEST = 65536
_FIRST = 64
_CORE_S = (1.5e-9, 1.5e-10)  # seconds for a neuron, for a synapse; measured, and half as much again
_CUDA_S = (1e-11, 1e-12)
_LEARNING_S = (1e-9, 1.5e-12)  # for a connection whose weight learns, with the next line's factor
_REFERENCE = 30.0  # how much longer the reference executor takes
_CELL_BYTES = 8 * 24  # states, inputs, window sums of two epochs and the final window, in double precision
_SAMPLES = 1000
_SAMPLED_S = 0.002  # seconds between two samples of the final window, or a little more
_SAMPLE_BYTES = 3 * 8 * 3  # a mean and a mode, in double precision, and copies of them
_CUDA_BYTES = 8 * 2**30
_SHARE = 0.4
_PATIENCE = 20.0  # times that a tile may take longer than the slowest seen, per point
_BLIND_PATIENCE = 200.0  # the same before any was seen
_START_S = 120.0  # to import libraries from a slow disk, draw connectivity and compile


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
    learning = learning_connections(network) * _LEARNING_S[cuda]
    return network.size * per_neuron + gathered * per_synapse + learning


def guessed_seconds_of(spec: SweepSpec, network: NetworkSpec, *, cuda: bool) -> float:
    """Return the seconds of a point of a sweep before anything is measured.

    The reference executor takes longer, whether it is asked for or no kernel can run the network. It also takes the
    measures of dynamics.
    """
    paths = [axis.path for axis in spec.axes]
    alone = spec.compute.executor == "reference" or kernel_refusal(network, paths, cuda=cuda) is not None
    slower = _REFERENCE if alone else 1.0
    steps = spec.dynamics.extra_steps(network, spec.measure)
    slowed = sum(count * (slower if name == "diffusion" else _REFERENCE) for name, count in steps.items())
    slowed += slower * sum(protocol_steps(network, spec.ramp, spec.perturb).values())
    return slower * guessed_seconds(network, cuda=cuda) + slowed * step_seconds(network, cuda=cuda)


def point_bytes(spec: SweepSpec, network: NetworkSpec) -> int:
    """Return the memory of a point in a running tile: it grows with neurons and what learns, not with steps."""
    series = 2 * _SAMPLES * len(network.populations) * 4 if spec.keeps_traces else 0
    if samples_course(spec.measure):  # of the final window, looked at in double precision
        window = min(network.duration, spec.window or max(10.0 * network.slowest(), 2.0))
        series += (
            int(window / min(_SAMPLED_S, spike_step(network)))
            * (len(network.populations) + len(network.stp))
            * _SAMPLE_BYTES
        )
    learning = learning_bytes(network, 8 if spec.compute.precision == "double" else 4)
    states = 2 if spec.perturb else 1  # a point that is kicked runs beside itself
    cells = network.size * (states * _CELL_BYTES + 8 * spec.dynamics.vectors(network, spec.measure))
    return cells + series + states * learning


@dataclass(frozen=True)
class GroupCost:
    """What a point of some group costs.

    Parameters
    ----------
    weight : float
        Its time, as a multiple of that of a point of the sweep's own network.
    bytes : int
        Its memory.
    """

    weight: float
    bytes: int


class GroupCosts:
    """What the points of each group cost: structural axes may change the size of the network by much.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    cuda : bool
        Whether it runs on GPUs.
    """

    def __init__(self, spec: SweepSpec, *, cuda: bool = False) -> None:
        self._spec, self._cuda = spec, cuda
        self._paths = [axis.path for axis in spec.axes if axis.structural]
        self._own = guessed_seconds_of(spec, spec.network, cuda=cuda)
        self._known: dict[tuple[object, ...], GroupCost] = {}

    def of(self, points: Points) -> GroupCost:
        """Return the cost of the group that the first of some points is in."""
        key = tuple(points.values[path].tolist()[0] for path in self._paths)
        if key not in self._known:
            self._known[key] = self._cost(dict(zip(self._paths, key, strict=True)))
        return self._known[key]

    def _cost(self, values: dict[str, object]) -> GroupCost:
        network = self._spec.network
        if values:
            with suppress(SpecError):  # these points will fail, at no cost
                network = network.with_values(values)
        weight = guessed_seconds_of(self._spec, network, cuda=self._cuda) / self._own
        return GroupCost(weight, point_bytes(self._spec, network))


class CostModel:
    """Says how many points the next tile should have, and how long a tile may take.

    Sizes aim at a time, and follow what each worker's last tiles took; they are varied as far as is needed to tell
    what a tile costs beside its points. Towards the end tiles shrink, such that all workers end together. A
    group's points count as so many points of the sweep's own network as their guessed times tell.

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
        self._guess = guessed_seconds_of(spec, spec.network, cuda=cuda)
        longest = spec.longest_run(spec.network)
        self._longer = 1.0 if longest is None else 3.0 * longest / spec.network.duration
        self._deadline = None if spec.compute.deadline == "auto" else float(spec.compute.deadline)
        self._groups = GroupCosts(spec, cuda=cuda)
        self._own = GroupCost(1.0, point_bytes(spec, spec.network))
        self._pace = Pace()
        self._memory = float(_CUDA_BYTES if cuda else _SHARE * free_bytes() / self.actors)

    def group_of(self, points: Points) -> GroupCost:
        """Return what points such as the first of these cost."""
        return self._groups.of(points)

    def observe(
        self,
        points: int,
        seconds: float,
        *,
        worker: str = "",
        group: GroupCost | None = None,
        first: bool = False,
    ) -> None:
        """Learn from a finished tile; a worker's first, which compiles too, counts until there are others."""
        weight = (group or self._own).weight
        self._pace.observe(worker, points * weight, max(seconds, 1e-6), first=first)

    def forget(self, worker: str) -> None:
        """Leave a worker out that is gone."""
        self._pace.forget(worker)

    def shrink(self, points: int, group: GroupCost | None = None) -> None:
        """Learn that so many points at once were too many for the memory."""
        self._memory = min(self._memory, points // 2 * (group or self._own).bytes)

    def slowness(self, worker: str | None = None) -> float:
        """Return the seconds of a point of the sweep's own network on a worker, of a usual one if it is not known."""
        return self._pace.slowness(worker) if self._pace.knows else self._guess

    def size(
        self,
        pending: int,
        group: GroupCost | None = None,
        *,
        free: Sequence[str] = (),
        busy: Sequence[Busy] = (),
    ) -> int:
        """Return the number of points for the next tile, which the fastest free worker will have.

        Parameters
        ----------
        pending : int
            Points that are in no tile yet.
        group : GroupCost, optional
            What its points cost; by default what those of the sweep's own network do.
        free : sequence of str
            Workers that have no tile.
        busy : sequence of Busy
            Tiles that are with a worker, or on their way to one.

        Returns
        -------
        int
            Points; 0 if those workers that are busy will have done all sooner than another could help.
        """
        group = group or self._own
        taken = sum(one.worker is None for one in busy)
        ready: list[str | None] = [*sorted(free, key=self.slowness)[taken:]]
        ready += [None] * (self.actors - len(busy) - len(ready))
        own = ready[0] if ready else None
        unit = GRAIN if self._fixed is None else min(GRAIN, self._fixed)
        last = self._last(pending * group.weight, own, ready[1:], busy, unit * group.weight) / group.weight
        if last == 0:
            return 0
        if self._fixed is not None:
            return min(self._fixed, max(unit, int(last) // unit * unit))
        most = max(1, min(_LARGEST, int(self._memory / group.bytes)))
        return max(1, min(whole_grains(self._wanted(own) / group.weight), whole_grains(last), most))

    def _last(
        self, pending: float, own: str | None, ready: Sequence[str | None], busy: Sequence[Busy], unit: float
    ) -> float:
        """Return what is right at the end, in points of the sweep's own network."""
        if not self._pace.knows:  # as if all were as fast, and free
            return pending / self.actors
        overhead = self._pace.overhead or 0.0
        others = [Actor(self.slowness(other)) for other in ready]
        for one in busy:
            slowness = self.slowness(one.worker)
            late = one.elapsed - slowness * (one.work + overhead)
            others.append(Actor(slowness, abs(late)))  # what is late is expected to be late by as much again
        return last_size(pending, Actor(self.slowness(own)), others, overhead=overhead, unit=unit)

    def seconds(self, points: int) -> float:
        """Return the seconds that so many points are expected to take with all actors."""
        return points * self.slowness() / self.actors

    def bytes(self, points: int) -> int:
        """Return the memory of a tile of so many points."""
        return points * self._own.bytes

    def deadline(self, points: int, group: GroupCost | None = None) -> float:
        """Return the seconds after which a worker that has begun with so many points counts as hung."""
        if self._deadline is not None:
            return self._deadline
        count = points * (group or self._own).weight
        if not self._pace.knows:
            return _START_S + _BLIND_PATIENCE * self._longer * count * self._guess
        slowest = max(time / seen for seen, time in self._pace.tiles)
        return _START_S + _PATIENCE * self._longer * count * slowest

    def _wanted(self, worker: str | None) -> float:
        """Return the points for which a worker takes the time aimed at."""
        tiles = self._pace.tiles
        if not tiles:  # a guess can be wrong by much: begin small
            return min(TARGET_S / self._guess, _FIRST)
        slowness, overhead = self._pace.slowness(worker), self._pace.overhead
        most = max(count for count, _ in tiles)
        if overhead is None:  # try another size
            time = most * slowness
            if time > LONGEST_S and most > GRAIN:
                return LONGEST_S / slowness
            return min(4 * most, max(2 * most, TARGET_S / slowness))
        wanted = max(TARGET_S / slowness - overhead, _WORTH * overhead)
        return min(wanted, max(LONGEST_S / slowness - overhead, 0.0), 4.0 * most)
