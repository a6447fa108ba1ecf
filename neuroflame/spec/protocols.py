"""What may follow the run of each point: whether it fits the network, how long it takes, which columns it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError
from neuroflame.spec.kicks import RECOVERY
from neuroflame.spec.ramps import LOOP, Ramp
from neuroflame.spec.stimuli import ArrayStimulus, is_time, span

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from neuroflame.spec.kicks import Perturbation
    from neuroflame.spec.network import NetworkSpec


def check_protocols(
    network: NetworkSpec, ramp: Ramp | None, perturb: Sequence[Perturbation], swept: Collection[str] = ()
) -> None:
    """Raise `SpecError` if a ramp or a kick does not fit a network, or stimuli cannot go on after the run.

    Parameters
    ----------
    network : NetworkSpec
    ramp : Ramp, optional
    perturb : sequence of Perturbation
    swept : collection of str
        Paths that differ between points.
    """
    parts: list[tuple[str, Any]] = [("ramp", ramp)] if ramp is not None else []
    alone = len(perturb) == 1
    parts += [("perturb" if alone else f"perturb.{i}", kick) for i, kick in enumerate(perturb)]
    for path, part in parts:
        try:
            _check_times(network, swept)
            if isinstance(part, Ramp):
                part.check(network, swept)
            else:
                part.check(network)
        except SpecError as error:
            error.path = f"{path}.{error.path}" if error.path else path
            raise
    names = [kick.name for kick in perturb]
    for i, name in enumerate(names):
        if len(names) > 1 and name is None:
            raise SpecError("is required where there are several kicks", path=f"perturb.{i}.name")
        if name is not None and (not name.isidentifier() or name in RECOVERY):
            rule = f"must be letters, digits and _, and none of {', '.join(RECOVERY)}"
            raise SpecError(rule, got=name, path="perturb.name" if alone else f"perturb.{i}.name")
        if name in names[:i]:
            raise SpecError("must differ between kicks", got=name, path=f"perturb.{i}.name")


def _check_times(network: NetworkSpec, swept: Collection[str]) -> None:
    if any(stimulus.jitter is not None for stimulus in network.stimuli) or any(map(is_time, swept)):
        raise SpecError("cannot follow runs whose stimuli have times of each point's own")
    for i, stimulus in enumerate(network.stimuli):
        lasts = span(stimulus, network.dt).end >= network.duration - 0.5 * network.dt
        if lasts and isinstance(stimulus, ArrayStimulus) and stimulus.lasting:
            name = stimulus.name or i
            raise SpecError(f"cannot go on with the time course of stimuli.{name}, which ends with the run")


def lasting(network: NetworkSpec, steps: int) -> NetworkSpec:
    """Return a network whose run takes so many more steps; stimuli that are on at its end stay on."""
    more = steps * network.dt
    changes: dict[str, Any] = {"duration": network.duration + more}
    for i, stimulus in enumerate(network.stimuli):
        if span(stimulus, network.dt).end >= network.duration - 0.5 * network.dt:
            key = "offset" if stimulus.offset is not None else "duration"
            changes[f"stimuli.{stimulus.name or i}.{key}"] = getattr(stimulus, key) + more
    return network.with_values(changes)


def protocol_steps(
    network: NetworkSpec, ramp: Ramp | None, perturb: Sequence[Perturbation]
) -> dict[str, int]:
    """Return the steps of the network that a point takes after its run; a kicked point runs beside one that is not."""
    found = {} if ramp is None else {"ramp": ramp.steps(network.dt)}
    kicks = sum(2 * kick.steps(network) for kick in perturb)
    return found | ({"perturb": kicks} if perturb else {})


def protocol_columns(ramp: Ramp | None, perturb: Sequence[Perturbation]) -> list[str]:
    """Return the columns of numbers that a ramp and kicks add; a ramp's levels are series."""
    found = [] if ramp is None else list(LOOP)
    return found + [f"{recovery_of(kick)}.{what}" for kick in perturb for what in RECOVERY]


def recovery_of(kick: Perturbation) -> str:
    """Return what the columns of a kick begin with."""
    return "recovery" if kick.name is None else f"recovery.{kick.name}"
