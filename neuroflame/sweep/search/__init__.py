"""Searches: how the points of a sweep are chosen, all behind one interface."""

from neuroflame.spec.search import (
    BoundarySearch,
    CmaesSearch,
    GpSearch,
    GridSearch,
    ListSearch,
    Nsga2Search,
    RandomSearch,
    SobolSearch,
    TpeSearch,
)
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.search.base import KnownSearch, Search

__all__ = ["KnownSearch", "Search", "make_search"]


def make_search(spec: SweepSpec) -> Search:
    """Return the search that a sweep asks for."""
    from neuroflame.sweep.search.known import Grid, Listed, Random, Sobol

    kind = spec.search
    if isinstance(kind, GridSearch):
        return Grid(spec.axes)
    if isinstance(kind, ListSearch):
        return Listed(spec.axes, kind.assignments)
    if isinstance(kind, RandomSearch):
        return Random(spec.axes, kind.trials, kind.seed)
    if isinstance(kind, SobolSearch):
        return Sobol(spec.axes, kind.trials, kind.seed, scramble=kind.scramble)
    if isinstance(kind, TpeSearch):
        from neuroflame.sweep.search.tpe import Tpe

        return Tpe(spec.axes, kind, kind.startup)
    if isinstance(kind, GpSearch):
        from neuroflame.sweep.search.tpe import Gp

        return Gp(spec.axes, kind, kind.startup)
    if isinstance(kind, Nsga2Search):
        from neuroflame.sweep.search.nsga2 import Nsga2

        return Nsga2(spec.axes, kind)
    if isinstance(kind, CmaesSearch):
        from neuroflame.sweep.search.evolution import Cmaes

        return Cmaes(spec.axes, kind)
    if isinstance(kind, BoundarySearch):
        from neuroflame.sweep.search.boundary import Boundary

        repeat = spec.repeat
        return Boundary(
            spec.axes,
            spec.trials,
            tolerance=kind.tolerance,
            batch=kind.batch,
            start=kind.first(len(spec.axes)),
            explore=kind.explore,
            draws=len(repeat.graphs) * len(repeat.seeds),
            confidence=kind.confidence,
            initial=len(repeat.initial_conditions),
            seed=kind.seed,
        )
    raise TypeError(f"no search for {type(kind).__name__}")
