"""Where one regime ends and the next begins."""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTIONAL = {"residual", "lyapunov", "delay"}


def _threshold(default: float | None, unit: str, doc: str, **limits: float) -> Any:
    return field(default=default, metadata={"unit": unit, "doc": doc, **limits})


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of labels; each can be changed and reapplied to a finished table.

    Fields say what they are in their metadata, ``unit`` and ``doc``, from which the documentation is made; where rows
    hold no more than a grid of values, ``step`` and ``highest`` say which.

    Raises
    ------
    SpecError
        If one is not a number of at least 0, or not on its grid.
    """

    residual: float | None = _threshold(
        None, "", "Residual below which a run has converged; by default the run's own `residual.tolerance`."
    )
    growth: float = _threshold(0.1, "", "Growth in the slowest time constant from which a run is a runaway.")
    rate: float = _threshold(1e-3, "Hz", "Mean rate below which a population is silent.")
    trend: float = _threshold(
        0.05,
        "1/s",
        "Relative drift below which a noisy run is stationary, and an oscillation or a bump's velocity steady.",
    )
    velocity: float = _threshold(0.02, "rad/s", "Velocity from which a bump travels.")
    errors: float = _threshold(3.0, "", "Standard errors by which an estimate must differ from 0.")
    ratio: float = _threshold(0.1, "", "Ratio from which a profile is a bump.")
    floors: float = _threshold(5.0, "", "Multiples of `bump.A.floor` that a bump's ratio must exceed too.")
    cv: float = _threshold(
        0.05, "", "Variation over neurons from which a state without a bump is heterogeneous."
    )
    sd_t: float = _threshold(
        0.02, "", "Relative temporal variation from which a run oscillates or fluctuates."
    )
    q: float = _threshold(0.5, "", "Share of the power at the spectral peak from which a run oscillates.")
    sync: float = _threshold(
        0.1, "", "Synchrony χ² from which an oscillation is collective and spiking synchronous."
    )
    irregular: float = _threshold(
        0.5, "", "Coefficient of variation of interspike intervals from which spiking is irregular."
    )
    crossings: float = _threshold(
        6.0, "", "Crossings of its average from which a mean fluctuates and does not drift."
    )
    lyapunov: float | None = _threshold(
        None, "1/s", "Exponent from which a run is chaotic; by default 1/T, T the simulated time."
    )
    memory_ratio: float = _threshold(
        0.5,
        "",
        "Share of its strength at the cue's offset above which a bump is still a memory; a multiple of 0.1.",
        step=0.1,
        highest=1.0,
    )
    memory_angle: float = _threshold(
        30.0,
        "degrees",
        "Angle from the cue within which it is one; a multiple of 5.",
        step=5.0,
        highest=180.0,
    )
    memory_error: float = _threshold(
        15.0, "degrees", "Error of the remembered angle below which a ring is an attractor."
    )
    delay: float | None = _threshold(
        None, "s", "Time that a memory must last; by default to the end of the run."
    )
    same: float = _threshold(0.02, "", "Relative tolerance within which two end states are the same.")

    def __post_init__(self) -> None:
        for about in fields(self):
            name, value = about.name, getattr(self, about.name)
            if value is None and name in _OPTIONAL:
                continue
            usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not usable or value < 0:
                raise SpecError("must be a number of at least 0", got=value, path=f"thresholds.{name}")
            step, highest = about.metadata.get("step"), about.metadata.get("highest")
            if step is not None and not (value <= highest and abs(value / step - round(value / step)) < 1e-9):
                raise SpecError(
                    f"must be a multiple of {step:g}, at most {highest:g}: rows keep no more of a memory",
                    got=value,
                    path=f"thresholds.{name}",
                )

    def changed(self, values: Mapping[str, Any]) -> Thresholds:
        """Return them with some values changed.

        Raises
        ------
        SpecError
            If one is not a threshold, or its value is not allowed.
        """
        known = [f.name for f in fields(self)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
                raise SpecError("is not a threshold", got=name, remedy=remedy)
        return Thresholds(**{**asdict(self), **values})

    def to_dict(self) -> dict[str, float | None]:
        """Return them as plain data."""
        return asdict(self)
