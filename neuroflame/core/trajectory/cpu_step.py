"""The words of a step on a CPU: loops over neurons, whose values are lanes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neuroflame.core.trajectory.source import Source
from neuroflame.core.trajectory.structure import LANES, SUM_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.trajectory.structure import PairShape, PopulationShape, Shape


class CpuStep(Source):
    """Writes a step of a block of lanes: arrays are ``[neuron][lane]``, and populations loops over neurons."""

    def __init__(self, shape: Shape) -> None:
        self.lanes = LANES[shape.dtype]
        super().__init__(shape)

    # --- words of its own ---------------------------------------------------------------------------------------

    def _load(self, array: str, offset: str = "o") -> str:
        return f"load({self._array(array)}, {offset}, {self.lanes})"

    def _store(self, array: str, value: str) -> str:
        return f"store({self._array(array)}, o, {value})"

    def _pattern(self, a: int) -> str:
        return self._load(f"pat{a}", f"row * r{a}.size + o")

    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        half = self.width // 2
        for k in range(modes):
            yield f"c{k}", f"tab{{a}}[n * {self.width} + {k}]"
        for k in range(modes):
            yield f"s{k}", f"tab{{a}}[n * {self.width} + {half + k}]"

    def _vector(self, kind: str, i: int, r: int) -> str:
        return f"{self._array(f'{kind}{i}')}[n * {self.shape.pairs[i].rank} + {r}]"

    # --- currents -------------------------------------------------------------------------------------------

    def _coefficient(self, i: int, pair: PairShape, m: str) -> str:
        """Return the text of one Fourier coefficient of the current that a ring pair brings."""
        source = f"S{i}" if pair.plastic else f"R{pair.pre}"
        if m == "m":
            return f"{self._parameter(f'w{i}_m')} * {source}_m"
        k = m[1:]
        along = self._parameter(f"w{i}_a{k}")
        if not pair.phased:
            return f"{along} * {source}_{m}"
        across = self._parameter(f"w{i}_b{k}")
        if m[0] == "c":
            return f"({along} * {source}_c{k} - {across} * {source}_s{k})"
        return f"({across} * {source}_c{k} + {along} * {source}_s{k})"

    def _incoming(self, a: int, m: str, *, slow: bool = False) -> str:
        terms = [
            self._coefficient(i, pair, m)
            for i, pair in enumerate(self.shape.pairs)
            if pair.post == a
            and not pair.sparse
            and (not slow or pair.slow)
            and (m == "m" or int(m[1:]) < pair.modes)
        ]
        return " + ".join(terms) or "zero"

    def _neuronal_currents(self, a: int, population: PopulationShape) -> None:
        incoming = [(i, pair) for i, pair in enumerate(self.shape.pairs) if pair.post == a]
        kinds = (False, True) if self.shape.slow else (False,)
        top = max([0, *(pair.modes for _, pair in incoming)])
        for slow in kinds:
            if any(not pair.sparse for _, pair in incoming):
                for m in self._modes(top):
                    self._put(f"t{int(slow)}_{m} = {self._incoming(a, m, slow=slow)}")
        for i in self._ranked(post=a):
            weight = self._parameter(f"w{i}_v")
            self._put(*(f"y{v[1:]} = {weight} * {v}" for v in self._projections(i)))
        for i, pair in incoming:
            if pair.sparse:
                source = self._array(f"s{i}" if pair.plastic else f"r{pair.pre}")
                work, lists = (
                    ("scatter_spikes", ("tidx", "toff")) if pair.events else ("gather", ("row", "off"))
                )
                given = ", ".join(self._array(f"{name}{i}") for name in ("sum", *lists))
                self._put(f"{work}({source}, {self.lanes}, {given})")
        self._put(f"for n in range(r{a}.size // {self.lanes}):")
        self._depth += 1
        self._put(f"o = n * {self.lanes}")
        for i, pair in incoming:
            if pair.sparse:
                self._put(f"c{i} = {self._parameter(f'w{i}')} * {self._load(f'sum{i}')}")
        for slow in kinds:
            chosen = [(i, pair) for i, pair in incoming if pair.slow or not slow]
            terms = [f"c{i}" for i, pair in chosen if pair.sparse]
            terms += [
                f"y{i}_{r} * {self._vector('mv', i, r)}" for i, pair in chosen for r in range(pair.rank)
            ]
            if any(not pair.sparse for _, pair in chosen):
                waves = [f"t{int(slow)}_{m} * {entry.format(a=a)}" for m, entry in self._basis(top)]
                terms = [f"t{int(slow)}_m", *waves, *terms]
            received = " + ".join(terms) or "zero"
            if slow:
                target = f"{self._parameter(f'ratio{a}')} * ({received})"
                decay = self._parameter(f"decay_slow{a}")
                self._put(f"store(g{a}, o, relax({self._load(f'g{a}')}, {target}, {decay}))")
            else:
                decay = self._parameter(f"decay_syn{a}")
                self._put(f"store(h{a}, o, relax({self._load(f'h{a}')}, {received}, {decay}))")
        self._depth -= 1

    # --- the loops over neurons -----------------------------------------------------------------------------

    def _sources_from_rates(self) -> None:
        """Write what the first step transmits, from the rates that the run starts with."""
        self._reset_sums()
        for a in range(len(self.shape.populations)):
            self._loop_over_neurons(a, partial(self._put, f"r = {self._load(f'r{a}')}"))

    def _reset_sums(self) -> None:
        for (kind, i), modes in self.shape.sources().items():
            name = f"{kind.upper()}{i}"
            self._put(" = ".join(f"{name}_{m}" for m in self._modes(modes)) + " = zero")
        for i in self._ranked():
            self._put(" = ".join(self._projections(i)) + " = zero")

    def _loop_over_neurons(self, a: int, first: Callable[[], None]) -> None:
        """Write the loop that makes each rate r, then its plasticity and its part in the sums over neurons."""
        sources = self.shape.sources()
        mine = [("r", a)] if ("r", a) in sources else []
        mine += [("s", i) for i in self._plastic(a) if ("s", i) in sources]
        self._put(f"for chunk in range(0, r{a}.size // {self.lanes}, {SUM_CHUNK}):")
        self._depth += 1
        for kind, i in mine:
            self._put(" = ".join(f"p{kind}{i}_{m}" for m in self._modes(sources[kind, i])) + " = zero")
        for i in self._ranked(pre=a):
            self._put(" = ".join(f"p{v}" for v in self._projections(i)) + " = zero")
        self._put(f"for n in range(chunk, min(chunk + {SUM_CHUNK}, r{a}.size // {self.lanes})):")
        self._depth += 1
        self._put(f"o = n * {self.lanes}")
        first()
        for i in self._plastic(a):
            names = [
                self._parameter(f"{name}{i}")
                for name in ("U", "relax_fac", "gain_fac", "relax_rec", "gain_rec")
            ]
            rule = self.shape.pairs[i].rule
            call = f"{rule}({self._load(f'u{i}')}, {self._load(f'x{i}')}, r, {', '.join(names)})"
            self._put(f"un, xn, sent{i} = {call}", f"store(u{i}, o, un)", f"store(x{i}, o, xn)")
            if self.shape.pairs[i].sparse:
                self._put(f"store({self._array(f's{i}')}, o, sent{i})")
        for kind, i in mine:
            value = "r" if kind == "r" else f"sent{i}"
            self._put(f"p{kind}{i}_m += {value}")
            for m, entry in self._basis(sources[kind, i]):
                self._put(f"p{kind}{i}_{m} += {value} * {entry.format(a=a)}")
        for i in self._ranked(pre=a):
            value = f"sent{i}" if self.shape.pairs[i].plastic else "r"
            self._put(
                *(f"p{v} += {value} * {self._vector('nv', i, r)}" for r, v in enumerate(self._projections(i)))
            )
        self._depth -= 1
        for kind, i in mine:
            for m in self._modes(sources[kind, i]):
                self._put(f"{kind.upper()}{i}_{m} += p{kind}{i}_{m}")
        for i in self._ranked(pre=a):
            self._put(*(f"{v} += p{v}" for v in self._projections(i)))
        self._depth -= 1
