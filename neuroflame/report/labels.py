"""How columns, units and numbers are written: on axes (with mathematics) and in plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.columns import Column

_LONGEST = 46
_SYMBOLS = {
    "tau": r"\tau",
    "tau_syn": r"\tau^{\mathrm{syn}}",
    "tau_nmda": r"\tau^{\mathrm{NMDA}}",
    "tau_fac": r"\tau^{\mathrm{fac}}",
    "tau_rec": r"\tau^{\mathrm{rec}}",
    "tau_adapt": r"\tau^{\mathrm{adapt}}",
    "threshold": r"\theta",
    "size": "N",
    "gain": "g",
    "kappa": r"\kappa",
    "sigma": r"\sigma",
    "U": "U",
    "K": "K",
    "J": "J",
}
_ALONE = {
    "dt": r"$\Delta t$",
    "duration": "duration",
    "M0": "$M_0$",
    "connectivity.K": "$K$",
    "regime.point": "regime of the point",
    "regime.confidence": "confidence of the regime",
}
_STATISTICS = {
    "mean": "mean rate",
    "max": "highest rate",
    "cv": "rate variation over neurons",
    "sd_t": "temporal variation of the mean rate",
    "sd_i": "temporal variation of neurons' rates",
    "m0": "$m_0$",
    "m1": "$m_1$",
    "ratio": "$m_1/m_0$",
    "phase": "bump phase",
    "trend": "trend of $m_1$",
    "velocity": "bump velocity",
}
_WINDOWS = {"before": "before stimulus", "during": "end of stimulus", "after": "after stimulus"}


def escape(text: str) -> str:
    """Return text that matplotlib draws as it is, without reading mathematics into it."""
    return text.replace("$", r"\$")


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Return the text on one line, its middle left out if it is too long."""
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[-(longest - 1 - head) :]}"


def symbol(name: str) -> str:
    """Return a column's name for an axis: ``point.J.EE`` becomes ``$J_{EE}$``.

    Parameters
    ----------
    name : str
        A column or a dotted path; one that has no usual symbol is written as it is.
    """
    path = name.removeprefix("point.")
    if path in _ALONE:
        return _ALONE[path]
    parts = path.split(".")
    group, key, last = parts[0], parts[-2] if len(parts) > 1 else "", parts[-1]
    plain = all(re.fullmatch(r"[A-Za-z0-9]+", part) for part in (key, last))
    if group == "J0" and len(parts) == 2 and plain:
        return f"$J_{{{last}0}}$"
    if group in ("J", "connectivity") and key in _SYMBOLS and plain:
        return f"${_SYMBOLS[key]}_{{{last}}}$"
    if group in ("populations", "stp") and len(parts) == 3 and last in _SYMBOLS and key.isalnum():
        return f"${_SYMBOLS[last]}_{{{key}}}$"
    if group in ("rate", "bump") and len(parts) in (3, 4) and parts[2] in _STATISTICS and parts[1].isalnum():
        when = f", {_WINDOWS[last]}" if last in _WINDOWS else ""
        if len(parts) == 3 or when:
            return f"{_STATISTICS[parts[2]]} of {parts[1]}{when}"
    return escape(shorten(path.replace("_", " ") if "." not in path else path))


def axis_label(name: str, columns: Mapping[str, Column]) -> str:
    """Return the symbol of a column with its unit, for an axis."""
    unit = columns[name].unit if name in columns else ""
    return f"{symbol(name)} ({escape(unit)})" if unit else symbol(name)


def plain_label(name: str, columns: Mapping[str, Column]) -> str:
    """Return a column's own name with its unit, for tables and text."""
    unit = columns[name].unit if name in columns else ""
    path = name.removeprefix("point.")
    return f"{path} ({unit})" if unit else path


def number(value: object, digits: int = 3) -> str:
    """Return a value for a reader: whole numbers as such, others to a few significant digits."""
    if value is None or value is np.ma.masked:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float | np.number):
        return str(value)
    real = float(value)
    if not np.isfinite(real):
        return "–" if np.isnan(real) else "∞" if real > 0 else "−∞"
    if real == round(real) and abs(real) < 1e6:
        return f"{real:.0f}".replace("-", "−")
    text = f"{real:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        text = f"{mantissa}×10{raised}"
    return text.replace("-", "−")


def quantity(value: object, unit: str = "", digits: int = 3) -> str:
    """Return a value with its unit."""
    return f"{number(value, digits)} {unit}".rstrip()


def span(values: np.ndarray, unit: str = "", digits: int = 3) -> str:
    """Return the range of some numbers: ``7.1–10 Hz``."""
    low, high = number(np.min(values), digits), number(np.max(values), digits)
    text = low if low == high else f"{low} to {high}" if "−" in low + high else f"{low}–{high}"
    return f"{text} {unit}".rstrip()


def settings(row: Mapping[str, object], names: list[str], columns: Mapping[str, Column]) -> str:
    """Return the values of some columns of one row, typeset: ``$J_{EE}$ = 7.1, seed = 2``."""
    parts = []
    for name in names:
        unit = columns[name].unit if name in columns else ""
        parts.append(f"{symbol(name)} = {escape(quantity(row[name], unit))}")
    return ", ".join(parts)
