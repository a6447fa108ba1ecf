"""The plan of a sweep: how many points, groups and tiles, how much memory and time, before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.spec.kernels import kernel_refusal
from neuroflame.spec.protocols import protocol_steps
from neuroflame.sweep.block import Block
from neuroflame.sweep.cost import CostModel
from neuroflame.sweep.executing import check_executor
from neuroflame.sweep.search import KnownSearch, make_search

if TYPE_CHECKING:
    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.sweep import SweepSpec


@dataclass(frozen=True)
class Plan:
    """What a sweep will do.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    points, groups, tiles : int
        Points; groups that share a topology; tiles if nothing is measured in between.
    tile : int
        Points in the first tile.
    actors : int
        Processes that simulate at once.
    bytes : int
        Memory of a tile.
    seconds : float
        Cautious estimate of the run.
    reach : str
        What the search covers.
    known : bool
        Whether all points are known beforehand.
    cuda : bool
        Whether they are simulated on GPUs.
    """

    spec: SweepSpec
    points: int
    groups: int
    tiles: int
    tile: int
    actors: int
    bytes: int
    seconds: float
    reach: str
    known: bool
    cuda: bool = False

    def __str__(self) -> str:
        spec = self.spec
        lines = [
            f"sweep       {spec.name}",
            f"points      {self.points:,}{_factors(spec)}",
            f"search      {self.reach}",
        ]
        for kind, structural in (("structural", True), ("batchable", False)):
            axes = [axis for axis in spec.axes if axis.structural is structural]
            shown = [_describe(axis) for axis in axes] or ["none"]
            lines += [f"{kind if i == 0 else '':<12}{text}" for i, text in enumerate(shown)]
        about = "" if self.known else "at least "
        lines += [
            f"groups      {about}{self.groups:,} (points of a group share a topology)",
            f"tiles       {about}{self.tiles:,} of up to {self.tile:,} points on {self.actors} actors"
            + ("" if spec.compute.tile != "auto" else "; sizes follow what is measured"),
            f"memory      {_bytes(self.bytes)} a tile",
            f"time        about {duration(self.seconds)} of simulation, by a rough guess",
            f"measures    {', '.join(spec.measure)}{' and time courses' if spec.keeps_traces else ''}",
        ]
        extra = spec.dynamics.extra_steps(spec.network, spec.measure)
        reason = kernel_refusal(spec.network, [axis.path for axis in spec.axes], cuda=self.cuda)
        if spec.compute.executor != "auto":
            lines.append(f"executor    {spec.compute.executor}, as the sweep asks")
        elif reason is not None:
            lines.append(f"executor    reference: {reason}; compiled kernels are faster")
        after = protocol_steps(spec.network, spec.ramp, spec.perturb)
        if after:
            each = ", ".join(f"{name} {steps:,}" for name, steps in after.items())
            lines.append(f"afterwards  {each} steps a point, beside the {spec.network.steps:,} of its run")
        if extra:
            each = ", ".join(f"{name} {_extra(spec, name, steps)}" for name, steps in extra.items())
            by = "" if set(extra) == {"diffusion"} else ", by the reference executor"
            lines.append(f"dynamics    about {each} extra steps a point{by}")
        longest = spec.longest_run(spec.network)
        if longest is not None:
            lines.append(f"slow runs   are made again, twice as long each time, at last {longest:g} s")
        return "\n".join(lines)


def make_plan(spec: SweepSpec, *, actors: int | None = None, cuda: bool = False) -> Plan:
    """Return the plan of a sweep.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    actors : int, optional
        Processes that simulate at once; by default as the sweep says, auto being one for each core.
    cuda : bool
        Whether they do so on GPUs.

    Raises
    ------
    SimulationError
        If the executor that the sweep asks for cannot run its networks.
    """
    check_executor(spec)
    if actors is None:
        actors = default_actors() if spec.compute.actors == "auto" else int(spec.compute.actors)
    search = make_search(spec)
    cost = CostModel(spec, actors, cuda=cuda)
    if isinstance(search, KnownSearch):
        block = known_block(spec, search)
        sizes = np.diff(block.bounds)
        size = cost.size(len(block))
        tiles, groups = int(np.sum(-(-sizes // size))), block.groups
        size = min(size, int(sizes.max()))
    else:
        batch = min(spec.search.batch, spec.trials)  # type: ignore[union-attr]
        each = spec.points // spec.trials
        graphs = len(spec.repeat.graphs) if each == spec.repeat.count else 1
        size = min(cost.size(batch * each), batch * each // graphs)
        tiles = -(-spec.trials // batch) * graphs * -(-batch * each // graphs // size)
        groups = graphs
    return Plan(
        spec=spec,
        points=spec.points,
        groups=groups,
        tiles=tiles,
        tile=size,
        actors=actors,
        bytes=cost.bytes(size),
        seconds=cost.seconds(spec.points),
        reach=search.reach(),
        known=isinstance(search, KnownSearch),
        cuda=cuda,
    )


def known_block(spec: SweepSpec, search: KnownSearch) -> Block:
    """Return all points of a search that needs no results."""
    return Block(spec, search.take(np.arange(search.total)))


def default_actors() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 1:
        return "a second" if seconds > 0 else "0 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"


def _extra(spec: SweepSpec, name: str, steps: float) -> str:
    """Return in words how many steps a measure of dynamics takes, by its estimate."""
    if name == "lyapunov":
        least = spec.dynamics.lyapunov.steps(spec.network)[0]
        return f"{least:,.0f} to {steps:,.0f}" if least < steps else f"{steps:,.0f}"
    if name in {"spectrum", "fixed_points"}:
        usual, most = spec.dynamics.spectrum.steps()
        return f"{steps:,.0f} ({steps + most - usual:,.0f} where eigenvalues cluster)"
    return f"{steps:,.0f}"


def _factors(spec: SweepSpec) -> str:
    """Return what the number of points is the product of, where it is one."""
    repeat = spec.repeat
    kinds = {
        "graphs": repeat.graphs,
        "seeds": repeat.seeds,
        "initial conditions": repeat.initial_conditions,
    }
    factors = [f"{len(given)} {kind}" for kind, given in kinds.items() if len(given) > 1]
    return f" = {' × '.join([f'{spec.trials:,} assignments', *factors])}" if factors else ""


def _describe(axis: ResolvedAxis) -> str:
    unit = f" {axis.unit}" if axis.unit else ""
    if axis.levels is None:
        kind = (", whole numbers" if axis.integer else "") + (", logarithmic" if axis.log else "")
        return f"{axis.path}  {axis.low:g} to {axis.high:g}{unit}{kind}"
    count = len(axis.levels)
    if count <= 4 or axis.text:
        return (
            f"{axis.path}  {', '.join(f'{v:g}' if not isinstance(v, str) else v for v in axis.levels)}{unit}"
        )
    return f"{axis.path}  {axis.levels[0]:g} to {axis.levels[-1]:g}{unit}, {count} values"


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
