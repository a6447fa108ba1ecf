"""The step of a program in words, as far as the kernels of CPUs and GPUs share it.

The text only arranges: which array is read, which of the physics' functions is called, what is summed. Every
equation is a call of `neuroflame.physics`.

Names in the text: population a has rates ``r0``, current ``h0``, slow current ``g0``, adaptive threshold
``q0``; plastic pair p has ``u0``, ``x0`` and, where it is sparse, what it transmits, ``s0``. Sums over the
neurons of a source are ``R0_k`` (plain) or ``S0_k`` (plastic), k = 0 the mean, then cosines, then sines; those
of what pair p of low rank sends, times its vectors, are ``V0_k``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.trajectory.structure import PopulationShape, Shape


class Source(ABC):
    """Writes one kernel.

    Attributes
    ----------
    text : str
        The kernel.
    parameters : list of str
        Names of the rows of ``par``, in order; see `neuroflame.core.trajectory.arguments`.
    arrays : list of str
        Names of the arrays that the step reads or writes, in order.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.width = 2 * shape.table_modes
        self.parameters: list[str] = []
        self.arrays: list[str] = []
        self._lines: list[str] = []
        self._depth = 0
        self.text = self._write()

    # --- what a device has its own words for --------------------------------------------------------------------

    @abstractmethod
    def _write(self) -> str:
        """Return the kernel."""

    @abstractmethod
    def _load(self, array: str) -> str:
        """Return the text that reads a neuron's entry of an array."""

    @abstractmethod
    def _store(self, array: str, value: str) -> str:
        """Return the text that writes a neuron's entry of an array."""

    @abstractmethod
    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        """Yield suffix and entry, for population ``{a}``, of each mode: cosines, then sines."""

    @abstractmethod
    def _vector(self, kind: str, i: int, r: int) -> str:
        """Return the entry of one vector of a pair of low rank: ``nv`` of who speaks, ``mv`` of who listens."""

    @abstractmethod
    def _pattern(self, a: int) -> str:
        """Return a population's patterned input."""

    @abstractmethod
    def _incoming(self, a: int, m: str, *, slow: bool = False) -> str:
        """Return one Fourier coefficient of the current that the ring pairs bring."""

    @abstractmethod
    def _loop_over_neurons(self, a: int, first: Callable[[], None]) -> None:
        """Write what makes each rate of a population, and what else is done neuron by neuron."""

    # --- small tools ----------------------------------------------------------------------------------------

    def _put(self, *lines: str) -> None:
        self._lines += ["    " * self._depth + line for line in lines]

    def _array(self, name: str) -> str:
        if name not in self.arrays:
            self.arrays.append(name)
        return name

    def _parameter(self, name: str) -> str:
        if name not in self.parameters:
            self.parameters.append(name)
        return name

    def _plastic(self, population: int) -> list[int]:
        return [i for i, pair in enumerate(self.shape.pairs) if pair.plastic and pair.pre == population]

    def _ranked(self, *, post: int | None = None, pre: int | None = None) -> list[int]:
        """Return the pairs of low rank onto or from a population."""
        return [
            i
            for i, pair in enumerate(self.shape.pairs)
            if pair.rank and post in {None, pair.post} and pre in {None, pair.pre}
        ]

    def _projections(self, i: int) -> list[str]:
        return [f"V{i}_{r}" for r in range(self.shape.pairs[i].rank)]

    def _modes(self, modes: int) -> list[str]:
        return ["m", *(f"c{k}" for k in range(modes)), *(f"s{k}" for k in range(modes))]

    def _external_modes(self, population: PopulationShape) -> list[str]:
        return ["m", "c0", "s0"] if population.modes else ["m"]

    # --- currents -------------------------------------------------------------------------------------------

    def _modal_currents(self, a: int, population: PopulationShape) -> None:
        decay = self._parameter(f"decay_syn{a}")
        for m in self._modes(population.modes):
            self._array(f"hm{a}")
            self._put(f"h{a}_{m} = relax(h{a}_{m}, {self._incoming(a, m)}, {decay})")
            if self.shape.slow:
                self._array(f"gm{a}")
                target = f"{self._parameter(f'ratio{a}')} * ({self._incoming(a, m, slow=True)})"
                self._put(f"g{a}_{m} = relax(g{a}_{m}, {target}, {self._parameter(f'decay_slow{a}')})")

    # --- rates ----------------------------------------------------------------------------------------------

    def _rates(self, a: int, population: PopulationShape) -> None:
        gain = f"{self._parameter(f'gain{a}')} * " if population.gained else ""
        rest = "" if population.adaptive else f" - {self._parameter(f'threshold{a}')}"
        if population.spiking:
            rest = f" + {self._parameter(f'voltage_rest{a}')}"
        outside = self._external_modes(population)
        for m in self._modes(population.modes):
            terms = [f"e{a}_{m}"] if m in outside else []
            if population.modal:
                terms += [f"h{a}_{m}"] + ([f"g{a}_{m}"] if self.shape.slow else [])
            inside = " + ".join(terms) or "zero"
            if m == "m":
                inside += rest
            self._put(f"b_{m} = {gain}({inside})")
        self._loop_over_neurons(a, lambda: self._new_rate(a, population, gain))

    def _new_rate(self, a: int, population: PopulationShape, gain: str) -> None:
        terms = []
        if not population.modal:
            terms += [self._load(f"h{a}")] + ([self._load(f"g{a}")] if self.shape.slow else [])
        if population.patterned:
            terms.append(self._pattern(a))
        kicks: dict[str, list[str]] = {"input": [], "target": [], "rates": []}
        for j, noise in enumerate(self.shape.noise):
            if noise.population == a:
                kick = f"{self._parameter(f'amplitude{j}')} * {self._load(f'draw{j}')}"
                if noise.correlated:
                    correlated = f"{self._load(f'eta{j}')} * {self._parameter(f'decay_noise{j}')} + {kick}"
                    self._put(f"k{j} = {correlated}", self._store(f"eta{j}", f"k{j}"))
                else:
                    self._put(f"k{j} = {kick}")
                target = "input" if noise.on == "input" else "target" if noise.correlated else "rates"
                kicks[target].append(f"k{j}")
        terms += kicks["input"]
        total = ["b_m", *(f"b_{m} * {entry.format(a=a)}" for m, entry in self._basis(population.modes))]
        if population.adaptive and not population.spiking:
            terms.append(f"(zero - {self._load(f'q{a}')})")
        if terms:
            total.append(f"{gain}({' + '.join(terms)})")
        if population.spiking:
            self._new_voltage(a, population, " + ".join(total))
        else:
            self._relaxed_rate(a, population, " + ".join(total), kicks)
        self._put(self._store(f"r{a}", "r"))
        if population.adaptive:
            raised = f"{self._parameter(f'rest{a}')} + {self._parameter(f'strength{a}')} * r"
            raised = f"relax({self._load(f'q{a}')}, {raised}, {self._parameter(f'decay_adapt{a}')})"
            self._put(self._store(f"q{a}", raised))

    def _new_voltage(self, a: int, population: PopulationShape, target: str) -> None:
        threshold = self._load(f"q{a}") if population.adaptive else self._parameter(f"threshold{a}")
        numbers = [self._parameter(f"{name}{a}") for name in ("reset", "leak", "hold", "height")]
        state = f"{self._load(f'v{a}')}, {self._load(f'f{a}')}"
        self._put(f"vn, fn, r = lif_step({state}, {target}, {threshold}, {', '.join(numbers)})")
        self._put(self._store(f"v{a}", "vn"), self._store(f"f{a}", "fn"))

    def _relaxed_rate(
        self, a: int, population: PopulationShape, total: str, kicks: dict[str, list[str]]
    ) -> None:
        goal = f"physics_{population.transfer}({total})"
        if population.scaled:
            goal = f"{self._parameter(f'rate_max{a}')} * {goal}"
        goal = " + ".join([goal, *kicks["target"]])
        decay = self._parameter(f"decay{a}")
        self._put(" + ".join([f"r = relax({self._load(f'r{a}')}, {goal}, {decay})", *kicks["rates"]]))
