"""The words of a step on a GPU: populations are vectors, sums over neurons reductions.

What differs from the words of a CPU: an array is a variable and a store an assignment; the loop over neurons is the
vector itself. A vector has the next power of two of entries. Those past the population's size have rate 0 and basis 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.random import NOISE
from neuroflame.core.trajectory.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.trajectory.structure import PopulationShape, Shape

SMALLEST_BLOCK = 16


class GpuStep(Source):
    """Writes a step of one point, whose populations are vectors in registers.

    Parameters
    ----------
    shape : Shape
    sizes : tuple of int
        Neurons of each population.
    """

    def __init__(self, shape: Shape, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        self._adders: set[int] = set()
        super().__init__(shape)

    # --- how the step that CPUs and GPUs share is put into words ------------------------------------------------

    def _load(self, array: str) -> str:
        return self._array(array)

    def _store(self, array: str, value: str) -> str:
        return f"{array} = {value}"

    def _pattern(self, a: int) -> str:
        return f"{self._array(f'pat{a}')}_now"

    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        for wave, letter in (("cosine", "c"), ("sine", "s")):
            for k in range(modes):
                yield f"{letter}{k}", f"{wave}{{a}}_{k}"

    def _vector(self, kind: str, i: int, r: int) -> str:
        return f"{kind}{i}_{r}"

    def vectors(self) -> dict[str, int]:
        """Return the vectors of the pairs of low rank by name, each with its population."""
        found: dict[str, int] = {}
        for i in self._ranked():
            pair = self.shape.pairs[i]
            for kind, a in (("nv", pair.pre), ("mv", pair.post)):
                found |= {self._vector(kind, i, r): a for r in range(pair.rank)}
        return found

    def _loop_over_neurons(self, a: int, first: Callable[[], None]) -> None:
        first()
        self._put(f"r{a} = tl.where(inside{a}, r{a}, 0.0)")

    def _incoming(self, a: int, m: str, *, slow: bool = False) -> str:
        """Return a sum in which each product is one rounding, whatever else is summed.

        A term more, with coefficient 0, then changes no bit: another point of the tile may need it.
        """
        total = "zero"
        for i, pair in enumerate(self.shape.pairs):
            if pair.post != a or pair.sparse or (slow and not pair.slow):
                continue
            source = f"S{i}" if pair.plastic else f"R{pair.pre}"
            if m == "m":
                total = f"tl.fma({self._parameter(f'w{i}_m')}, {source}_m, {total})"
            elif int(m[1:]) < pair.modes:
                k, other = m[1:], ("s" if m[0] == "c" else "c") + m[1:]
                total = f"tl.fma({self._parameter(f'w{i}_a{k}')}, {source}_{m}, {total})"
                if pair.phased:
                    sign = "-" if m[0] == "c" else ""
                    total = f"tl.fma({sign}{self._parameter(f'w{i}_b{k}')}, {source}_{other}, {total})"
        return total

    def _draw_noise(self) -> None:
        for j, noise in enumerate(self.shape.noise):
            drawn = (
                f"draw_normals(step, blocks{noise.population}, {noise.stream}, {NOISE}, key_low, key_high)"
            )
            self._put(f"draw{j} = {drawn}.to(tl.{self.shape.dtype})")

    def _transmit(self) -> None:
        """Write plasticity, from the rates that the step begins with, and the sums over neurons of what is sent."""
        sources = self.shape.sources()
        for i, pair in enumerate(self.shape.pairs):
            if pair.plastic:
                u, x = self._array(f"u{i}"), self._array(f"x{i}")
                self._put(f"{u}, {x}, sent{i} = {self._plasticity(i)}")
        sums: dict[int, list[tuple[str, str]]] = {}
        for (kind, i), modes in sources.items():
            value, a = (f"r{i}", i) if kind == "r" else (f"sent{i}", self.shape.pairs[i].pre)
            terms = [
                ("m", value),
                *((m, f"{value} * {entry.format(a=a)}") for m, entry in self._basis(modes)),
            ]
            sums.setdefault(block_of(self.sizes[a]), []).extend(
                (f"{kind.upper()}{i}_{m}", v) for m, v in terms
            )
        for i in self._ranked():
            pair = self.shape.pairs[i]
            value = f"sent{i}" if pair.plastic else f"r{pair.pre}"
            sums.setdefault(block_of(self.sizes[pair.pre]), []).extend(
                (v, f"{value} * {self._vector('nv', i, r)}") for r, v in enumerate(self._projections(i))
            )
        for found in sums.values():
            self._sum(found)

    def _plasticity(self, i: int) -> str:
        """Return the call that advances a plastic pair."""
        pair = self.shape.pairs[i]
        names = [self._parameter(f"{n}{i}") for n in ("U", "relax_fac", "gain_fac", "relax_rec", "gain_rec")]
        return f"{pair.rule}(u{i}, x{i}, r{pair.pre}, {', '.join(names)})"

    def _sum(self, found: list[tuple[str, str]]) -> None:
        """Write sums over the neurons of vectors of one length, as one reduction: warps meet once, not once each."""
        count = len(found)
        names, values = ", ".join(name for name, _ in found), ", ".join(value for _, value in found)
        if count == 1:
            self._put(f"{names} = tl.sum({values})")
        else:
            self._adders.add(count)
            self._put(f"{names} = tl.reduce(({values}), 0, add{count})")

    def _neuronal_currents(self, a: int, population: PopulationShape) -> None:
        top = max([0, *(pair.modes for pair in self.shape.pairs if pair.post == a)])
        for slow in (False, True) if self.shape.slow else (False,):
            waves = [f"({self._incoming(a, 'm', slow=slow)})"]
            waves += [f"({self._incoming(a, m, slow=slow)}) * {e.format(a=a)}" for m, e in self._basis(top)]
            for i in self._ranked(post=a):
                if self.shape.pairs[i].slow or not slow:
                    waves += self._expanded(i)
            received = " + ".join(waves)
            if slow:
                name, decay = self._array(f"g{a}"), self._parameter(f"decay_slow{a}")
                received = f"{self._parameter(f'ratio{a}')} * ({received})"
            else:
                name, decay = self._array(f"h{a}"), self._parameter(f"decay_syn{a}")
            self._put(f"{name} = relax({name}, {received}, {decay})")

    def _expanded(self, i: int) -> list[str]:
        """Return the terms of the input that a pair of low rank brings, beside its background."""
        weight = self._parameter(f"w{i}_v")
        return [f"{weight} * {v} * {self._vector('mv', i, r)}" for r, v in enumerate(self._projections(i))]

    def modes_held(self, a: int) -> int:
        """Return the modes of a population's basis: of its input, of what it sends, and the first for the bump."""
        sent = [
            modes
            for (kind, i), modes in self.shape.sources().items()
            if (i if kind == "r" else self.shape.pairs[i].pre) == a
        ]
        return max([1, self.shape.populations[a].modes, *sent])


def block_of(size: int) -> int:
    """Return the entries of the vector that holds a population."""
    return max(SMALLEST_BLOCK, 1 << (size - 1).bit_length())
