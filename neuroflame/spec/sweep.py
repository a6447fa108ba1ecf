"""The specification of a sweep: a network, the values that vary, what is measured, and where it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import field_validator, model_validator

from neuroflame.conditions import Condition, parse_condition
from neuroflame.errors import SpecError
from neuroflame.regimes import LABELS
from neuroflame.spec.arrays import locate_files, without_files
from neuroflame.spec.axes import Axis
from neuroflame.spec.base import Real, Spec, quantity, suggestion
from neuroflame.spec.boundary import check_boundary
from neuroflame.spec.compute import Answer, Compute, Repeat
from neuroflame.spec.conditional import check_conditions, count_assignments
from neuroflame.spec.dynamics import DynamicsOptions
from neuroflame.spec.kicks import Perturbation
from neuroflame.spec.listed import check_listed
from neuroflame.spec.measures import DYNAMIC, MeasureName, check_applicable, check_window, statistics
from neuroflame.spec.network import NetworkSpec, load_network
from neuroflame.spec.paths import find_path
from neuroflame.spec.protocols import check_protocols, protocol_columns
from neuroflame.spec.ramps import Ramp, first_value
from neuroflame.spec.resolved import ResolvedAxis, resolve_axis
from neuroflame.spec.search import BoundarySearch, CmaesSearch, GridSearch, Learning, ListSearch, SearchSpec
from neuroflame.spec.starts import check_supplied, locate_states, starts_identity
from neuroflame.spec.stimuli import is_time
from neuroflame.spec.stop import Stop
from neuroflame.spec.theory import THEORY_TEXTS, TheoryName, theory_columns

_NUMBERS = ("graph", "seed", "point_index", "t_fail")
_TEXTS = ("status", "error", "initial_condition", "point_id")
_STATUSES = ("ok", "diverged", "failed")
_MOST_POINTS = 10**8
_TRACED_POINTS = 2000
_MOST_CORNERS = 64
_LONGEST_RUN = 60.0


class SweepSpec(Spec):
    """A parameter sweep."""

    name: str = quantity("Name of the sweep; by default its file's.", default="sweep", min_length=1)
    network: NetworkSpec = quantity("The network: a file, relative to the sweep's, or its contents.")
    set: dict[str, Any] = quantity("Values of the network to change, by dotted path.", default={})
    space: dict[str, Axis] = quantity("The axes: dotted path to the values it takes.", default={})
    repeat: Repeat = quantity("Repetitions of each assignment.", default=Repeat())
    measure: tuple[MeasureName, ...] = quantity(
        "What is computed for each point.", default=("rates", "bump"), min_length=1
    )
    dynamics: DynamicsOptions = quantity("Options of the measures of dynamics.", default=DynamicsOptions())
    ramp: Ramp | None = quantity("A value that moves there and back after each point's run.", default=None)
    perturb: tuple[Perturbation, ...] = quantity(
        "Kicks after each point's run, one or a list, and how the point recovers.", default=()
    )
    theory: tuple[TheoryName, ...] = quantity(
        "What theory predicts for each point, in columns beside the simulated ones.", default=()
    )
    window: Real | None = quantity("Length of the final averaging window.", default=None, unit="s", gt=0)
    longest: Literal["auto"] | Real = quantity(
        "Simulated time up to which runs that are labelled `slow` are made again, twice as long each time and at last "
        "this long; auto: eight times the duration, at most 60 s. With the measure `regime` alone.",
        default="auto",
        unit="s",
    )
    traces: Literal["auto", True, False] = quantity(
        "Whether the populations' time courses are kept; auto: in sweeps of at most 2000 points.",
        default="auto",
    )
    answer: Answer | None = quantity("The question to answer.", default=None)
    search: SearchSpec = quantity("How points are chosen.", default=GridSearch())
    stop: Stop | None = quantity("When it stops early.", default=None)
    compute: Compute = quantity("Where and how it runs.", default=Compute())

    @classmethod
    def parse(cls, data: object, *, file: str | None = None) -> Self:
        """Validate plain data; a network that is named is read, relative to the file.

        Raises
        ------
        SpecError
            One line that names the file, the path, the rule, what was given, and the nearest valid key.
        """
        if isinstance(data, Mapping) and isinstance(data.get("network"), str | Path):
            named = Path(file).parent / data["network"] if file else Path(data["network"])
            if not named.exists():
                raise SpecError("there is no such file", got=str(named), path="network", file=file)
            data = {**data, "network": load_network(named)}
        if isinstance(data, Mapping):
            folder = Path(file).parent if file else Path()
            data = {k: locate_files(v, folder) if k in {"network", "set"} else v for k, v in data.items()}
            if file:
                data = _with_warm_start(data, folder)
            if "repeat" in data:
                data = {**data, "repeat": locate_states(data["repeat"], folder)}
        return super().parse(data, file=file)

    @model_validator(mode="before")
    @classmethod
    def _with_values_set(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        changes = data["set"] if isinstance(data.get("set"), Mapping) else {}
        first = first_value(data.get("ramp"))
        if not changes and not first:
            return data
        network = data.get("network")
        if isinstance(network, Mapping):
            try:
                network = NetworkSpec.parse(network)
            except SpecError as error:
                error.path = f"network.{error.path}" if error.path else "network"
                raise
        if not isinstance(network, NetworkSpec):
            return data
        try:
            network = network.with_values(changes)
        except SpecError as error:
            at = f"{error.path}."
            named = any(at.startswith(f"{path}.") or f"{path}.".startswith(at) for path in changes)
            error.path = f"{'set' if named else 'network'}.{error.path}" if error.path else "set"
            raise
        with suppress(SpecError):  # a ramp that does not fit is told of by its own check
            network = network.with_values(first)
        return {**data, "network": network}

    @field_validator("perturb", mode="before")
    @classmethod
    def _one_kick(cls, value: object) -> object:
        return [value] if isinstance(value, Mapping) else value

    @field_validator("measure", "theory")
    @classmethod
    def _measures_differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise SpecError("must not hold a value twice", got=list(value))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in DYNAMIC:
            given = getattr(self.dynamics, name)
            if name not in self.measure and given != type(given)():
                raise SpecError(
                    "has no effect: it is not measured",
                    remedy=f"add {name} to measure",
                    path=f"dynamics.{name}",
                )
        if self.ramp is not None and self.ramp.path in self.set:
            raise SpecError("is set and ramped at once", path=f"set.{self.ramp.path}")
        for path in self.space:
            if any(f"{path}." == f"{name}." or f"{path}.".startswith(f"{name}.") for name in self.set):
                remedy = f"to fix it, put one value under space: {path}: [value]"
                raise SpecError("is set and swept at once", path=f"space.{path}", remedy=remedy)
        for axis in self.axes:
            if isinstance(self.search, GridSearch) and axis.levels is None:
                raise SpecError(
                    "must list its values in a grid search",
                    remedy="write {from, to, num}, or search: {kind: sobol, trials: 256}",
                    path=f"space.{axis.path}",
                )
            self._check_ends(axis)
        check_supplied(self.repeat.starts, self._structures())
        check_applicable(self.network, self.measure)
        check_protocols(self.network, self.ramp, self.perturb, [axis.path for axis in self.axes])
        own = any(is_time(path) for path in self.space)
        if self.window is None and (own or any(s.jitter is not None for s in self.network.stimuli)):
            check_window(self.measure)
        if self.longest != "auto" and "regime" not in self.measure:
            raise SpecError(
                "has no effect: regimes are not measured", remedy="add regime to measure", path="longest"
            )
        trials = getattr(self.search, "trials", None)
        if trials is not None and not self.space:
            raise SpecError(f"must have at least one axis in a {self.search.kind} search", path="space")
        check_conditions(self.axes)
        distinct = count_assignments(self.axes)
        if trials is not None and trials > distinct:
            raise SpecError(
                f"must be at most the {distinct:g} different assignments that there are",
                got=trials,
                path="search.trials",
            )
        if self.points > _MOST_POINTS:
            raise SpecError(f"must give at most {_MOST_POINTS:g} points", got=self.points, path="space")
        if self.window is not None and self.window > self.network.duration and "duration" not in self.space:
            raise SpecError(
                f"must be at most the duration, {self.network.duration:g} s", got=self.window, path="window"
            )
        if isinstance(self.search, BoundarySearch):
            check_boundary(self, self.search)
        if isinstance(self.search, ListSearch):
            check_listed(self.axes, self.search)
        if isinstance(self.search, Learning):
            self._check_search(self.search)
        elif self.stop is not None and self.stop.learns:
            raise SpecError(
                f"has no meaning in a {self.search.kind} search, which has no objective",
                path=f"stop.{self.stop.learns[0]}",
                remedy="use points or time",
            )
        return self

    def _check_search(self, search: Learning) -> None:
        """Raise SpecError if a search cannot learn what is asked, or asks for what is not measured."""
        for path, goal in search.named_goals:
            self._check_column(goal.column, f"search.{path}")
        several = len(search.goals) > 1
        if isinstance(search, CmaesSearch):
            if len(self.axes) < 2:
                raise SpecError(
                    "must have at least two axes in a cmaes search", path="space", remedy="use tpe"
                )
            for axis in self.axes:
                if not axis.ordered or axis.when:
                    rule = "is conditional" if axis.when else "has no order"
                    raise SpecError(
                        f"{rule}, which cmaes cannot search", path=f"space.{axis.path}", remedy="use tpe"
                    )
            if several:
                raise SpecError(
                    "must be one for cmaes",
                    got=len(search.goals),
                    path="search.objective",
                    remedy="use nsga2",
                )
        if several and self.stop is not None and self.stop.learns:
            raise SpecError("has no meaning for several objectives", path=f"stop.{self.stop.learns[0]}")
        for i, text in enumerate(search.constraints):
            try:
                self.check_condition(parse_condition(text))
            except SpecError as error:
                error.path = f"search.constraints.{i}"
                raise

    def _one_row(self) -> dict[str, Any]:
        """Return columns like those of this sweep's table, with a row to try conditions on."""
        names = [*self.measured, *self.predicted]
        found: dict[str, Any] = {name: np.ones(1) for name in (*_NUMBERS, *names)}
        found |= {name: np.array(["ok"], object) for name in _TEXTS}
        if "regime" in self.measure:
            found["regime"] = np.array(["bump"], object)
        found |= {name: np.array(["ok"], object) for name in THEORY_TEXTS if name in found}
        for axis in self.axes:
            found[f"point.{axis.path}"] = np.array([axis.ends[0]], object if axis.text else float)
        return found

    def _check_ends(self, axis: ResolvedAxis) -> None:
        """Raise SpecError if a value of an axis is not allowed, whatever the axes are that decide it too.

        Those are the structural ones, and for a time of a stimulus the other times.
        """
        others = [
            other
            for other in self.axes
            if other is not axis and (other.structural or (is_time(axis.path) and is_time(other.path)))
        ]
        corners = list(islice(product(*(other.ends for other in others)), _MOST_CORNERS))
        for value in axis.ends:
            fault = self._fault({axis.path: value})
            if fault is None or (
                others
                and any(
                    self._fault(
                        {axis.path: value, **dict(zip((o.path for o in others), corner, strict=True))}
                    )
                    is None
                    for corner in corners
                )
            ):
                continue
            own = fault.path == axis.path
            raise SpecError(
                fault.rule if own else f"is not allowed: {fault.path} {fault.rule}",
                got=fault.got if own else value,
                remedy=fault.remedy,
                path=f"space.{axis.path}",
            )

    def _structures(self) -> list[NetworkSpec]:
        """Return the network, and with each end of each structural axis, as far as it is allowed alone."""
        found = [self.network] if self.repeat.starts else []
        for axis in self.axes if found else ():
            if axis.structural:
                ends = [{axis.path: value} for value in axis.ends]
                found += [self.network.with_values(end) for end in ends if self._fault(end) is None]
        return found

    def _fault(self, values: Mapping[str, Any]) -> SpecError | None:
        try:
            self.network.with_values(values)
        except SpecError as error:
            return error
        return None

    def _check_column(self, name: str, path: str) -> None:
        predicted = [column for column in self.predicted if column not in THEORY_TEXTS]
        known = [*self.measured, *predicted]
        if name not in known:
            raise SpecError(
                "is not a column of this sweep", got=name, remedy=suggestion(name, known), path=path
            )

    def check_columns(self, names: Iterable[str]) -> None:
        """Raise SpecError if one of the dotted names is no column of this sweep's table."""
        known = self.number_columns
        for name in names:
            if "." in name and name not in known:
                raise SpecError("is not a column of this sweep", got=name, remedy=suggestion(name, known))

    def check_condition(self, condition: Condition) -> None:
        """Raise SpecError if a condition on this sweep's table can have no truth, or compares with what cannot occur.

        That is if it names no column, compares texts with numbers, or names a status or regime that there is not.
        """
        self.check_columns(condition.names)
        row = self._one_row()
        condition.truth(row)
        for column, known in (("status", _STATUSES), ("regime", tuple(LABELS))):
            for text in condition.texts_of(column) if column in row else ():
                if text not in known:
                    raise SpecError(f"is no {column}", got=text, remedy=suggestion(text, known))

    @property
    def number_columns(self) -> list[str]:
        """The columns of numbers of this sweep's table; swept paths with ``point.`` and without."""
        swept = [axis.path for axis in self.axes]
        return [
            *self.measured,
            *self.predicted,
            *swept,
            *(f"point.{path}" for path in swept),
        ]

    @property
    def measured(self) -> list[str]:
        """The columns of numbers that come from simulations."""
        found = statistics(self.network, self.measure, self.dynamics)
        return [*found, *protocol_columns(self.ramp, self.perturb)]

    @cached_property
    def axes(self) -> tuple[ResolvedAxis, ...]:
        """The axes with unit, type and values, in the order of the file."""
        found = []
        for path, axis in self.space.items():
            try:
                found.append(resolve_axis(axis, find_path(self.network, path)))
            except SpecError as error:
                inner = error.path if error.path and error.path != path else None
                error.path = ".".join(part for part in ("space", path, inner) if part)
                raise
        return tuple(found)

    @property
    def fold_ranges(self) -> dict[str, tuple[float, float]]:
        """The ends of the axes along which theory seeks folds: of all that are batchable."""
        found = {}
        for axis in self.axes:
            ends = [float(end) for end in axis.ends if not isinstance(end, str)]
            if not axis.structural and len(ends) > 1:
                found[axis.path] = (min(ends), max(ends))
        return found

    @property
    def predicted(self) -> list[str]:
        """The columns that theory adds."""
        return theory_columns(self.network, self.theory, self.fold_ranges)

    @property
    def trials(self) -> int:
        """Number of assignments; of a search that may stop before, the most that there can be."""
        if isinstance(self.search, GridSearch):
            return int(count_assignments(self.axes))
        if isinstance(self.search, ListSearch):
            return len(next(iter(self.search.assignments.values())))
        if isinstance(self.search, BoundarySearch):
            return self.search.points // len(self.repeat.initial_conditions)
        return self.search.trials

    @property
    def points(self) -> int:
        """Number of points: assignments times repetitions."""
        if isinstance(self.search, BoundarySearch):
            return self.trials * len(self.repeat.initial_conditions)
        return self.trials * self.repeat.count

    def longest_run(self, network: NetworkSpec) -> float | None:
        """Return up to which simulated time a network's runs go on, seconds; None where none can."""
        if "regime" not in self.measure:
            return None
        limit = min(_LONGEST_RUN, 8.0 * network.duration) if self.longest == "auto" else self.longest
        return limit if limit > network.duration else None

    @property
    def keeps_traces(self) -> bool:
        """Whether time courses are kept."""
        return self.points <= _TRACED_POINTS if self.traces == "auto" else self.traces

    def identity(self) -> dict[str, Any]:
        """Return what determines the table: everything but names, the question, and where it runs."""
        data = self.to_dict()
        for key in ("name", "set", "answer", "stop", "compute"):
            data.pop(key, None)
        data["dynamics"] = {name: data["dynamics"][name] for name in DYNAMIC if name in self.measure}
        if not data["dynamics"]:
            del data["dynamics"]
        if not self.theory:
            del data["theory"]
        if not self.perturb:
            del data["perturb"]
        data["repeat"] = starts_identity(data["repeat"])
        if "regime" not in self.measure:
            del data["longest"]
        data["network"] = without_files(data["network"])
        return {**data, "traces": self.keeps_traces, "precision": self.compute.precision}


def _with_warm_start(data: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return a sweep's data with its warm start found from the folder of its file."""
    search = data.get("search")
    given = search.get("warm_start") if isinstance(search, Mapping) else None
    if not isinstance(given, str) or "://" in given:
        return data
    if not (folder / given).exists():
        raise SpecError("there is no such file or directory", got=given, path="search.warm_start")
    return {**data, "search": {**search, "warm_start": str(folder / given)}}  # type: ignore[dict-item]
