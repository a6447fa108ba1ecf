"""Times, external input, stimuli and noise of a legacy file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from neuroflame.spec.legacy.feedforward import RandomDelay, feedforward, odours

if TYPE_CHECKING:
    from neuroflame.spec.legacy.reading import Legacy
    from neuroflame.spec.legacy.recurrent import Recurrent

TASKS = ("None", "odr", "odr_gauss", "odr_rand", "dual")


class Inputs:
    """What comes from outside.

    Attributes
    ----------
    rate : float
        Our M0.
    """

    def __init__(self, legacy: Legacy, recurrent: Recurrent) -> None:
        self.legacy, self.net = legacy, recurrent
        self.dt = legacy.number("DT")
        self.lead = legacy.steps("T_STEADY") + (legacy.steps("T_HEBB") if legacy.late else 0)
        self.live = legacy.flag("LIVE_FF_UPDATE")
        self.delays = RandomDelay(legacy, live=self.live)
        self.steps = legacy.steps("DURATION") + self.lead + legacy.steps("T_WINDOW") + self.delays.extra
        self._dynamics = feedforward(legacy, recurrent)
        self.scale = math.sqrt(recurrent.degrees[0])
        self.rate = legacy.number("M0") * (1.0 if recurrent.drawn else self.scale)
        note = legacy.ledger
        note.carry("M0", "M0")
        how = "inputs are made ahead of the run: stimuli add up"
        if self.live:
            how = "inputs are made step by step: a stimulus replaces the one before it"
        note.carry("LIVE_FF_UPDATE", how)

    def duration(self) -> float:
        """Return the length of the run: what comes before time 0 there, the run, and one window more."""
        note = self.legacy.ledger
        note.carry(
            "DURATION T_WINDOW", "duration: T_STEADY + DURATION + T_WINDOW, each cut off to whole steps"
        )
        note.carry("T_STEADY", "part of duration, and later onsets: time 0 there is this late here")
        if self.legacy.late:
            note.carry("T_HEBB", "part of duration, and later onsets, as T_STEADY")
        return self._time(self.steps)

    def drive(self) -> dict[str, float]:
        """Return the external couplings."""
        values = self.legacy.numbers("Ja0", len(self.net.names))
        self.legacy.ledger.carry("Ja0", "J0")
        return dict(zip(self.net.names, values, strict=True))

    # --- stimuli --------------------------------------------------------------------------------------------

    def stimuli(self) -> list[dict[str, Any]]:
        """Return the stimuli, and after them the epochs in which a population is switched off."""
        return self._task() + self._switches()

    def _task(self) -> list[dict[str, Any]]:
        legacy, note = self.legacy, self.legacy.ledger
        task = legacy.text("TASK")
        parts = "I0 PHI0 SIGMA0 T_STIM_OFF ODR_TRAIN STIM_EI GRID_INPUT GRID_SIZE GRID_TEST RWD IF_RL"
        note.carry("T_STIM_ON", "onset of the stimuli")
        if task == "None":
            note.idle(parts.split(), "TASK is None: there are no stimuli")
            note.idle("TASK", "None: there are no stimuli")
            note.idle("T_STIM_ON", "TASK is None: there are no stimuli")
            return []
        unknown = not any(word in task for word in ("odr", "gauss", "rand", "dual", "flow"))
        if task == "dual" and not self.live and not legacy.flag("LR_TRAIN"):
            return self._odours(parts.split())
        if unknown or "dual" in task or "rand" in task or "flow" in task:
            what = f"random patterns as stimuli ({task})"
            if "rand" in task and "dual" not in task:
                what = f"stimuli at a random angle ({task})"
            if unknown:
                what = f"is none of {', '.join(TASKS)}; the original silently presents nothing"
            note.lose("TASK", what)
            note.lose(["I0", "PHI0", "SIGMA0", "T_STIM_ON", "T_STIM_OFF"], "part of TASK")
            note.lose(["IF_RL"] if legacy.late and legacy.flag("IF_RL") else [], "part of TASK")
            note.idle(parts.split(), "part of a TASK that is left out")
            return []
        gauss = legacy.late and "gauss" in task
        count = legacy.length("T_STIM_ON")
        note.carry("TASK", f"stimuli of shape {'gaussian' if gauss else 'cosine'}")
        note.carry("T_STIM_OFF", "offset of the stimuli")
        note.idle("ODR_TRAIN", "only the form of the arrays depends on it")
        note.idle("IF_RL RWD GRID_INPUT GRID_SIZE GRID_TEST", f"not used by TASK {task}")
        populations = self._targets()
        strengths, widths = legacy.numbers("I0", count), legacy.numbers("SIGMA0", count)
        phases = self._phases(count, task)
        note.carry("I0", f"strength of the stimuli{legacy.spare('I0', count)}")
        note.carry("SIGMA0", f"width of the stimuli{legacy.spare('SIGMA0', count)}")
        note.carry("PHI0", f"phase of the stimuli, degrees{legacy.spare('PHI0', count)}")
        found = []
        for start, stop, i in self._epochs(count):
            shape = self._shape(strengths[i], widths[i], gauss=gauss)
            times = {"onset": self._time(start), "offset": self._time(stop)}
            found.append({**shape, **times, "phase": phases[i], **populations, **self.delays.jitter(i)})
        if len(found) < count:
            note.carry(
                "T_STIM_ON", f"onset of the stimuli, {count - len(found)} of which are never presented"
            )
        return found

    def _odours(self, parts: list[str]) -> list[dict[str, Any]]:
        """Return the stimuli of the dual task."""
        legacy, note, count = self.legacy, self.legacy.ledger, self.legacy.length("T_STIM_ON")
        strengths, widths = legacy.numbers("I0", count), legacy.numbers("SIGMA0", count)
        note.carry("TASK", "stimuli of shape pattern")
        note.carry("T_STIM_OFF", "offset of the stimuli")
        note.carry("I0 SIGMA0", "strength of the stimuli: their product")
        note.idle(
            [key for key in parts if key in note.open()], "not used by TASK dual without trained weights"
        )
        shapes = odours(legacy, count, strengths, widths)
        return [
            {**shapes[i], "onset": self._time(start), "offset": self._time(stop)}
            for start, stop, i in self._epochs(count)
            if shapes
        ]

    def _targets(self) -> dict[str, Any]:
        legacy, note = self.legacy, self.legacy.ledger
        if not (legacy.late and legacy.flag("STIM_EI") and not self.live and not self.delays.on):
            where = "beside random delays" if self.delays.on else "where inputs are made step by step"
            note.idle("STIM_EI", "off" if not legacy.flag("STIM_EI") else f"not used {where}")
            return {}
        note.carry("STIM_EI", "populations of the stimuli: the first two")
        return {"populations": self.net.names[:2]}

    def _shape(self, strength: float, width: float, *, gauss: bool) -> dict[str, Any]:
        legacy = self.legacy
        if gauss:
            if width <= 0:
                raise legacy.fault("SIGMA0", "must be above 0 where stimuli are Gaussian", got=width)
            return {"shape": "gaussian", "strength": strength, "width": math.degrees(width)}
        if legacy.late:
            if not -1.0 < width <= 1.0:
                legacy.ledger.lose("SIGMA0", "a cosine that is cut off below 0 (SIGMA0 beyond 1)")
            norm = 1.0 + width
            legacy.ledger.carry("I0", "strength of the stimuli, over 1 + SIGMA0 as this version scales them")
            return {"shape": "cosine", "strength": strength / norm if norm else strength, "width": width}
        return {"shape": "cosine", "strength": strength, "width": width}

    def _phases(self, count: int, task: str) -> list[float]:
        """Return the phases in degrees; the later version takes small numbers for radians."""
        phases = self.legacy.numbers("PHI0", count)
        everything = self.legacy.numbers("PHI0", self.legacy.length("PHI0"))
        if self.legacy.late and ("odr" not in task or max(everything) <= 2.0 * math.pi):
            return [math.degrees(phase) for phase in phases]
        return phases

    def _epochs(self, count: int) -> list[tuple[int, int, int]]:
        """Return first step, step after the last, and number of what is presented."""
        on = [self.lead + int(t / self.dt) for t in self.legacy.numbers("T_STIM_ON", count)]
        off = [self.lead + int(t / self.dt) for t in self.legacy.numbers("T_STIM_OFF", count)]
        self.delays.move(on, off)
        if self.live:
            return self._live_epochs(on, off)
        presented = [(range(self.steps)[a:b], i) for i, (a, b) in enumerate(zip(on, off, strict=True))]
        return [(span.start, span.stop, i) for span, i in presented if span]

    def _live_epochs(self, on: list[int], off: list[int]) -> list[tuple[int, int, int]]:
        """Return the epochs where an onset replaces what is presented and any offset ends it."""
        found: list[tuple[int, int, int]] = []
        since, shown = 0, -1
        for step in sorted({*on, *off, self.steps}):
            if step < 0 or step > self.steps:
                continue
            if shown >= 0 and step > since:
                found.append((since, step, shown))
            if step in off:
                shown = -1
            elif step in on:
                shown = on.index(step)
            since = step
        return found

    def _switches(self) -> list[dict[str, Any]]:
        """Return the epochs in which BUMP_SWITCH leaves a population without the factor √K."""
        legacy, note, names = self.legacy, self.legacy.ledger, self.net.names
        switched = legacy.flags("BUMP_SWITCH", len(names)) if "BUMP_SWITCH" in legacy.values else []
        if not any(switched):
            note.idle("BUMP_SWITCH", "off")
            return []
        if self.scale == 1.0:
            note.idle("BUMP_SWITCH", "it leaves out a factor √K, which is 1 here")
            return []
        first = self.lead + int(legacy.numbers("T_STIM_ON", legacy.length("T_STIM_ON"))[0] / self.dt)
        before = range(self.steps)[:first] if not self.live or first >= 0 else range(self.steps)
        if not before:
            note.idle("BUMP_SWITCH", "the first onset is at the start")
            return []
        note.carry("BUMP_SWITCH", "stimuli named switch_*, which take J0 down to J0/√K until the first onset")
        if legacy.text("TASK") == "None":
            note.carry("T_STIM_ON", "end of the stimuli named switch_*")
        drive = self.legacy.numbers("Ja0", len(names))
        return [
            {
                "name": f"switch_{name}",
                "shape": "cosine",
                "strength": drive[a] * (1.0 / self.scale - 1.0),
                "width": 0.0,
                "onset": 0.0,
                "offset": self._time(before.stop),
                "phase": 0.0,
                "populations": [name],
            }
            for a, name in enumerate(names)
            if switched[a] and drive[a]
        ]

    # --- dynamics -------------------------------------------------------------------------------------------

    def feedforward(self) -> dict[str, Any]:
        """Return the dynamics of the external input."""
        return self._dynamics

    # --- noise ----------------------------------------------------------------------------------------------

    def noise(self) -> list[dict[str, Any]]:
        """Return the noise, drawn afresh each step whatever its length."""
        legacy, note, names = self.legacy, self.legacy.ledger, self.net.names
        variances = legacy.numbers("VAR_FF", len(names))
        if min(variances) < 0:
            raise legacy.fault("VAR_FF", "must be at least 0", got=variances)
        rate = legacy.number("M0")
        on_rates = not legacy.late and self.live and legacy.flag("RATE_NOISE")
        factor = rate if self.live else rate**2
        factor *= self.scale if legacy.late else 1.0 / self.scale if self.live else 1.0
        found: list[dict[str, Any]] = []
        if self.live and not variances[0]:
            note.idle(
                "VAR_FF", "no noise is drawn where its first entry is 0 and inputs are made step by step"
            )
        elif any(variances):
            sigma = {name: math.sqrt(v) * factor for name, v in zip(names, variances, strict=True) if v}
            on = "rates" if on_rates else "external" if self._dynamics else "input"
            found.append({"kind": "per_step", "on": on, "sigma": sigma})
            text = f"noise of kind per_step, sigma: √VAR_FF times {factor:.6g}"
            note.carry("VAR_FF", text + legacy.spare("VAR_FF", len(names)))
        else:
            note.carry("VAR_FF", "no noise")
        if legacy.late and legacy.flag("RATE_NOISE"):
            sigma_rates = math.sqrt(legacy.number("VAR_RATE")) / self.scale
            note.carry("VAR_RATE", "noise of kind per_step on rates, sigma: √(VAR_RATE/K)")
            if sigma_rates:
                found.append({"kind": "per_step", "on": "rates", "sigma": sigma_rates})
            note.carry("RATE_NOISE", "noise on rates, added at the end of a step here, before the next there")
        elif on_rates:
            note.carry("RATE_NOISE", "noise on rates in place of input")
        elif legacy.flag("RATE_NOISE"):
            note.idle("RATE_NOISE", "used by this version only where inputs are made step by step")
        return found

    def _time(self, step: int) -> float:
        """Return the time of a step, in seconds, without the digits that rounding leaves."""
        return round(step * self.dt, 12)
