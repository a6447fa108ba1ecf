"""The sweep that checks labels: the same network at half the step, with twice the neurons, or for twice the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError
from neuroflame.spec.axes import ChoiceAxis
from neuroflame.spec.starts import SuppliedStart
from neuroflame.spec.stimuli import ArrayStimulus, span
from neuroflame.spec.sweep import SweepSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.resolved import ResolvedAxis

Row = tuple[Any, ...]
"""An assignment: a value of each axis, None where it does not count."""

GRAPHS = 3
"""Draws of random connectivity with twice the neurons, at least."""
_NO_EVIDENCE = ("weights", "fixed_points", "diffusion")
"""Measures that labels do not depend on."""


def factors_of(network: NetworkSpec, check: str, stretch: float = 1) -> dict[str, float]:
    """Return the paths of a network that a check changes, and by which factor.

    Parameters
    ----------
    network : NetworkSpec
    check : {"dt", "n", "t"}
    stretch : float
        How many times longer than the duration the runs are that are to be doubled: those that were `slow` at first.
    """
    if check == "dt":
        return {"dt": 0.5}
    if check == "t":
        return {"duration": 2 * stretch}
    return {f"populations.{name}.size": 2 for name in network.populations}


def checking_sweep(
    spec: SweepSpec, check: str, rows: Sequence[Row], *, stretch: float = 1, window: float | None = None
) -> SweepSpec:
    """Return the sweep that checks the labels of some assignments.

    K, couplings and stimuli stay what they are; of random connectivity with twice the neurons there are at least
    three draws. Only what labels depend on is measured.

    Parameters
    ----------
    spec : SweepSpec
        The sweep whose labels are checked.
    check : {"dt", "n", "t"}
    rows : sequence of tuple
        Values of its axes.
    stretch : float
        See `factors_of`.
    window : float, optional
        The final window (s), where it is not the sweep's own.

    Raises
    ------
    SpecError
        If something in the network cannot be doubled.
    """
    network, factors = spec.network, factors_of(spec.network, check, stretch)
    if check == "n":
        _check_doubles(spec)
    if check == "t":
        _check_ends(spec, rows, factors["duration"])
    changes: dict[str, Any] = {path: network.get(path) * factor for path, factor in factors.items()}
    if check == "dt":
        changes |= _lasting(spec)
    measure = [name for name in spec.measure if name not in _NO_EVIDENCE]
    data = spec.to_dict()
    for key in ("ramp", "perturb", "theory", "answer", "stop", "set"):
        data.pop(key, None)  # what is not set is not told
    data["dynamics"] = {name: value for name, value in data["dynamics"].items() if name in measure}
    values = zip(*rows, strict=True) if spec.axes else ()
    data |= {
        "name": f"{spec.name}.robust.{check}",
        "network": network.with_values(changes),
        "space": {axis.path: _axis(spec, axis, factors) for axis in spec.axes},
        "measure": measure,
        "traces": False,
        "search": {
            "kind": "list",
            "assignments": {
                axis.path: [_times(value, factors.get(axis.path, 1)) for value in column]
                for axis, column in zip(spec.axes, values, strict=True)
            },
        }
        if spec.axes
        else {"kind": "grid"},
    }
    if window is not None:
        data["window"] = window
    if check == "t" and spec.longest != "auto":
        data["longest"] = 2 * spec.longest
    if check == "n" and any(pair.random for pair in network.pairs):
        data["repeat"]["graphs"] = _graphs(spec.repeat.graphs)
    return SweepSpec.parse(data)


def _check_doubles(spec: SweepSpec) -> None:
    """Raise SpecError if something holds a number for each neuron, and with_values would not notice."""
    for pair in spec.network.pairs:
        if pair.kind == "given":
            raise SpecError(
                "is given weight by weight, and cannot be drawn for twice the neurons",
                path=f"connectivity.pairs.{pair.name}",
            )
    for name, start in spec.repeat.starts.items():
        if isinstance(start, SuppliedStart):
            raise SpecError(
                "is a state of as many neurons as there are, and cannot start twice as many",
                got=start.file,
                path=f"repeat.starts.{name}",
            )


def _check_ends(spec: SweepSpec, rows: Sequence[Row], factor: float) -> None:
    """Raise SpecError if a stimulus that lasts to the end of the run would end within a longer one."""
    at = [axis.path for axis in spec.axes].index("duration") if "duration" in spec.space else None
    durations = {spec.network.duration if at is None or row[at] is None else row[at] for row in rows}
    for i, stimulus in enumerate(spec.network.stimuli):
        end = span(stimulus, spec.network.dt).end
        if any(duration <= end < factor * duration for duration in durations):
            raise SpecError(
                "lasts to the end of the run, and a longer run would have another stimulus",
                got=f"an end at {end:g} s",
                path=f"stimuli.{stimulus.name or i}",
            )


def _lasting(spec: SweepSpec) -> dict[str, float]:
    """Return how long the values of time courses last that last a step by default: as long as before."""
    found = {}
    for i, stimulus in enumerate(spec.network.stimuli):
        if isinstance(stimulus, ArrayStimulus) and stimulus.over != "neurons" and stimulus.sample_dt is None:
            path = f"stimuli.{stimulus.name or i}.sample_dt"
            if "dt" in spec.space:
                raise SpecError(
                    "is a step by default, and dt is swept",
                    path=path,
                    remedy="give the network's stimulus a sample_dt",
                )
            found[path] = spec.network.dt
    return found


def _axis(spec: SweepSpec, axis: ResolvedAxis, factors: Mapping[str, float]) -> dict[str, Any]:
    """Return an axis as a sweep file has it, its values and those of the axes that it waits for times their factors."""
    factor = factors.get(axis.path, 1)
    if axis.levels is None:
        form: dict[str, Any] = {
            "low": axis.low * factor,
            "high": axis.high * factor,
            "log": axis.log,
            "integer": axis.integer,
        }
    else:
        kind = "choices" if isinstance(spec.space[axis.path], ChoiceAxis) else "values"
        form = {kind: [_times(level, factor) for level in axis.levels]}
    when = {path: [_times(v, factors.get(path, 1)) for v in values] for path, values in axis.when.items()}
    return form | ({"when": when} if when else {})


def _times(value: Any, factor: float) -> Any:
    return value * factor if factor != 1 and value is not None else value


def _graphs(given: Sequence[int]) -> list[int]:
    """Return the numbers of so many draws at least, those that there are first."""
    others = (number for number in range(len(given) + GRAPHS) if number not in given)
    return [*given, *(number for number, _ in zip(others, range(GRAPHS - len(given)), strict=False))]
