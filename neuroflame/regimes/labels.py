"""The label of an end state: the first of an ordered list that its statistics bear out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.columns import Column
from neuroflame.regimes.evidence import Evidence, above, both, either, told
from neuroflame.regimes.thresholds import Thresholds

if TYPE_CHECKING:
    from neuroflame.regimes.evidence import Array, Columns

LABELS = {
    "runaway": "it diverged, or its rates grow steadily throughout the window",
    "slow": "it still moves, without a rhythm, chaos or fluctuations to show for it: a ghost, or a run too short; "
    "or it rests where the least perturbation would make it leave",
    "quiescent": "no population fires, and no input exceeds threshold",
    "travelling": "a bump that moves and keeps its shape",
    "bump": "at rest with a bump in some population",
    "homogeneous": "at rest without a bump",
    "heterogeneous": "at rest without a bump, rates differing between neurons",
    "asynchronous irregular": "steady spiking without a bump: neurons fire independently, at irregular intervals",
    "asynchronous regular": "steady spiking without a bump: neurons fire independently, each like a clock",
    "synchronous irregular": "steady spiking without a bump: the population fires together, each neuron now and then",
    "synchronous regular": "steady spiking without a bump: neurons fire together and each like a clock",
    "oscillating": "a collective rhythm of steady amplitude",
    "chaotic": "the largest Lyapunov exponent is positive",
    "fluctuating": "it moves about its average without a rhythm, and no Lyapunov exponent tells that it is chaos",
}
"""The labels in the order in which they are tried, and what each says."""

LABEL_COLUMNS = (
    Column("regime", "str", "", "What the run ended in; see docs/regimes.md."),
    Column(
        "regime.confidence",
        "float",
        "",
        "How far the evidence is from the nearest threshold that would change the label: 0 at it, 1 far away.",
    ),
)


def label_end_states(columns: Columns, thresholds: Thresholds | None = None) -> tuple[Array, Array]:
    """Return the label of each row's end state, and how sure it is.

    A label's margin is how far its evidence lies beyond the thresholds that it must pass (`evidence`); the first
    label with a positive margin applies. The confidence is the smallest of its margin and of those by which the
    labels before it fail: 0 at a threshold, near 1 where the evidence is many times larger or smaller.

    Parameters
    ----------
    columns : mapping of str to array_like, (P,)
        Statistics of the measure ``regime``; ``lyapunov.1``, ``lyapunov.1.se`` and ``alpha`` are used where they are
        there. Without an exponent nothing is called chaotic; without alpha a bump at rest counts as stable.
    thresholds : Thresholds, optional

    Returns
    -------
    label : ndarray of object, (P,)
        Among `LABELS`; None where the row has no result.
    confidence : ndarray, (P,)
        In [0, 1]; NaN where there is no label.
    """
    found = Evidence(columns)
    with np.errstate(over="ignore"):
        margins = _margins(found, thresholds or Thresholds())
    label = np.full(found.rows, None, dtype=object)
    best = np.full(found.rows, np.nan)
    doubt = np.ones(found.rows)  # the smallest margin by which a label before failed
    for name, margin in margins.items():
        here = (label == None) & (margin > 0)  # noqa: E711 (element by element)
        label[here] = name
        best = np.where(here, np.minimum(margin, doubt), best)
        doubt = np.minimum(doubt, np.abs(margin))
    left = label == None  # noqa: E711
    label[left], best = "slow", np.where(left, 0.0, best)
    known = found.text("status") != "failed"
    if found.populations:
        silent = np.all([np.isnan(found.number(f"rate.{a}.mean")) for a in found.populations], axis=0)
        known &= ~silent | (label == "runaway")
    else:
        known &= label == "runaway"
    label[~known] = None
    return label, np.where(known, best, np.nan)


def _margins(found: Evidence, limits: Thresholds) -> dict[str, Array]:
    """Return by how much each label's conditions hold, in the order of `LABELS`."""
    names = found.populations
    never, always = np.full(found.rows, -1.0), np.ones(found.rows)
    exponent, error = found.number("lyapunov.1"), limits.errors * found.number("lyapunov.1.se")
    elapsed = found.number("elapsed")
    with np.errstate(divide="ignore", over="ignore"):
        least = 1.0 / elapsed if limits.lyapunov is None else np.full(found.rows, limits.lyapunov)
    chaotic = both(above(exponent, error), above(exponent, least))

    shaped = {a: _shaped(found, limits, a, found.number(f"bump.{a}.ratio")) for a in names}
    turned = {a: _shaped(found, limits, a, _in_its_frame(found, a)) for a in names}
    bump = either(never, *shaped.values())
    swings, steady = ({a: margin(found, limits, a) for a in names} for margin in (_swings, _steady))
    rhythm = either(never, *(both(swings[a], steady[a]) for a in names))
    swelling = either(never, *(both(swings[a], -steady[a]) for a in names))
    rhythm = both(rhythm, -above(np.abs(exponent), error, undefined=-1.0))
    noisy = told(found.number("noisy") == 1.0)
    tolerance = found.number("residual.tolerance") if limits.residual is None else limits.residual
    still, keeps_shape = (
        -above(worst, tolerance, undefined=0.0)
        for worst in (
            np.maximum(found.number("residual"), found.number("residual.window")),
            found.number("residual.rotating"),
        )
    )
    alpha = found.number("alpha")
    held = told((alpha >= 0) | (found.number("alpha.symmetric") > 0))  # at rest where it would not stay
    at_rest = both(still, *(-above(varies, limits.sd_t) for varies in _variations(found)), -held)
    creeping = both(
        keeps_shape, -noisy, either(never, *(both(turned[a], _creeps(found, limits, a)) for a in names))
    )
    on_average = both(noisy, _stationary(found, limits, shaped), -rhythm, -chaotic)
    settled = either(at_rest, creeping, on_average)
    travelling = both(
        either(keeps_shape, on_average),
        either(never, *(both(turned[a], _moves(found, limits, a)) for a in names)),
    )
    undecided = either(told(np.isnan(exponent)), -above(np.abs(exponent), error))
    too_slow = either(never, *(_peaks(found, limits, a, "slow") for a in names))
    turning = both(keeps_shape, either(never, *turned.values()))
    fluctuating = both(
        _fluctuates(found, limits), -noisy, undecided, -chaotic, -swelling, -too_slow, -turning
    )
    varied = either(never, *(above(found.number(f"rate.{a}.cv"), limits.cv) for a in names))
    # Rates of both signs may swing about 0, and their mean inputs with them.
    restless = either(never, *(above(varies, limits.sd_t) for varies in _variations(found)))
    trains = told(np.full(found.rows, bool(found.spiking)))
    together = either(never, *(above(found.number(f"spikes.{a}.sync"), limits.sync) for a in found.spiking))
    irregular, regular = _irregular(found, limits)
    runaway = either(told(found.text("status") == "diverged"), above(found.number("growth"), limits.growth))
    return {
        "runaway": runaway,
        "slow": -either(settled, travelling, rhythm, chaotic, fluctuating),
        "quiescent": both(always, either(noisy, -restless), *(_silent(found, limits, a) for a in names)),
        "travelling": travelling,
        "bump": both(settled, bump, -told(alpha >= 0)),
        "homogeneous": both(settled, -bump, -varied, -trains),
        "heterogeneous": both(settled, -bump, varied, -trains),
        "asynchronous irregular": both(settled, -bump, trains, -together, irregular),
        "asynchronous regular": both(settled, -bump, trains, -together, regular),
        "synchronous irregular": both(settled, -bump, trains, together, irregular),
        "synchronous regular": both(settled, -bump, trains, together, regular),
        "oscillating": rhythm,
        "chaotic": chaotic,
        "fluctuating": fluctuating,
    }


def _shaped(found: Evidence, limits: Thresholds, a: str, ratio: Array) -> Array:
    floor = limits.floors * np.nan_to_num(found.number(f"bump.{a}.floor"), nan=0.0)
    return above(ratio, np.maximum(limits.ratio, floor))


def _in_its_frame(found: Evidence, a: str) -> Array:
    """Return the ratio of a bump in the frame that turns with it; where that is undefined, of the mean profile."""
    return found.first(f"bump.{a}.rotating", f"bump.{a}.ratio")


def _moves(found: Evidence, limits: Thresholds, a: str) -> Array:
    """Return by how much a bump travels at a steady velocity."""
    speed = np.abs(found.number(f"bump.{a}.velocity"))
    error = limits.errors * found.number(f"bump.{a}.velocity.se")
    change = np.abs(found.number(f"bump.{a}.acceleration"))
    chance = limits.errors * found.number(f"bump.{a}.acceleration.se")
    noisy = told(found.number("noisy") == 1.0)
    by_chance = both(noisy, -above(change, chance, undefined=1.0))
    steady = either(-above(change, limits.trend * speed), by_chance)
    return both(above(speed, error), above(speed, limits.velocity), steady)


def _creeps(found: Evidence, limits: Thresholds, a: str) -> Array:
    """Return by how much a bump stays where it is, but for what is too slow to travel."""
    return -above(np.abs(found.number(f"bump.{a}.velocity")), limits.velocity, undefined=1.0)


def _swings(found: Evidence, limits: Thresholds, a: str) -> Array:
    """Return by how much a population has a collective rhythm, whether or not its amplitude is steady."""
    return _peaks(found, limits, a, "q")


def _peaks(found: Evidence, limits: Thresholds, a: str, share: str) -> Array:
    """Return by how much a population varies as a whole, mostly at one frequency and its harmonics."""
    return both(
        above(found.number(f"rate.{a}.sd_t"), limits.sd_t),
        above(found.number(f"osc.{a}.{share}"), limits.q),
        above(found.number(f"sync.{a}"), limits.sync),
    )


def _steady(found: Evidence, limits: Thresholds, a: str) -> Array:
    growth = np.abs(found.number(f"osc.{a}.growth"))
    error = limits.errors * found.number(f"osc.{a}.growth.se")
    return either(-above(growth, limits.trend), -above(growth, error, undefined=1.0))


def _irregular(found: Evidence, limits: Thresholds) -> tuple[Array, Array]:
    """Return by how much intervals are irregular, mean over populations that fire, and by how much regular.

    Neither where no neuron fires often enough to tell.
    """
    cells = [np.full(found.rows, np.nan), *(found.number(f"spikes.{a}.cv") for a in found.spiking)]
    known = np.isfinite(cells)
    mean = np.where(known, cells, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    margin = above(mean, limits.irregular)
    told_at_all = known.any(axis=0)
    return np.where(told_at_all, margin, -1.0), np.where(told_at_all, -margin, -1.0)


def _stationary(found: Evidence, limits: Thresholds, shaped: dict[str, Array]) -> Array:
    """Return by how much means, and amplitudes of bumps, do not drift, or not by more than chance; silence does not."""
    margin = np.ones(found.rows)
    for a, bump in shaped.items():
        rate, amplitude = (_drifts(found, limits, f"{kind}.{a}.trend") for kind in ("rate", "bump"))
        margin = both(margin, -rate, either(-bump, -amplitude))
    return margin


def _drifts(found: Evidence, limits: Thresholds, name: str) -> Array:
    trend = np.abs(found.number(name))
    return both(
        above(trend, limits.trend), above(trend, limits.errors * found.number(f"{name}.se"), undefined=1.0)
    )


def _fluctuates(found: Evidence, limits: Thresholds) -> Array:
    """Return by how much some rates vary in time while every mean crosses its average again and again."""
    varies = either(*(above(variation, limits.sd_t) for variation in _variations(found)))
    # Undefined where a mean is constant.
    counts = [found.number(f"rate.{a}.crossings") for a in found.populations]
    some = (above(count, limits.crossings) for count in counts)
    each = (above(count, limits.crossings, undefined=1.0) for count in counts)
    return both(varies, either(np.full(found.rows, -1.0), *some), *each)


def _variations(found: Evidence) -> list[Array]:
    """Return how much means and neurons vary over the window, by population and statistic; undefined in silence."""
    names = [f"rate.{a}.{kind}" for a in found.populations for kind in ("sd_t", "sd_i")]
    return [np.full(found.rows, np.nan), *(found.number(name) for name in names)]


def _silent(found: Evidence, limits: Thresholds, a: str) -> Array:
    active = found.number(f"rate.{a}.active")
    below = np.where(active > 0, -active, 1.0)  # the share of neurons above threshold must be 0
    return both(-above(np.abs(found.number(f"rate.{a}.mean")), limits.rate, undefined=0.0), below)
