"""The specification of a network: everything that determines what is simulated."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import Discriminator, Tag, field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.arrays import forget_contents, locate_files, without_files
from neuroflame.spec.base import Real, Spec, canonical_json, is_number, merge, quantity, suggestion
from neuroflame.spec.blocks import check_file, is_edge_list
from neuroflame.spec.connectivity import Connectivity, PairConnectivity, Profile
from neuroflame.spec.feedforward import Feedforward
from neuroflame.spec.hebbian import HebbianRule, check_hebbian
from neuroflame.spec.loading import read_yaml
from neuroflame.spec.parts import (
    NMDA,
    ConstantStart,
    Noise,
    Plasticity,
    Population,
    Start,
    TransferName,
)
from neuroflame.spec.spiking import check_spiking
from neuroflame.spec.stimuli import Stimulus, check_stimuli

if TYPE_CHECKING:
    from neuroflame.spec.paths import PathInfo

TransferByName = Annotated[
    Annotated[TransferName, Tag("name")] | Annotated[dict[str, TransferName], Tag("mapping")],
    Discriminator(lambda value: "mapping" if isinstance(value, Mapping) else "name"),
]


class Pair(NamedTuple):
    """One connected pair of populations: where it is in the file, who listens, who speaks, how.

    ``kind`` is ``sparse``, ``all_to_all`` or ``given``; ``K`` is what weights are scaled by, None where they are not.
    """

    name: str
    post: str
    pre: str
    kind: str
    K: float | None
    profile: Profile

    @property
    def random(self) -> bool:
        """Whether anything about the pair is drawn."""
        return self.kind == "sparse" or (
            self.kind == "all_to_all" and self.profile.kind in {"low_rank", "gaussian"}
        )

    @property
    def shares_seed(self) -> bool:
        """Whether something of it is drawn with ``connectivity.seed``."""
        return self.kind == "sparse" or (self.random and getattr(self.profile, "seed", None) is None)


class NetworkSpec(Spec):
    """A recurrent network of rate units or spiking neurons. Index order is post, pre: ``J.EI`` is onto E from I."""

    dt: Real = quantity("Length of a step.", default=0.001, unit="s", structural=True, gt=0)
    duration: Real = quantity("Simulated time.", default=10.0, unit="s", structural=True, gt=0)
    integrator: Literal["exponential", "dt_over_tau"] = quantity(
        "Weight of what rates, synapses and slow currents relax to, while the old value decays by exp(−dt/τ): "
        "1 − exp(−dt/τ), exact for constant input, or dt/τ, which overshoots by about dt/2τ.",
        default="exponential",
        structural=True,
    )
    populations: dict[str, Population] = quantity("The populations by name.", structural=True, min_length=1)
    transfer: TransferByName = quantity(
        "Transfer function, for all populations or by population.", default="relu", structural=True
    )
    connectivity: Connectivity = quantity("Who is connected to whom.", default=Connectivity())
    J: dict[str, Real] = quantity(
        "Coupling by pair, post before pre; a pair that is absent is not connected.", default={}
    )
    J0: dict[str, Real] = quantity("External coupling by population; 0 where absent.", default={})
    M0: Real = quantity("Rate of the external population.", default=1.0, unit="Hz")
    stp: dict[str, Plasticity] = quantity("Short-term plasticity by pair.", default={}, structural=True)
    hebbian: dict[str, HebbianRule] = quantity(
        "Hebbian plasticity by pair, from one weight a connection.", default={}, structural=True
    )
    nmda: NMDA | None = quantity("Slow recurrent currents.", default=None, structural=True)
    stimuli: tuple[Stimulus, ...] = quantity("Stimulus epochs.", default=(), structural=True)
    feedforward: Feedforward | None = quantity(
        "Dynamics of the external input.", default=None, structural=True
    )
    noise: tuple[Noise, ...] = quantity("Noise sources.", default=(), structural=True)
    initial: Start = quantity("State at time 0.", default=ConstantStart())
    rate_limit: Real = quantity(
        "A rate unit's rate above it counts as divergence.", default=1e4, unit="Hz", gt=0
    )

    @field_validator("noise", mode="before")
    @classmethod
    def _one_noise(cls, value: object) -> object:
        return [value] if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names, pairs = set(self.populations), self._pair_names()
        if self.steps < 1:
            raise SpecError("must be at least one step of dt", got=self.duration, path="duration")
        check_spiking(self)
        _known(self.J0, names, "J0", "population")
        _known(self.J, pairs, "J", "pair")
        _known(self.stp, self.J, "stp", "pair that J connects")
        _known(self.hebbian, self.J, "hebbian", "pair that J connects")
        _known(self.connectivity.pairs, self.J, "connectivity.pairs", "pair that J connects")
        if isinstance(self.transfer, dict):
            units = [name for name, population in self.populations.items() if not population.spiking]
            _exactly(self.transfer, units, "transfer", "population")
        for name, population in self.populations.items():
            if population.rate_max != 1.0 and self.transfer_of(name) in {"relu", "brunel"}:
                raise SpecError(
                    f"has no effect on the transfer function {self.transfer_of(name)}",
                    got=population.rate_max,
                    remedy="use gain",
                    path=f"populations.{name}.rate_max",
                )
        self._check_connectivity(pairs)
        check_hebbian(self)
        if self.nmda is not None:
            _known(self.nmda.sources, names, "nmda.sources", "population")
            _covers(self.nmda.tau, names, "nmda.tau", "population", exact=True)
        for i, stimulus in enumerate(self.stimuli):
            _known(stimulus.populations, names, f"stimuli.{i}.populations", "population")
        sizes = [{name: self.populations[name].size for name in self.targets(s)} for s in self.stimuli]
        check_stimuli(self.stimuli, sizes, self.duration, self.dt)
        labels = [stimulus.name for stimulus in self.stimuli if stimulus.name]
        if len(set(labels)) < len(labels):
            raise SpecError("names of stimuli must differ", got=labels, path="stimuli")
        for i, noise in enumerate(self.noise):
            _covers(noise.sigma, names, f"noise.{i}.sigma", "population", exact=False)
            if noise.on == "external" and self.feedforward is None:
                raise SpecError(
                    "is the same as input without feedforward", path=f"noise.{i}.on", remedy="use input"
                )
        if self.feedforward is not None:
            self._check_feedforward(self.feedforward, names)
        if isinstance(self.initial, ConstantStart):
            _covers(self.initial.rate, names, "initial.rate", "population", exact=False)
        return self

    def _check_feedforward(self, feedforward: Feedforward, names: set[str]) -> None:
        if isinstance(feedforward.tau, dict):
            _known(feedforward.tau, names, "feedforward.tau", "population")
        _known(feedforward.stp, names, "feedforward.stp", "population")
        _known(feedforward.adaptation, names, "feedforward.adaptation", "population")

    def _check_connectivity(self, pairs: Mapping[str, tuple[str, str]]) -> None:
        net = self.connectivity
        injected = any(own.injected for own in net.pairs.values())  # replaces what the file says of the pair
        for name in self.J:
            pre = pairs[name][1]
            own = net.pairs.get(name)
            if own and own.kind == "given":
                self._check_block(name, own, pairs[name])
                continue
            profile = own.profile if own and own.profile else net.profile
            where = f"connectivity.pairs.{name}" if own and own.profile else "connectivity"
            kappa = getattr(profile, "kappa", None)
            if isinstance(kappa, dict) and name not in kappa:
                raise SpecError(
                    "must have a value for each connected pair",
                    got=kappa,
                    remedy=f"{name} is missing",
                    path=f"{where}.profile.kappa",
                )
            kind = own.kind if own and own.kind else net.kind
            degree = self._degree(name, pre)
            if kind == "sparse" and profile.kind == "gaussian":
                raise SpecError(
                    "is for all_to_all connectivity",
                    got=profile.kind,
                    remedy="weights that are normal and sparse can be given as a block",
                    path=f"{where}.profile.kind",
                )
            if kind == "sparse" and degree is None:
                raise SpecError("is required for sparse connectivity", path="connectivity.K")
            if kind == "sparse" and degree is not None and not 0 < degree <= self.populations[pre].size:
                raise SpecError(
                    f"must be above 0 and at most the size of {pre}, {self.populations[pre].size}",
                    got=degree,
                    path=f"connectivity.pairs.{name}.K" if own and own.K else "connectivity.K",
                )
            if kind == "all_to_all" and own and own.K is not None:
                raise SpecError(
                    "has no effect on all_to_all connectivity", got=own.K, path=f"connectivity.pairs.{name}.K"
                )
        if isinstance(net.K, dict):
            _known(net.K, set(self.populations), "connectivity.K", "population")
            with_own = {name for name, own in net.pairs.items() if own.K is not None}
            shared = {p.pre for p in self.pairs if p.kind == "sparse" and p.name not in with_own}
            if net.kind == "sparse":
                shared.add(next(iter(net.K)))  # scales the external input
            if not injected:
                _useful(net.K, shared, "connectivity.K")
        scaled = any(pair.kind == "sparse" for pair in self.pairs) or (
            net.kind == "sparse" and any(pair.kind == "given" for pair in self.pairs)
        )
        if net.seed and not any(pair.shares_seed for pair in self.pairs) and not injected:
            raise SpecError("has no effect where nothing is drawn", got=net.seed, path="connectivity.seed")
        if net.K is not None and not scaled and self.J:
            raise SpecError("has no effect on all_to_all connectivity", got=net.K, path="connectivity.K")
        kappa = getattr(net.profile, "kappa", None)
        if isinstance(kappa, dict):
            _known(kappa, set(pairs), "connectivity.profile.kappa", "pair")
            own_profile = {
                name
                for name, own in net.pairs.items()
                if own.profile is not None or (own.kind == "given" and not own.injected)
            }
            _useful(kappa, set(self.J) - own_profile, "connectivity.profile.kappa")

    def _check_block(self, name: str, own: PairConnectivity, pair: tuple[str, str]) -> None:
        assert own.shape is not None
        wanted = tuple(self.populations[side].size for side in pair)
        fits = wanted == own.shape or (
            is_edge_list(own.file) and wanted[0] >= own.shape[0] and wanted[1] >= own.shape[1]
        )
        if not fits:
            rule = f"must hold {wanted[0]} by {wanted[1]} weights, {pair[0]} by {pair[1]} (post by pre)"
            raise SpecError(
                rule, got=list(own.shape), remedy=own.file, path=f"connectivity.pairs.{name}.file"
            )

    def _pair_names(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for post in self.populations:
            for pre in self.populations:
                if not post.isidentifier():
                    raise SpecError("must be a name of letters and digits", got=post, path="populations")
                if post + pre in found:
                    raise SpecError(
                        f"names of populations must make distinct pairs, {post + pre} is ambiguous",
                        path="populations",
                    )
                found[post + pre] = (post, pre)
        return found

    def _degree(self, pair: str, pre: str) -> float | None:
        own = self.connectivity.pairs.get(pair)
        if own is not None and own.K is not None:
            return own.K
        shared = self.connectivity.K
        return shared.get(pre) if isinstance(shared, dict) else shared

    @property
    def steps(self) -> int:
        """Number of steps of the run."""
        return round(self.duration / self.dt)

    @property
    def size(self) -> int:
        """Number of neurons in all populations."""
        return sum(population.size for population in self.populations.values())

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The connected pairs, in the order of the populations."""
        net, found = self.connectivity, []
        for name, (post, pre) in self._pair_names().items():
            if name in self.J:
                own = net.pairs.get(name)
                kind = (own.kind if own else None) or net.kind
                profile = (own.profile if own else None) or net.profile
                degree = self._degree(name, pre) if kind == "sparse" else None
                if own and kind == "given":
                    degree = own.K
                found.append(Pair(name, post, pre, kind, degree, profile))
        return tuple(found)

    @cached_property
    def external_scale(self) -> float:
        """√K of the first population's in-degree where connectivity is sparse, 1 in all-to-all networks."""
        if self.connectivity.kind != "sparse" or self.connectivity.K is None:
            return 1.0
        shared = self.connectivity.K
        degree = shared if not isinstance(shared, dict) else next(iter(shared.values()))
        return math.sqrt(degree)

    def transfer_of(self, population: str) -> str:
        """Return the name of a population's transfer function."""
        return self.transfer[population] if isinstance(self.transfer, dict) else self.transfer

    def targets(self, stimulus: Stimulus) -> tuple[str, ...]:
        """Return the populations that receive a stimulus."""
        return stimulus.populations or (next(iter(self.populations)),)

    def slowest(self) -> float:
        """Return τ_max in seconds, the slowest time constant in use."""
        return max(self.time_constants())

    def time_constants(self) -> list[float]:
        """Return the time constants in use, seconds; 0 for what is instantaneous."""
        taus = [t for p in self.populations.values() for t in (p.tau, p.tau_syn)]
        taus += [p.adaptation.tau for p in self.populations.values() if p.adaptation]
        taus += [t for s in self.stp.values() for t in (s.tau_fac, s.tau_rec)]
        if self.nmda is not None:
            taus += self.nmda.tau.values() if isinstance(self.nmda.tau, dict) else [self.nmda.tau]
        return [*taus, self.feedforward.slowest() if self.feedforward else 0.0]

    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the content, that of files included."""
        return self.identity

    @cached_property
    def identity(self) -> str:
        """What `digest` returns."""
        data = without_files(self.to_dict())
        return hashlib.blake2b(canonical_json(data).encode(), digest_size=8).hexdigest()

    @cached_property
    def known_paths(self) -> Mapping[str, PathInfo]:
        """Every leaf that a sweep or an override may name, by its path."""
        from neuroflame.spec.paths import describe

        return describe(self)

    @classmethod
    def parse(cls, data: object, *, file: str | None = None) -> Self:
        """Validate plain data; files of arrays are relative to the folder of the file.

        Raises
        ------
        SpecError
            One line that names the file, the path, the rule, what was given, and the nearest valid key.
        """
        return super().parse(locate_files(data, Path(file).parent if file else Path()), file=file)

    def with_values(self, values: Mapping[str, Any], *, file: str | None = None) -> NetworkSpec:
        """Return a copy with values at dotted paths changed.

        Parameters
        ----------
        values : mapping
            Dotted path (``J.EE``), or top-level key with a nested mapping (``J: {EE: 8}``), to value.

        Raises
        ------
        SpecError
            If a path does not exist or a value is not allowed there.
        """
        try:
            changed = merge(self.to_dict(), locate_files(values, Path(file).parent if file else Path()))
            forget_contents(changed, self.to_dict())
        except SpecError as error:
            raise error.located(file=file) from None
        return NetworkSpec.parse(changed, file=file)

    def check_files(self) -> None:
        """Raise SpecError if the file of a given block is gone or has changed since the network was described."""
        for name, own in self.connectivity.pairs.items():
            if own.kind == "given" and own.file is not None and own.content is not None:
                try:
                    check_file(own.file, own.content)
                except SpecError as error:
                    error.path = f"connectivity.pairs.{name}.file"
                    raise

    def get(self, path: str) -> Any:
        """Return the value at a dotted path."""
        from neuroflame.spec.paths import find_path

        return find_path(self, path).value


def load_network(path: str | Path, overrides: Mapping[str, Any] | None = None) -> NetworkSpec:
    """Read a network file.

    Parameters
    ----------
    path : path
        A YAML file.
    overrides : mapping, optional
        Values to change, by dotted path or as nested mappings.

    Raises
    ------
    SpecError
        One line that names file, path, rule, what was given and the remedy.
    """
    spec = NetworkSpec.parse(read_yaml(path), file=str(path))
    return spec.with_values(overrides, file=str(path)) if overrides else spec


def _known(given: Iterable[str], valid: Iterable[str], path: str, what: str) -> None:
    pool = list(valid)
    for name in given:
        if name not in pool:
            raise SpecError(f"is not a {what}", path=f"{path}.{name}", remedy=suggestion(name, pool))


def _useful(given: Iterable[str], used: Iterable[str], path: str) -> None:
    for name in given:
        if name not in used:
            raise SpecError("has no effect: nothing uses it", path=f"{path}.{name}", remedy="leave it out")


def _exactly(given: Iterable[str], valid: Iterable[str], path: str, what: str) -> None:
    names = list(given)
    _known(names, valid, path, what)
    for name in valid:
        if name not in names:
            raise SpecError(f"must have a value for each {what}", remedy=f"{name} is missing", path=path)


def _covers(
    value: float | dict[str, float], valid: Iterable[str], path: str, what: str, *, exact: bool
) -> None:
    if isinstance(value, dict):
        (_exactly if exact else _known)(value, valid, path, what)
    elif not is_number(value):
        raise SpecError("must be a number", got=value, path=path)
