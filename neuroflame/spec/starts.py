"""Initial conditions: by name, drawn at random, or supplied as states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Flag, Real, Spec, Whole, quantity, suggestion
from neuroflame.spec.state_file import StateFile, parse_state_file, read_state_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from neuroflame.spec.network import NetworkSpec

STARTS = ("network", "cold", "hot", "cued")
"""What an initial condition may be; ``cued@45`` is ``cued`` with the stimuli turned by 45 degrees."""
TURNED = "cued@"
_MOST = 3600


class RandomStart(Spec):
    """Starts drawn at random: `random@0`, `random@1`, ….

    Each population has a mean rate of its own, uniform in its logarithm between `low` and `high`, and a first Fourier
    mode over preferred angles of uniform phase and of an amplitude uniform in 0 to `modulation` times the mean. Each
    neuron's rate is that times 1 + `spread` ξ, ξ uniform in −1 to 1. Each plastic pair has one u, uniform in U to 1,
    and one x, uniform in 0 to 1. All else is as in a cold start. Draws follow from the point's seed and the number.
    """

    kind: Literal["random"] = quantity("The start's kind.")
    num: Whole = quantity("Number of draws.", default=8, ge=1, le=_MOST)
    low: Real = quantity("Lowest mean rate.", default=0.1, unit="Hz", gt=0)
    high: Real = quantity("Highest mean rate.", default=100.0, unit="Hz", gt=0)
    modulation: Real = quantity(
        "Largest amplitude of the first Fourier mode, over the mean rate.", default=1.0, ge=0, le=1
    )
    spread: Real = quantity("Largest deviation of a neuron, over its rate.", default=0.0, ge=0, le=1)
    stp: Flag = quantity("Whether u and x are drawn too; else they start at rest.", default=True)
    stimuli: Flag = quantity("Whether the points receive the stimuli.", default=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise SpecError("must be at least low", got=self.high, path="high")
        return self

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What is added to the name, one for each start."""
        return tuple(f"@{k}" for k in range(self.num))


class SuppliedStart(Spec):
    """Starts from states that `Network.save_state` wrote, or any .npz file of arrays by the names of variables.

    Variables that the file lacks start as the network file says. Time begins anew at 0.
    """

    kind: Literal["state"] = quantity("The start's kind.")
    file: str = quantity("A .npz file, relative to the sweep's file.")
    rows: tuple[Whole, ...] | None = quantity(
        "Which of the file's states, counted from 0; by default all.", default=None, min_length=1
    )
    stimuli: Flag = quantity("Whether the points receive the stimuli.", default=False)
    content: str | None = quantity("Digest of the file's states; filled in when it is read.", default=None)
    count: Whole | None = quantity("Number of the file's states; filled in when it is read.", default=None)

    @field_validator("rows", mode="before")
    @classmethod
    def _one_row(cls, value: object) -> object:
        return [value] if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="before")
    @classmethod
    def _with_content(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("file"), str) or data.get("content"):
            return data
        found = read_state_file(data["file"])
        return {**data, "content": found.digest, "count": found.rows}

    @model_validator(mode="after")
    def _there(self) -> Self:
        for i, row in enumerate(self.rows or ()):
            if not 0 <= row < (self.count or 0):
                rule = f"must be one of the file's states, 0 to {(self.count or 0) - 1}"
                raise SpecError(rule, got=row, path=f"rows.{i}")
        if self.rows is not None and len(set(self.rows)) < len(self.rows):
            raise SpecError("must not hold a value twice", got=list(self.rows), path="rows")
        return self

    @property
    def unchanged(self) -> bool:
        """Whether the file still holds what it held when the sweep was described."""
        try:
            return read_state_file(self.file).digest == self.content
        except SpecError:
            return False

    def read(self, kept: bytes | None = None) -> StateFile:
        """Return the file's states, from a copy of its content that was kept, or from the file.

        Raises
        ------
        SpecError
            If there is neither, or the file has changed since the sweep was described.
        """
        found = read_state_file(self.file) if kept is None else parse_state_file(kept, self.file)
        if found.digest != self.content:
            raise SpecError("has changed since the sweep was described", got=self.file, path="file")
        return found

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What is added to the name, one for each start; empty where the file holds one state."""
        if self.count == 1:
            return ("",)
        return tuple(f"@{row}" for row in (range(self.count or 0) if self.rows is None else self.rows))


Start = Annotated[RandomStart | SuppliedStart, Discriminator("kind")]


def check_supplied(starts: Mapping[str, Start], networks: Sequence[NetworkSpec]) -> None:
    """Raise `SpecError` if a file's states do not fit one of some networks.

    Files that are gone or have changed since are passed over: a sweep that is continued has a copy of its own.
    """
    for name, start in starts.items():
        if isinstance(start, SuppliedStart) and start.unchanged:
            for network in networks:
                try:
                    start.read().check(network)
                except SpecError as error:
                    error.path = f"repeat.starts.{name}.file"
                    raise


def origin_of(name: str) -> tuple[str, int]:
    """Return of which definition a start is, and which of its draws or states."""
    base, _, number = name.partition("@")
    return base, int(number) if number.isdigit() else 0


def turn_of(name: str, *, defined: Collection[str] = (), path: str | None = None) -> float:
    """Return by how many degrees an initial condition turns the network's stimuli.

    Parameters
    ----------
    name : str
    defined : collection of str
        Names of starts that are drawn or supplied.
    path : str, optional
        Where the name stands, for errors.

    Raises
    ------
    SpecError
        If there is no such initial condition.
    """
    if name in STARTS or origin_of(name)[0] in defined:
        return 0.0
    try:
        turn = float(name.removeprefix(TURNED)) if name.startswith(TURNED) else math.nan
    except ValueError:
        turn = math.nan
    if not math.isfinite(turn):
        remedy = suggestion(name, (*STARTS, *defined))
        raise SpecError("is not an initial condition", got=name, path=path, remedy=remedy)
    return turn


def starts_of(entry: Any) -> tuple[Any, ...]:
    """Return the names that one entry of ``initial_conditions`` stands for: ``{cued: 8}`` for eight phases.

    The first of them is the network file's own phase, ``cued``.
    """
    if not isinstance(entry, Mapping):
        return (entry,)
    count = entry.get("cued")
    if set(entry) != {"cued"} or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise SpecError(
            "must be a name, {cued: N} for cues at N phases, {kind: random, num: N} or {kind: state, file: …}",
            got=dict(entry),
        )
    return ("cued", *(f"{TURNED}{360 * k / count:g}" for k in range(1, count)))


def expanded_starts(data: Any) -> Any:
    """Return plain data of a ``repeat`` in which every initial condition is a name; what they mean is in ``starts``."""
    if not isinstance(data, Mapping) or not isinstance(data.get("initial_conditions"), list | tuple):
        return data
    starts = dict(data.get("starts") or {})
    names: list[Any] = []
    for i, entry in enumerate(data["initial_conditions"]):
        try:
            if isinstance(entry, Mapping) and "kind" in entry:
                name, start = _defined(entry)
                if name in starts:
                    raise SpecError(
                        "must differ between starts", got=name, remedy="give each a name", path="name"
                    )
                starts[name] = start
                names += [f"{name}{suffix}" for suffix in start.suffixes]
            else:
                names += starts_of(entry)
        except SpecError as error:
            error.path = ".".join(part for part in ("initial_conditions", str(i), error.path) if part)
            raise
    return {**data, "initial_conditions": names, "starts": starts}


def _defined(entry: Mapping[str, Any]) -> tuple[str, Start]:
    """Return the name and the meaning of a start that is drawn or supplied."""
    kinds: dict[Any, type[RandomStart | SuppliedStart]] = {"random": RandomStart, "state": SuppliedStart}
    if entry["kind"] not in kinds:
        got = entry["kind"]
        raise SpecError("must be random or state", got=got, remedy="or a name such as cold", path="kind")
    own = {key: value for key, value in entry.items() if key != "name"}
    start = kinds[entry["kind"]].parse(own)
    default = "random" if isinstance(start, RandomStart) else Path(start.file).stem
    name = entry.get("name", default)
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier() or name in STARTS:
        rule = f"must be letters, digits, - and _, and none of {', '.join(STARTS)}"
        raise SpecError(rule, got=name, remedy="give it a name", path="name")
    return name, start


@dataclass(frozen=True)
class Supplied:
    """States to start from, as they were read.

    Attributes
    ----------
    file : StateFile
    stimuli : bool
        Whether the points receive the stimuli.
    """

    file: StateFile
    stimuli: bool


def read_starts(
    starts: Mapping[str, Start], kept: Callable[[str], bytes | None] = lambda _: None
) -> dict[str, RandomStart | Supplied]:
    """Return what the names of starts mean, with the states of files read.

    Parameters
    ----------
    starts : mapping of str to Start
    kept : callable
        From a digest to the content of the file that had it, None where no copy was kept.
    """
    return {
        name: start
        if isinstance(start, RandomStart)
        else Supplied(start.read(kept(str(start.content))), start.stimuli)
        for name, start in starts.items()
    }


def named_starts(initial: Any) -> tuple[list[str], dict[str, RandomStart | Supplied]]:
    """Return the initial conditions that a caller names, and what those mean that are drawn or read from a file.

    Parameters
    ----------
    initial : str, mapping, or sequence of them
        As the entries of a sweep's ``initial_conditions``: names, ``{cued: 8}``, ``{kind: random, num: 8}``,
        ``{kind: state, file: ...}``.

    Raises
    ------
    SpecError
        If one is not an initial condition.
    """
    entries = [initial] if isinstance(initial, str | Mapping) else list(initial)
    try:
        found = expanded_starts({"initial_conditions": entries})
        starts = read_starts(found["starts"])
    except SpecError as error:
        error.path = f"initial{(error.path or '').removeprefix('initial_conditions')}"
        raise
    for name in found["initial_conditions"]:
        turn_of(name, defined=starts, path="initial")
    return found["initial_conditions"], starts


def locate_states(repeat: Any, folder: Path) -> Any:
    """Return plain data of a ``repeat`` whose state files are named absolutely."""
    if not isinstance(repeat, Mapping) or not isinstance(repeat.get("initial_conditions"), list | tuple):
        return repeat
    found = [
        {**entry, "file": str((folder / entry["file"]).resolve())}
        if isinstance(entry, Mapping) and isinstance(entry.get("file"), str)
        else entry
        for entry in repeat["initial_conditions"]
    ]
    return {**repeat, "initial_conditions": found}


def starts_identity(repeat: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data of a ``repeat`` where the content of a file stands for it, wherever it lies."""
    bare = {
        name: {key: value for key, value in start.items() if key not in {"file", "count"}}
        for name, start in repeat["starts"].items()
    }
    return {**repeat, "starts": bare} if bare else {k: v for k, v in repeat.items() if k != "starts"}
