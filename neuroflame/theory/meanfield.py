"""One point of a network reduced to what theory needs: its populations, and the Fourier modes of its coupling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ive

from neuroflame.spec.parts import Population
from neuroflame.spec.paths import paths
from neuroflame.spec.stimuli import span

if TYPE_CHECKING:
    from neuroflame.spec.network import NetworkSpec, Pair

Array = np.ndarray[Any, Any]
Number = Callable[[str], float]

MODES_MAX = 64
NEGLIGIBLE = 1e-13
"""Fourier coefficients of a profile below it are taken as 0."""
GRID = 4096
"""Angles at which a clipped probability is sampled to find its Fourier coefficients."""

_NETWORK = {
    "dt", "duration", "integrator", "populations", "transfer", "connectivity", "J", "J0", "M0", "stp", "nmda",
    "stimuli", "noise", "initial", "rate_limit",
}  # fmt: skip
_POPULATION = {"size", "tau", "tau_syn", "threshold", "gain", "rate_max", "adaptation"}


class NotCovered(Exception):
    """The theory says nothing about the network; the message is the reason."""


@dataclass(frozen=True)
class PlasticField:
    """Short-term plasticity of a pair: what a step moves (0 where τ is 0), and whether it is lagged.

    ``tau_fac`` and ``tau_rec`` are those of the steady state of the step: dt over the relaxation in a step.
    """

    U: float
    relax_fac: float
    relax_rec: float
    dt: float
    lagged: bool

    @property
    def tau_fac(self) -> float:
        """Seconds; 0 where nothing facilitates."""
        return self.dt / self.relax_fac if self.relax_fac > 0 else 0.0

    @property
    def tau_rec(self) -> float:
        """Seconds; 0 where nothing depresses."""
        return self.dt / self.relax_rec if self.relax_rec > 0 else 0.0

    def steady(self, rate: Array) -> tuple[Array, Array]:
        """Return u* = U (1 + τ_f r)/(1 + U τ_f r) and x* = 1/(1 + u* τ_r r) at constant rates."""
        u = self.U * (1.0 + self.tau_fac * rate) / (1.0 + self.U * self.tau_fac * rate)
        return u, 1.0 / (1.0 + u * self.tau_rec * rate)

    def transmitted(self, rate: Array) -> Array:
        """Return u* x* r."""
        u, x = self.steady(rate)
        return u * x * rate

    def slope(self, rate: Array) -> Array:
        """Return d(u* x* r)/dr."""
        U, fac, rec = self.U, self.tau_fac, self.tau_rec
        above, below = U * rate * (1.0 + fac * rate), 1.0 + U * (fac + rec) * rate + U * fac * rec * rate**2
        rise, fall = U * (1.0 + 2.0 * fac * rate), U * (fac + rec) + 2.0 * U * fac * rec * rate
        found: Array = (rise * below - above * fall) / below**2
        return found

    @property
    def fraction(self) -> tuple[Array, Array]:
        """Coefficients, highest power first, of u* x* r = U r (1 + τ_f r)/(1 + U (τ_f + τ_r) r + U τ_f τ_r r²)."""
        U, fac, rec = self.U, self.tau_fac, self.tau_rec
        return np.array([U * fac, U, 0.0]), np.array([U * fac * rec, U * (fac + rec), 1.0])


@dataclass(frozen=True)
class PairField:
    """One connected pair.

    Parameters
    ----------
    name : str
    post, pre : int
        Numbers of the populations.
    modes : ndarray, complex, (M + 1,)
        W^(k): a source e^{ikθ} gives the input W^(k) e^{ikθ}; the integrator's weight is folded in.
    plastic : PlasticField, optional
    slow : bool
        Whether it also drives slow currents.
    """

    name: str
    post: int
    pre: int
    modes: Array
    plastic: PlasticField | None
    slow: bool

    def mode(self, k: int) -> complex:
        """Return W^(k)."""
        return complex(self.modes[k]) if k < len(self.modes) else 0j


@dataclass(frozen=True)
class MeanField:
    """One point: n populations and the coupling of their Fourier modes. Arrays are (n,).

    Attributes
    ----------
    decay, decay_syn, decay_slow, decay_adapt : ndarray
        exp(−dt/τ), 0 where τ is 0; of the adaptation NaN where a population does not adapt.
    scale : ndarray
        Factor on the transfer function, the integrator's weight folded in.
    rest, strength : ndarray
        Threshold of a silent neuron, and its rise for each Hz (0 without adaptation).
    slow_ratio : ndarray or None
        Slow over fast current, the integrator's weight folded in; None without NMDA.
    drive : ndarray
        External input, with its √K.
    root_k : float or None
        √K that scales the external input; None where connectivity is not sparse.
    neglected : tuple of str
        What the network has and the theory leaves out.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    transfer: tuple[str, ...]
    dt: float
    tau: Array
    decay: Array
    decay_syn: Array
    decay_slow: Array
    decay_adapt: Array
    gain: Array
    scale: Array
    rest: Array
    strength: Array
    slow_ratio: Array | None
    drive: Array
    pairs: tuple[PairField, ...]
    rate_limit: float
    root_k: float | None
    neglected: tuple[str, ...]

    @property
    def modes(self) -> int:
        """M, the highest Fourier mode of the coupling."""
        return max((len(pair.modes) - 1 for pair in self.pairs), default=0)

    @property
    def adapts(self) -> Array:
        """Which populations have adaptive thresholds, (n,)."""
        found: Array = ~np.isnan(self.decay_adapt)
        return found

    def total(self, pair: PairField, k: int = 0) -> complex:
        """Return W^(k) of a pair at steady state, slow currents included."""
        slow = self.slow_ratio[pair.post] if pair.slow and self.slow_ratio is not None else 0.0
        return pair.mode(k) * (1.0 + slow)


def number_at(spec: NetworkSpec, values: Mapping[str, float]) -> Number:
    """Return the number at any dotted path, for one point."""
    known = paths(spec)

    def number(path: str) -> float:
        return float(values[path]) if path in values else float(known[path].value)

    return number


def mean_field(spec: NetworkSpec, number: Number) -> MeanField:
    """Return the mean field of one point.

    Parameters
    ----------
    spec : NetworkSpec
        The structure.
    number : callable
        From dotted path to the point's value.

    Raises
    ------
    NotCovered
        If the network has parts that the theory does not have.
    """
    _check(spec)
    names = tuple(spec.populations)
    index = {name: i for i, name in enumerate(names)}
    dt = spec.dt

    def each(field: str) -> Array:
        return np.array([number(f"populations.{name}.{field}") for name in names])

    tau, tau_syn = each("tau"), each("tau_syn")
    weight, weight_syn = _weight(spec, tau), _weight(spec, tau_syn)
    threshold = each("threshold")
    adapts = [spec.populations[name].adaptation for name in names]
    decay_adapt, strength, rest = np.full(len(names), np.nan), np.zeros(len(names)), threshold.copy()
    for i, (name, adaptation) in enumerate(zip(names, adapts, strict=True)):
        if adaptation is not None:
            base = f"populations.{name}.adaptation"
            decay_adapt[i] = math.exp(-dt / number(f"{base}.tau"))
            strength[i] = number(f"{base}.strength")
            if adaptation.relative_to == "zero":
                rest[i] = 0.0
    slow_ratio, tau_slow = None, np.zeros(len(names))
    if spec.nmda is not None:
        by_name = isinstance(spec.nmda.tau, dict)
        tau_slow = np.array([number(f"nmda.tau.{n}" if by_name else "nmda.tau") for n in names])
        slow_ratio = number("nmda.ratio") * _weight(spec, tau_slow) / weight_syn
    external = spec.external_scale * number("M0")
    pairs = tuple(
        PairField(
            pair.name,
            index[pair.post],
            index[pair.pre],
            _coupling(spec, pair, number) * weight_syn[index[pair.post]],
            _plastic(spec, pair.name, number) if pair.name in spec.stp else None,
            spec.nmda is not None and pair.pre in spec.nmda.sources,
        )
        for pair in spec.pairs
    )
    neglected = []
    if any(pair.kind == "sparse" for pair in spec.pairs):
        neglected.append("quenched disorder is neglected")
    if spec.noise:
        neglected.append("noise is neglected")
    found = MeanField(
        names=names,
        sizes=tuple(population.size for population in spec.populations.values()),
        transfer=tuple(spec.transfer_of(name) for name in names),
        dt=dt,
        tau=tau,
        decay=_decay(dt, tau),
        decay_syn=_decay(dt, tau_syn),
        decay_slow=_decay(dt, tau_slow),
        decay_adapt=decay_adapt,
        gain=each("gain"),
        scale=each("rate_max") * weight,
        rest=rest,
        strength=strength,
        slow_ratio=slow_ratio,
        drive=np.array([external * number(f"J0.{n}") if n in spec.J0 else 0.0 for n in names]),
        pairs=pairs,
        rate_limit=number("rate_limit"),
        root_k=spec.external_scale if all(pair.kind == "sparse" for pair in spec.pairs) else None,
        neglected=tuple(neglected),
    )
    if found.modes and min(found.sizes) <= 2 * found.modes:
        raise NotCovered(
            f"a profile with {found.modes} Fourier modes needs more than {2 * found.modes} neurons"
        )
    return found


def _check(spec: NetworkSpec) -> None:
    """Raise `NotCovered` for anything that is not known to be covered: what is added to networks later too."""
    for model, known, where in (
        (spec, _NETWORK, ""),
        *((p, _POPULATION, f"populations.{name}.") for name, p in spec.populations.items()),
    ):
        assert isinstance(model, Population) or model is spec
        for name, info in type(model).model_fields.items():
            if name not in known and getattr(model, name) != info.get_default(call_default_factory=True):
                raise NotCovered(f"{where}{name} is not part of the theory")
    for i, stimulus in enumerate(spec.stimuli):
        late = stimulus.jitter.high if stimulus.jitter is not None else 0.0
        if span(stimulus, spec.dt).end + late >= spec.duration - 0.5 * spec.dt:
            raise NotCovered(f"stimulus {stimulus.name or i} is still on at the end of the run")


def _decay(dt: float, tau: Array) -> Array:
    safe = np.where(tau > 0, tau, 1.0)
    found: Array = np.where(tau > 0, np.exp(-dt / safe), 0.0)
    return found


def _weight(spec: NetworkSpec, tau: Array) -> Array:
    """Return the integrator's weight of a target over 1 − exp(−dt/τ), see docs/model.md."""
    if spec.integrator == "exponential":
        return np.ones_like(tau)
    x = spec.dt / np.where(tau > 0, tau, 1.0)
    found: Array = np.where(tau > 0, x / -np.expm1(-x), 1.0)
    return found


def _plastic(spec: NetworkSpec, pair: str, number: Number) -> PlasticField:
    kind, dt = spec.stp[pair].kind, spec.dt

    def relax(path: str) -> float:
        tau = number(f"stp.{pair}.{path}")
        if tau <= 0:
            return 0.0
        return -math.expm1(-dt / tau) if kind == "markram_exp" else dt / tau

    if kind not in ("markram", "markram_exp", "markram_lagged"):
        raise NotCovered(f"stp.{pair}.kind {kind} is not part of the theory")
    return PlasticField(
        number(f"stp.{pair}.U"), relax("tau_fac"), relax("tau_rec"), dt, kind == "markram_lagged"
    )


def _coupling(spec: NetworkSpec, pair: Pair, number: Number) -> Array:
    """Return W^(k) of a pair, k = 0 … M; of a sparse one with its mean connectivity."""
    J = number(f"J.{pair.name}")
    if pair.kind == "all_to_all":
        return J * _profile(spec, pair, number)
    if pair.kind != "sparse" or pair.K is None:
        raise NotCovered(f"connectivity of {pair.name} is {pair.kind}")
    size = spec.populations[pair.pre].size
    unit = _profile(spec, pair, number)
    angles = 2.0 * np.pi * np.arange(GRID) / GRID
    waves = np.exp(1j * np.arange(1, len(unit))[:, None] * angles)
    density = 1.0 + 2.0 * (unit[1:, None] * waves).real.sum(axis=0)
    chance = pair.K / size * density
    if chance.min() >= 0.0 and chance.max() <= 1.0:
        return J * math.sqrt(pair.K) * unit
    clipped = np.fft.fft(np.clip(chance, 0.0, 1.0))[: MODES_MAX + 1] / GRID
    clipped[np.abs(clipped) < NEGLIGIBLE] = 0.0
    kept = int(np.flatnonzero(clipped)[-1]) + 1
    # Clipping leaves kinks, whose modes fall off slowly: those that the ring cannot hold are left out.
    kept = min(kept, (min(p.size for p in spec.populations.values()) - 1) // 2 + 1)
    found: Array = J / math.sqrt(pair.K) * size * clipped[:kept]
    return found


def _profile(spec: NetworkSpec, pair: Pair, number: Number) -> Array:
    """Return the Fourier coefficients ∫ P(Δ) e^{−ikΔ} dΔ/2π of a profile, k = 0 … M."""
    profile = pair.profile
    if profile.kind == "uniform":
        return np.ones(1, dtype=complex)
    if profile.kind not in ("cosine", "cosine_weak", "von_mises"):
        raise NotCovered(f"profile {profile.kind} of {pair.name} is not part of the theory")
    own = spec.connectivity.pairs.get(pair.name)
    base = f"connectivity.pairs.{pair.name}.profile" if own and own.profile else "connectivity.profile"
    kappa = number(f"{base}.kappa.{pair.name}" if isinstance(profile.kappa, dict) else f"{base}.kappa")
    turn = np.exp(-1j * math.radians(number(f"{base}.phase")))
    if profile.kind != "von_mises":
        if profile.kind == "cosine_weak" and pair.K is not None:
            kappa /= math.sqrt(pair.K)
        return np.array([1.0, 0.5 * kappa * turn], dtype=complex)
    order = np.arange(MODES_MAX + 1)
    series = ive(order, kappa) / ive(0, kappa)
    if series[-1] > NEGLIGIBLE:
        raise NotCovered(f"the von Mises profile of {pair.name} has more than {MODES_MAX} Fourier modes")
    kept = int((series > NEGLIGIBLE).sum())
    found: Array = series[:kept] * turn ** order[:kept]
    return found
