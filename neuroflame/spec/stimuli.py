"""Stimuli: when they are on, onto whom, and what each neuron receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Discriminator, field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.arrays import Contents, literal, read_contents
from neuroflame.spec.base import Real, Spec, Whole, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np


class Jitter(Spec):
    """A further delay, drawn for each point from its seed, uniform between low and high."""

    low: Real = quantity("Shortest further delay.", default=0.0, unit="s")
    high: Real = quantity("Longest further delay.", unit="s")
    draw: Whole | None = quantity(
        "Number of the draw: stimuli that name the same one move together; by default each has its own.",
        default=None,
        structural=True,
        ge=0,
    )

    @model_validator(mode="after")
    def _ordered(self) -> Jitter:
        if self.high <= self.low:
            raise SpecError("must be greater than low", got=self.high, path="high")
        return self


class Epoch(Spec):
    """When a stimulus is on, and onto whom."""

    name: str | None = quantity("A name to address the stimulus by, instead of its number.", default=None)
    onset: Real = quantity("Time at which it starts.", unit="s", ge=0)
    offset: Real | None = quantity("Time at which it ends.", default=None, unit="s", ge=0)
    duration: Real | None = quantity(
        "How long it lasts, in place of an offset.", default=None, unit="s", gt=0
    )
    delay: Real = quantity("Time by which onset and offset are moved.", default=0.0, unit="s")
    jitter: Jitter | None = quantity("A further delay, drawn for each point.", default=None, structural=True)
    strength: Real = quantity("Amplitude, in units of J0.")
    populations: tuple[str, ...] = quantity(
        "Populations that receive it; by default the first.", default=(), structural=True
    )

    @model_validator(mode="after")
    def _ordered(self) -> Epoch:
        if self.offset is not None and self.duration is not None:
            raise SpecError(
                "stands beside offset", got=self.duration, path="duration", remedy="give one of them"
            )
        if self.offset is None and self.duration is None and not self.lasting:
            raise SpecError("is required", path="offset", remedy="or give a duration")
        if self.offset is not None and self.offset <= self.onset:
            raise SpecError("must be after onset", got=self.offset, path="offset")
        return self

    @property
    def lasting(self) -> bool:
        """Whether the stimulus says itself how long it lasts."""
        return False


class CosineStimulus(Epoch):
    """strength · (1 + width · cos(θ − phase))."""

    shape: Literal["cosine"] = quantity("The stimulus's shape.", structural=True)
    phase: Real = quantity(
        "Preferred angle of the neurons that it drives most.", default=180.0, unit="degrees"
    )
    width: Real = quantity("Depth of the modulation.", default=1.0)


class GaussianStimulus(Epoch):
    """strength · exp(−d(θ, phase)² / 2 width²), d the circular distance."""

    shape: Literal["gaussian"] = quantity("The stimulus's shape.", structural=True)
    phase: Real = quantity(
        "Preferred angle of the neurons that it drives most.", default=180.0, unit="degrees"
    )
    width: Real = quantity("Standard deviation of the bump.", default=30.0, unit="degrees", gt=0)


class PatternStimulus(Epoch):
    """strength · ξ, ξ a random number for each neuron: standard normal, or with a density 0 or 1."""

    shape: Literal["pattern"] = quantity("The stimulus's shape.", structural=True)
    number: Whole = quantity(
        "Number of the pattern: stimuli with the same number and seed share it.", structural=True, ge=0
    )
    seed: Whole = quantity("Seed that the patterns are drawn from.", default=0, structural=True, ge=0)
    density: Real | None = quantity(
        "Probability that a neuron is driven: patterns of 0 and 1 in place of normal numbers.",
        default=None,
        gt=0,
        le=1,
    )
    like: Whole | None = quantity(
        "Number of another pattern that this one overlaps with.", default=None, structural=True, ge=0
    )
    overlap: Real | None = quantity(
        "Correlation over neurons with the pattern that like names.", default=None, ge=-1, le=1
    )

    @model_validator(mode="after")
    def _overlap_with_another(self) -> PatternStimulus:
        if (self.like is None) != (self.overlap is None):
            missing = "like" if self.like is None else "overlap"
            raise SpecError(f"must come with {'overlap' if missing == 'like' else 'like'}", path=missing)
        if self.like is not None and self.like == self.number:
            raise SpecError("must be another pattern", got=self.like, path="like")
        if self.density is not None and self.overlap is not None and self.overlap < 0:
            raise SpecError(
                "must be at least 0 between patterns of 0 and 1", got=self.overlap, path="overlap"
            )
        return self


class ArrayStimulus(Epoch):
    """strength times the values of an array: over neurons, over time, or over both."""

    shape: Literal["array"] = quantity("The stimulus's shape.", structural=True)
    over: Literal["neurons", "time", "both"] = quantity(
        "What the array's axes are: the neurons of a population, time since the onset, or time and then neurons.",
        structural=True,
    )
    file: str | None = quantity("A .npy file, relative to the network's file.", default=None, structural=True)
    values: tuple[Any, ...] | None = quantity(
        "The values themselves, in place of a file: a list, or a list of one list a time.",
        default=None,
        structural=True,
    )
    sample_dt: Real | None = quantity(
        "Time for which each value over time holds; by default a step.",
        default=None,
        unit="s",
        structural=True,
        gt=0,
    )
    content: str | None = quantity(
        "Digest of the file's content; filled in when the file is read.", default=None, structural=True
    )
    strength: Real = quantity("Factor on the values, which are in units of J0.", default=1.0)

    @model_validator(mode="before")
    @classmethod
    def _with_content(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("file"), str):
            return data
        found = read_contents(data["file"]).digest
        if data.get("content") not in {None, found}:
            raise SpecError("has changed: it holds other values than before", got=data["file"], path="file")
        return {**data, "content": found}

    @field_validator("values", mode="before")
    @classmethod
    def _literal(cls, value: object) -> object:
        return value if value is None else literal(value)

    @model_validator(mode="after")
    def _consistent(self) -> ArrayStimulus:
        if (self.file is None) == (self.values is None):
            raise SpecError("must be given, or a file: one of the two", path="values")
        if self.content is not None and self.file is None:
            raise SpecError("has no effect without a file", got=self.content, path="content")
        shape, path = self.contents.values.shape, "file" if self.file else "values"
        axes = 2 if self.over == "both" else 1
        if len(shape) != axes or not all(shape):
            raise SpecError(
                f"must have {axes} {'axis' if axes == 1 else 'axes'} of at least one entry, as over: {self.over} says",
                got=f"shape {shape}",
                path=path,
            )
        if self.over == "neurons" and self.sample_dt is not None:
            raise SpecError("has no effect on an array over neurons", got=self.sample_dt, path="sample_dt")
        return self

    @property
    def contents(self) -> Contents:
        """The array, from the file or the specification."""
        return read_contents(self.file) if self.file is not None else Contents.of(self.values or ())

    @property
    def lasting(self) -> bool:
        """Whether the array is a time course, which ends by itself."""
        return self.over != "neurons"

    def length(self, dt: float) -> float:
        """Return how long the time course lasts, seconds."""
        return len(self.contents.values) * (self.sample_dt or dt)

    def rows(self) -> np.ndarray:
        """Return the values over time and neurons, (T or 1, N or 1)."""
        values = self.contents.values
        return values if self.over == "both" else values[None] if self.over == "neurons" else values[:, None]


Stimulus = Annotated[
    CosineStimulus | GaussianStimulus | PatternStimulus | ArrayStimulus, Discriminator("shape")
]
TIMES = ("onset", "offset", "duration", "delay", "jitter.low", "jitter.high")
"""What says when a stimulus is on: below ``stimuli.<number or name>.``."""


class Span(NamedTuple):
    """When a stimulus is on, before jitter, seconds."""

    begin: float
    end: float


def is_time(path: str) -> bool:
    """Whether a dotted path is a time of a stimulus."""
    head, _, rest = path.partition(".")
    return head == "stimuli" and rest.partition(".")[2] in TIMES


def span(stimulus: Stimulus, dt: float) -> Span:
    """Return when a stimulus is on, its delay included, its jitter not."""
    if stimulus.offset is not None:
        end = stimulus.offset
    elif stimulus.duration is not None:
        end = stimulus.onset + stimulus.duration
    else:
        assert isinstance(stimulus, ArrayStimulus)
        end = stimulus.onset + stimulus.length(dt)
    return Span(stimulus.onset + stimulus.delay, end + stimulus.delay)


def check_stimuli(
    stimuli: Iterable[Stimulus], targets: Iterable[Mapping[str, int]], duration: float, dt: float
) -> None:
    """Raise `SpecError` if a stimulus does not fit the run or its populations.

    Parameters
    ----------
    stimuli : iterable of Stimulus
    targets : iterable of mapping
        For each stimulus the sizes of the populations that receive it.
    duration, dt : float
        Of the run and of a step, seconds.
    """
    for i, (stimulus, sizes) in enumerate(zip(stimuli, targets, strict=True)):
        _check_times(stimulus, f"stimuli.{i}", duration, dt)
        if isinstance(stimulus, ArrayStimulus):
            _check_array(stimulus, f"stimuli.{i}", sizes, dt)


def _check_times(stimulus: Stimulus, base: str, duration: float, dt: float) -> None:
    begin, jitter = span(stimulus, dt).begin, stimulus.jitter
    moved = "jitter" if jitter else "delay" if stimulus.delay else "onset"
    latest = begin + (jitter.high if jitter else 0.0)
    earliest = begin + (jitter.low if jitter else 0.0)
    if latest >= duration:
        late = stimulus.onset >= duration
        raise SpecError(
            f"must be before the end of the run at {duration:g} s"
            if late or moved == "onset"
            else f"must leave the onset before the end of the run at {duration:g} s",
            got=stimulus.onset if late else f"an onset at {latest:g} s" if moved != "onset" else latest,
            path=f"{base}.{'onset' if late else 'jitter.high' if jitter else moved}",
        )
    if earliest < 0:
        raise SpecError(
            "must leave the onset after the start of the run",
            got=f"an onset at {earliest:g} s",
            path=f"{base}.{'jitter.low' if jitter and begin >= 0 else 'delay'}",
        )


def _check_array(stimulus: ArrayStimulus, base: str, sizes: Mapping[str, int], dt: float) -> None:
    shape, path = stimulus.contents.values.shape, f"{base}.{'file' if stimulus.file else 'values'}"
    for name, size in sizes.items():
        if stimulus.over != "time" and shape[-1] != size:
            raise SpecError(
                f"must have one value for each of the {size} neurons of {name}",
                got=f"shape {shape}",
                path=path,
            )
    if stimulus.over == "neurons":
        return
    if stimulus.sample_dt is not None and stimulus.sample_dt < dt:
        raise SpecError(
            f"must be at least a step, {dt:g} s", got=stimulus.sample_dt, path=f"{base}.sample_dt"
        )
    asked = span(stimulus, dt)
    held = stimulus.length(dt)
    if asked.end - asked.begin > held + 0.5 * dt:
        raise SpecError(
            f"must last as long as the stimulus, {asked.end - asked.begin:g} s",
            got=f"{shape[0]} values, {held:g} s",
            path=path,
        )
