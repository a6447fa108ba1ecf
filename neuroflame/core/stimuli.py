"""From the stimuli of a specification to what each neuron of P points receives, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.core.connectivity.ring import radians
from neuroflame.core.random import PATTERN, TIMING, normals, uniforms
from neuroflame.errors import SpecError
from neuroflame.spec.stimuli import (
    ArrayStimulus,
    CosineStimulus,
    GaussianStimulus,
    PatternStimulus,
    is_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.stimuli import Stimulus

    Number = Callable[[str], Tensor]


@dataclass(frozen=True)
class Times:
    """When a stimulus is on, seconds, with its delay and its jitter; (P,) or (1,), float64, on the CPU."""

    begin: Tensor
    end: Tensor


@dataclass(frozen=True)
class StimulusProgram:
    """One stimulus epoch: from which step, to which, onto whom, with which pattern.

    Attributes
    ----------
    start, stop : int or Tensor, (P,), int64
        First step, and the one after the last; each point's own where times may differ between points.
    times : Times
        The same in seconds.
    targets : tuple of str
        Populations.
    shape : str
        ``cosine``, ``gaussian``, or ``fixed`` where ``values`` say what is received.
    amplitude, phase, width : Tensor, (P, 1) or (1, 1), float64
    values : mapping of Tensor, float64
        By population, over time and neurons: (T or 1, N or 1); of a pattern that points do not share, (P, N).
    hold : float
        Steps for which a value over time holds; 0 where there is no time course.
    """

    start: int | Tensor
    stop: int | Tensor
    times: Times
    targets: tuple[str, ...]
    shape: str
    amplitude: Tensor
    phase: Tensor
    width: Tensor
    values: dict[str, Tensor] = field(default_factory=dict)
    hold: float = 0.0

    @property
    def shared(self) -> bool:
        """Whether all points receive it at the same time."""
        return isinstance(self.start, int)

    def pattern(self, population: str, size: int) -> Tensor:
        """Return what each neuron of a population receives while nothing changes, (P, N) or (P, 1), float64."""
        theta = angles(size, self.phase.device)
        if self.shape == "gaussian":
            distance = torch.remainder(theta - self.phase + torch.pi, 2 * torch.pi) - torch.pi
            profile = torch.exp(-0.5 * (distance / self.width) ** 2)
        elif self.shape == "cosine":
            profile = 1.0 + self.width * torch.cos(theta - self.phase)
        else:
            profile = self.values[population]
        return self.amplitude * profile

    def course(self, population: str, step: int) -> Tensor:
        """Return what is received of a time course at a step, (P, N) or (P, 1), float64."""
        rows = self.values[population]
        since = torch.as_tensor(step - self.start, device=rows.device).reshape(-1).double()
        row = torch.floor((since + 1e-6) / self.hold).long().clamp(0, rows.shape[0] - 1)
        return self.amplitude * rows[row]

    def on(self, step: int) -> bool | Tensor:
        """Return whether it is on during a step: (P,) where points have times of their own."""
        return (self.start <= step) & (step < self.stop)

    def edges(self) -> set[int]:
        """Return the steps at which it starts or ends at some point."""
        return {
            int(e) for edge in (self.start, self.stop) for e in torch.as_tensor(edge).reshape(-1).tolist()
        }


def make_stimuli(
    spec: NetworkSpec,
    number: Number,
    *,
    swept: Collection[str],
    external: Tensor,
    gate: Tensor,
    turned: Tensor | None,
    seeds: Tensor,
    device: torch.device,
) -> tuple[StimulusProgram, ...]:
    """Return the stimuli of P points.

    Parameters
    ----------
    spec : NetworkSpec
    number : callable
        From dotted path to its value at each point, float64, (P,) or (1,).
    swept : collection of str
        Paths that may differ between points: they decide which stimuli have times of each point's own.
    external : Tensor, (P,) or (1,), float64
        √K · M0.
    gate : Tensor, (P,) or (1,)
        1 for the points that receive stimuli.
    turned : Tensor, (P,), degrees, optional
        By how much each point's stimuli are turned.
    seeds : Tensor, (P,), int64
        Seeds that jitter is drawn from.

    Raises
    ------
    SpecError
        If a point's times do not fit in the run, or a stimulus without a phase is to be turned.
    """
    turn = torch.zeros(1, dtype=torch.float64, device=device) if turned is None else turned
    found = []
    for i, stimulus in enumerate(spec.stimuli):
        base = f"stimuli.{stimulus.name or i}"
        times = _times(spec, i, base, number, seeds)
        own = stimulus.jitter is not None or any(is_time(p) and p.startswith(f"{base}.") for p in swept)
        start, stop = (torch.round(edge / spec.dt).long() for edge in (times.begin, times.end))
        zero = torch.zeros(1, 1, dtype=torch.float64, device=device)
        phase = width = zero
        if isinstance(stimulus, CosineStimulus | GaussianStimulus):
            phase, width = radians(number(f"{base}.phase") + turn)[:, None], number(f"{base}.width")[:, None]
            width = radians(width) if isinstance(stimulus, GaussianStimulus) else width
        elif bool((turn != 0).any()):
            raise SpecError(
                "has no phase that a cue could be turned by", path=base, remedy="start it as `cued`"
            )
        hold = 0.0
        if isinstance(stimulus, ArrayStimulus) and stimulus.lasting:
            hold = (stimulus.sample_dt or spec.dt) / spec.dt
        found.append(
            StimulusProgram(
                start=start.expand(len(seeds)).to(device) if own else int(start),
                stop=stop.expand(len(seeds)).to(device) if own else int(stop),
                times=times,
                targets=spec.targets(stimulus),
                shape=stimulus.shape if stimulus.shape in {"cosine", "gaussian"} else "fixed",
                amplitude=(external * number(f"{base}.strength") * gate.to(torch.float64))[:, None],
                phase=phase,
                width=width,
                values=_values(spec, stimulus, base, number, device),
                hold=hold,
            )
        )
    return tuple(found)


def drawn_onsets(spec: NetworkSpec, stimuli: Sequence[StimulusProgram], points: int) -> dict[str, Tensor]:
    """Return the onset at each point of the stimuli that have a jitter, by name or number; (P,), seconds."""
    return {
        stimulus.name or str(i): made.times.begin.expand(points)
        for i, (stimulus, made) in enumerate(zip(spec.stimuli, stimuli, strict=True))
        if stimulus.jitter is not None
    }


def _times(spec: NetworkSpec, i: int, base: str, number: Number, seeds: Tensor) -> Times:
    stimulus = spec.stimuli[i]

    def time(key: str) -> Tensor:
        value = number(f"{base}.{key}")
        if value.requires_grad:
            raise SpecError("is rounded to whole steps: no gradient flows through it", path=f"{base}.{key}")
        return value.cpu()

    onset, moved = time("onset"), time("delay")
    if stimulus.offset is not None:
        end = time("offset")
    elif stimulus.duration is not None:
        end = onset + time("duration")
    else:
        end = onset + stimulus.length(spec.dt)  # type: ignore[union-attr]
    _refuse(end <= onset, end, "must be after onset", f"{base}.offset")
    if stimulus.jitter is not None:
        low, high = time("jitter.low"), time("jitter.high")
        _refuse(high <= low, high, "must be greater than low", f"{base}.jitter.high")
        draw = f"own.{i}" if stimulus.jitter.draw is None else str(stimulus.jitter.draw)
        drawn = uniforms(seeds, f"jitter.{draw}", TIMING, 1, torch.float64)[:, 0].cpu()
        moved = moved + (low + (high - low) * drawn)
    begin, end = onset + moved, end + moved
    _refuse(
        begin >= spec.duration,
        begin,
        f"must be before the end of the run at {spec.duration:g} s",
        f"{base}.onset",
    )
    _refuse(begin < -0.5 * spec.dt, begin, "must be after the start of the run", f"{base}.onset")
    if isinstance(stimulus, ArrayStimulus) and stimulus.lasting:
        held = stimulus.length(spec.dt)
        _refuse(
            end - begin > held + 0.5 * spec.dt,
            end,
            f"must be at most {held:g} s after onset",
            f"{base}.offset",
        )
    return Times(*torch.broadcast_tensors(begin, end))


def _refuse(wrong: Tensor, value: Tensor, rule: str, path: str) -> None:
    if bool(wrong.any()):
        bad, shown = torch.broadcast_tensors(wrong, value)
        raise SpecError(rule, got=float(shown[bad][0]), path=path)


def _values(
    spec: NetworkSpec, stimulus: Stimulus, base: str, number: Number, device: torch.device
) -> dict[str, Tensor]:
    """Return the values by population of a stimulus that is not a function of preferred angles."""
    if isinstance(stimulus, ArrayStimulus):
        rows = torch.tensor(stimulus.rows(), dtype=torch.float64, device=device)
        return dict.fromkeys(spec.targets(stimulus), rows)
    if not isinstance(stimulus, PatternStimulus):
        return {}
    return {
        name: _drawn(stimulus, base, name, spec.populations[name].size, number, device)
        for name in spec.targets(stimulus)
    }


def _drawn(
    stimulus: PatternStimulus, base: str, population: str, size: int, number: Number, device: torch.device
) -> Tensor:
    """Return the numbers of a pattern, (P, N) or (1, N).

    Normal numbers overlap as ρ ξ' + √(1 − ρ²) ξ; bits of density f are those of the other pattern with
    probability ρ, and their own otherwise: the correlation is ρ in both cases.
    """
    key = torch.tensor([stimulus.seed], dtype=torch.int64, device=device)

    def own(index: int) -> Tensor:
        stream = f"pattern.{index}.{population}"
        if stimulus.density is None:
            return normals(key, stream, PATTERN, 0, size, torch.float64)
        drawn = uniforms(key, stream, PATTERN, size, torch.float64)
        return (drawn <= number(f"{base}.density")[:, None]).double()

    mine = own(stimulus.number)
    if stimulus.like is None:
        return mine
    overlap = number(f"{base}.overlap")[:, None]
    if stimulus.density is None:
        return overlap * own(stimulus.like) + torch.sqrt(1.0 - overlap * overlap) * mine
    stream = f"pattern.{stimulus.number}.like.{stimulus.like}.{population}"
    taken = uniforms(key, stream, PATTERN, size, torch.float64) <= overlap
    return torch.where(taken, own(stimulus.like), mine)
