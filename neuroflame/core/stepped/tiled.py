"""The tiles of a stepped kernel: their neurons, the sums over them, what is recorded of them.

A tile leaves sums over its neurons in memory; after all programs of a block have met, whoever needs a sum over a
population adds up those of its tiles, in their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.stepped.tiling import Tiling, padded
from neuroflame.core.trajectory.gpu_source import FIRST, SQUARES, SUMS, GpuSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.trajectory.structure import Shape

SUMMED_AT_ONCE = 64
WATCHED = ("m", "c0", "s0")
"""Sums of rates that recording needs: of the mean, and of the first Fourier mode."""
PLASTIC = ("u", "x", "ux")
"""Sums over a plastic pair's source that samples need."""


@dataclass(frozen=True)
class Layout:
    """What a kernel is written for, beside the program's shape.

    Attributes
    ----------
    sizes : tuple of int
        Neurons of each population.
    gathered : tuple of bool
        By pair, whether sources are read one by one.
    terms : int
        float16 numbers that a source is sent as: 2, or 1 for a fast product of 11 bits.
    """

    sizes: tuple[int, ...]
    tiling: Tiling
    gathered: tuple[bool, ...]
    terms: int = 2


class TiledSource(GpuSource):
    """What the writer of a stepped kernel knows of its tiles.

    Attributes
    ----------
    slots : list of tuple
        Sums over the neurons of a tile that are kept: kind, index, mode.
    """

    def __init__(self, shape: Shape, layout: Layout) -> None:
        self.layout = layout
        self._used: list[str] = []
        self.slots: list[tuple[str, int, str]] = []
        super().__init__(shape, layout.sizes)

    def _parameter(self, name: str) -> str:
        if name not in self._used:
            self._used.append(name)
        return super()._parameter(name)

    def _loaded_parameters(self) -> list[str]:
        place = {name: i for i, name in enumerate(self.parameters)}
        return [f"{name} = tl.load(par + {place[name]} * width + point)[None, :]" for name in self._used]

    def _load_state(self, names: list[str]) -> None:
        for name in names:
            self._put(f"{name} = tl.load(at_{name} + at, mask=inside, other=0.0)")

    def _slots(self) -> list[tuple[str, int, str]]:
        """Return the sums over a tile's neurons: those of ring pairs, then those that recording needs."""
        found = [
            (kind, i, m) for (kind, i), modes in self.shape.sources().items() for m in self._modes(modes)
        ]
        found += [("v", i, v) for i in self._ranked() for v in self._projections(i)]
        watched = [("r", a, m) for a in range(len(self.sizes)) for m in WATCHED]
        plastic = [(kind, i, "m") for i in self.shape.traced_pairs for kind in PLASTIC]
        return [*found, *(slot for slot in watched if slot not in found), *plastic]

    def tiles(self, a: int) -> int:
        """Return the tiles of a population."""
        return padded(self.sizes[a], self.layout.tiling.neurons) // self.layout.tiling.neurons

    def first_tile(self, a: int) -> int:
        """Return the tiles of the populations before."""
        return sum(self.tiles(b) for b in range(a))

    def _sender(self, i: int) -> tuple[str, int]:
        pair = self.shape.pairs[i]
        return ("s", i) if pair.plastic else ("r", pair.pre)

    def _population_of(self, kind: str, i: int) -> int:
        return i if kind == "r" else self.shape.pairs[i].pre

    def _summed(self, kind: str, i: int, m: str, parity: str) -> str:
        """Return the sum over a population's tiles of one of the sums that its tiles left."""
        a = self._population_of(kind, i)
        block = min(SUMMED_AT_ONCE, 1 << (self.tiles(a) - 1).bit_length())
        slot, total = self.slots.index((kind, i, m)), self.first_tile(len(self.sizes))
        row = f"({parity} * {len(self.slots)} + {slot}) * {total} + {self.first_tile(a)}"
        return f"sum_of_tiles(sums + ({row}) * width, width, point, {self.tiles(a)}, {block})"

    def _place(self, a: int) -> list[str]:
        """Return the lines that say which neurons and points the tile has."""
        neurons = self.layout.tiling.neurons
        return [
            self._which_points(),
            "bound = tl.load(limit + point)[None, :]",
            f"n = tile * {neurons} + tl.arange(0, {neurons})",
            f"inside = (n < {self.sizes[a]})[:, None]",
            "at = n[:, None] * width + point[None, :]",
            "zero = bound * 0.0",
            f"of_segment = tl.cast(segment, tl.int64) * {self.sizes[a]} * width",
        ]

    def _which_points(self) -> str:
        points = self.layout.tiling.points
        return f"point = block * {points} + tl.arange(0, {points})"

    def _written(self, write: Callable[[], None]) -> list[str]:
        """Return the lines that a function writes, without indentation."""
        kept, depth = self._lines, self._depth
        self._lines, self._depth = [], 0
        write()
        lines, self._lines, self._depth = self._lines, kept, depth
        return lines

    def _bases(self, a: int, lines: list[str]) -> list[str]:
        """Return the lines that load the cosines and sines that others use."""
        text, found = "\n".join(lines), []
        for m, entry in self._basis(self.shape.table_modes):
            name = entry.format(a=a)
            if re.search(rf"\b{name}\b", text):
                column = int(m[1:]) + (self.width // 2 if m[0] == "s" else 0)
                place = f"tab{a} + n * {self.width} + {column}"
                found.append(f"{name} = tl.load({place}, mask=n < {self.sizes[a]}, other=0.0)[:, None]")
        for name, b in self.vectors().items():
            if b == a and re.search(rf"\b{name}\b", text):
                array, r = name.split("_")
                place = f"{array} + n * {self.shape.pairs[int(array[2:])].rank} + {r}"
                found.append(f"{name} = tl.load({place}, mask=n < {self.sizes[a]}, other=0.0)[:, None]")
        return found

    def _tile_sums(self, a: int) -> None:
        """Write the sums over the tile's neurons that ring pairs need at the next step."""
        for (kind, i), modes in self.shape.sources().items():
            if self._population_of(kind, i) == a:
                value = "r" if kind == "r" else f"tl.where(inside, sent{i}, 0.0)"
                self._keep_sums(a, kind, i, value, self._modes(modes))
        for i in self._ranked(pre=a):
            value = f"sent{i}" if self.shape.pairs[i].plastic else "r"
            for r, v in enumerate(self._projections(i)):
                self._keep_sum(a, ("v", i, v), f"{value} * {self._vector('nv', i, r)}")

    def _keep_sums(self, a: int, kind: str, i: int, value: str, modes: list[str]) -> None:
        for m in modes:
            wave = "" if m == "m" else f" * basis{a}_{m}"
            self._keep_sum(a, (kind, i, m), f"{value}{wave}")

    def _keep_sum(self, a: int, slot: tuple[str, int, str], value: str) -> None:
        total = self.first_tile(len(self.sizes))
        row = f"(new * {len(self.slots)} + {self.slots.index(slot)}) * {total} + {self.first_tile(a)} + tile"
        self._put(f"tl.store(sums + ({row}) * width + point, tl.sum({value}, axis=0))")

    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        for letter in "cs":
            for k in range(modes):
                yield f"{letter}{k}", f"basis{{a}}_{letter}{k}"

    # --- recording, divergence ----------------------------------------------------------------------------------

    def _watch(self, a: int) -> list[str]:
        """Return the lines that look at a tile's new rates."""
        lines = self._written(lambda: self._record_tile(a))
        load = f"r = tl.load(at_r{a} + at, mask=inside, other=0.0)"
        return [
            "tl.debug_barrier()",
            *self._place(a),
            load,
            *self._bases(a, lines),
            *lines,
            *self._sample_plastic(a),
        ]

    def _record_tile(self, a: int) -> None:
        own = self.shape.sources().get(("r", a))
        left = [m for m in WATCHED if own is None or m not in self._modes(own)]
        if left:
            self._put("if watched:")
            self._depth += 1
            self._keep_sums(a, "r", a, "r", left)
            self._depth -= 1
        self._put(f"if kind == {FIRST}:", f"    tl.store(at_first{a} + of_segment + at, r, mask=inside)")
        self._put(f"if kind >= {SUMS}:")
        self._depth += 1
        self._put(
            f"moved = r - tl.load(at_first{a} + of_segment + at, mask=inside, other=0.0)",
            f"to_total = at_total{a} + of_segment + at",
            "tl.store(to_total, tl.load(to_total, mask=inside, other=0.0) + moved, mask=inside)",
        )
        if self.shape.temporal:
            self._put(
                f"if kind == {SQUARES}:",
                f"    to_squares = at_squares{a} + of_segment + at",
                "    tl.store(to_squares, tl.load(to_squares, mask=inside, other=0.0) + moved * moved, mask=inside)",
            )
        self._depth -= 1
        self._put(
            f"if (step % {CHECK_EVERY} == 0) | (step == end):",
            "    bad = tl.max(tl.where((r <= bound) & (r >= -bound), 0, 1), axis=0)",
            "    tl.atomic_min(failed + point, step + tl.zeros_like(bad), mask=bad > 0)",
        )

    def _sample_plastic(self, a: int) -> list[str]:
        """Return the lines that sum u, x and u x of a population's sampled pairs, as the next step finds them.

        The launch's last step has left them as they were.
        """
        pairs = [i for i in self.shape.traced_pairs if self.shape.pairs[i].pre == a]
        if not pairs:
            return []
        self._used = []
        sums = self._written(lambda: self._sum_plastic(a, pairs))
        loads = self._written(lambda: self._load_state([f"{name}{i}" for i in pairs for name in ("u", "x")]))
        return ["if sampled:", *(f"    {line}" for line in [*self._loaded_parameters(), *loads, *sums])]

    def _sum_plastic(self, a: int, pairs: list[int]) -> None:
        for i in pairs:
            self._put(f"next_u, next_x, sent{i} = {self._advance_pair(i, f'u{i}', f'x{i}', '(1.0 - going)')}")
            for kind, value in zip(PLASTIC, ("next_u", "next_x", "next_u * next_x"), strict=True):
                self._keep_sums(a, kind, i, f"tl.where(inside, {value}, 0.0)", ["m"])

    def _advance_pair(self, i: int, u: str, x: str, scale: str) -> str:
        """Return the call that advances a plastic pair by the rates r, or not at all where the scale is 0."""
        names = ("relax_fac", "gain_fac", "relax_rec", "gain_rec")
        factors = [f"{self._parameter(f'{name}{i}')} * {scale}" for name in names]
        return f"{self.shape.pairs[i].rule}({u}, {x}, r, {self._parameter(f'U{i}')}, {', '.join(factors)})"

    def _together(self) -> list[str]:
        """Return the lines of what one program of a block does with the sums that all tiles left."""
        count, lines = len(self.sizes), [self._which_points()]
        if self.shape.temporal:
            for a in range(count):
                lines.append(f"whole{a} = {self._summed('r', a, 'm', 'new')}")
            lines.append(f"if kind == {FIRST}:")
            lines += [f"    tl.store({self._mean_place(a, 0)}, whole{a})" for a in range(count)]
            lines.append(f"if kind == {SQUARES}:")
            for a in range(count):
                first, total, squares = (self._mean_place(a, i) for i in range(3))
                lines += [
                    f"    drift{a} = whole{a} - tl.load({first})",
                    f"    tl.store({total}, tl.load({total}) + drift{a})",
                    f"    tl.store({squares}, tl.load({squares}) + drift{a} * drift{a})",
                ]
        lines.append("if sampled:")
        rows = [[("r", a, m) for m in WATCHED] for a in range(count)]
        rows += [[(kind, i, "m") for kind in PLASTIC] for i in self.shape.traced_pairs]
        for row, slots in enumerate(rows):
            for i, slot in enumerate(slots):
                at = f"((sample * {len(rows)} + {row}) * 3 + {i}).to(tl.int64)"
                place = f"traces + ({at} * width + point)[None, :]"
                lines.append(f"    tl.store({place}, {self._summed(*slot, 'new')})")
        return lines

    def _mean_place(self, a: int, i: int) -> str:
        return f"means + (((segment * {len(self.sizes)} + {a}) * 3 + {i}) * width + point)[None, :]"
