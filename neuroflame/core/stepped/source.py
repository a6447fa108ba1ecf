"""Source text of the Triton kernel that advances all neurons of a block of points, for one shape of program.

As in `neuroflame.core.trajectory.gpu_source`, whose arrangement of the step it takes over, every equation is a call
of `neuroflame.physics`. What differs: a program holds a tile of some neurons at some points, its state lies in the
device's memory between steps, [neuron][point], and what a population sends goes through that memory to the others.

Sparse connectivity is 0 and 1, which float16 holds exactly. A source is sent as the sum of two float16 numbers,
its nearest and what is left, 22 bits together, side by side in one matrix: a product on the tensor cores, added up
in float32, then is one of float32 grade. A power of two for each point keeps sources up to its ``rate_limit`` inside
float16's range. In float64, and where connections are few, each neuron reads its sources one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroflame.core.random import NOISE
from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.stepped.tiling import Tiling, padded
from neuroflame.core.trajectory.gpu_source import FIRST, SQUARES, SUMS, GpuSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.trajectory.structure import PopulationShape, Shape

STATE = ("r", "h", "g", "q", "eta", "u", "x")
SUMMED_AT_ONCE = 64
LOCALS = (
    "tile block point width bound step old new going row segment kind sample sampled watched".split()
)
"""What a tile is told beside the kernel's arguments."""


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


class SteppedSource(GpuSource):
    """Writes one kernel.

    Attributes
    ----------
    parameters, arrays, state, patterns : list of str
        As those of `GpuSource`.
    sent : dict
        What is sent through memory, (``r``, population) or (``s``, pair), and whether in float16.
    slots : list of tuple
        Sums over the neurons of a tile that are kept: kind, index, mode.
    """

    def __init__(self, shape: Shape, layout: Layout) -> None:
        self.layout = layout
        self._used: list[str] = []
        super().__init__(shape, layout.sizes)

    def _parameter(self, name: str) -> str:
        if name not in self._used:
            self._used.append(name)
        return super()._parameter(name)

    # --- what is sent -------------------------------------------------------------------------------------------

    def _sender(self, i: int) -> tuple[str, int]:
        pair = self.shape.pairs[i]
        return ("s", i) if pair.plastic else ("r", pair.pre)

    def _channels(self) -> dict[tuple[str, int], dict[bool, None]]:
        """Return what is sent to sparse pairs, and whether as numbers (True), as float16 terms (False), or both."""
        found: dict[tuple[str, int], dict[bool, None]] = {}
        for i, pair in enumerate(self.shape.pairs):
            if pair.sparse:
                found.setdefault(self._sender(i), {})[self.layout.gathered[i]] = None
        return found

    def _slots(self) -> list[tuple[str, int, str]]:
        """Return the sums over a tile's neurons: those of ring pairs, then mean and first mode of each population."""
        found = [(kind, i, m) for (kind, i), modes in self.shape.sources().items() for m in self._modes(modes)]
        watched = [("r", a, m) for a in range(len(self.sizes)) for m in ("m", "c0", "s0")]
        return [*found, *(slot for slot in watched if slot not in found)]

    def tiles(self, a: int) -> int:
        """Return the tiles of a population."""
        return padded(self.sizes[a], self.layout.tiling.neurons) // self.layout.tiling.neurons

    def first_tile(self, a: int) -> int:
        """Return the tiles of the populations before."""
        return sum(self.tiles(b) for b in range(a))

    def arguments(self) -> list[str]:
        """Return the kernel's arguments."""
        count = range(len(self.sizes))
        kept = ("first", "total", "squares") if self.shape.temporal else ("first", "total")
        topology = []
        for i, pair in enumerate(self.shape.pairs):
            if pair.sparse:
                topology += [f"off{i}", f"idx{i}"] if self.layout.gathered[i] else [f"topo{i}"]
        return [
            *("par", "ext", "iv", "failed", "means", "traces", "keys", "limit"),
            *(f"tab{a}" for a in count),
            *(f"at_{name}" for name in self.state),
            *(f"at_{kind}{a}" for kind in kept for a in count),
            *(f"at_{name}" for name in self.patterns),
            *(f"{'plain' if plain else 'terms'}_{kind}{i}" for (kind, i), ways in self.sent.items() for plain in ways),
            *topology,
            *("sums", "counters", "blocks", "intervals", "start", "stop", "end", "begin_block", "members"),
        ]

    # --- the text -----------------------------------------------------------------------------------------------

    def _write(self) -> str:
        self.sent, self.slots = self._channels(), self._slots()
        updates = [self._update(a) for a in range(len(self.sizes))]
        openings = [self._opening(a) for a in range(len(self.sizes))]
        self.state = [name for name in self.arrays if name.rstrip("0123456789") in STATE]
        self.patterns = [f"pat{a}" for a, p in enumerate(self.shape.populations) if p.patterned]
        names = self.arguments()
        given = ", ".join([*names, *LOCALS])
        functions = [
            f"@triton.jit\ndef {kind}{a}({given}):\n" + "\n".join(f"    {line}" for line in lines)
            for kind, parts in (("update", updates), ("opening", openings))
            for a, lines in enumerate(parts)
        ]
        functions.append(f"@triton.jit\ndef together({given}):\n" + "\n".join(f"    {line}" for line in self._together()))
        return "\n\n\n".join([*functions, self._kernel(names, given)]) + "\n"

    def _kernel(self, names: list[str], given: str) -> str:
        self._lines, self._depth = [], 0
        numbers = ", ".join(f'"{name}"' for name in names[names.index("blocks") :])
        points = self.layout.tiling.points
        self._put(
            "# What the numbers of points and steps are must not change a rounding: one compilation for all.",
            f"@triton.jit(do_not_specialize=[{numbers}])",
            f"def kernel({', '.join(names)}):",
        )
        self._depth = 1
        self._put(
            "block = begin_block + tl.program_id(0) // members",
            "member = tl.program_id(0) % members",
            f"point = block * {points} + tl.arange(0, {points})",
            f"width = blocks * {points}",
            "bound = tl.load(limit + point)[None, :]",
            "step = start",
            "old, new, going = step % 2, step % 2, tl.where(start == stop, 0.0, 1.0)",
            "row, segment, kind, sample, sampled, watched = 0, 0, 0, 0, start < 0, start < 0",
        )
        self._over_tiles("opening", given)
        self._put("meetings = members", "meet(counters + block * 32, meetings)", "for k in range(intervals):")
        self._depth = 2
        for i, name in enumerate(("steps", "row", "segment", "kind", "sample")):
            self._put(f"{name} = tl.load(iv + k * 5 + {i})")
        self._put("for i in range(steps):")
        self._depth = 3
        self._put(
            "step += 1",
            "old, new, going = (step - 1) % 2, step % 2, tl.where(step == stop, 0.0, 1.0)",
            "sampled = (sample >= 0) & (i == steps - 1)",
            f"watched = sampled | (kind == {FIRST}) | (kind == {SQUARES})",
        )
        self._over_tiles("update", given)
        self._put("meetings += members", "meet(counters + block * 32, meetings)")
        self._put("if watched & (member == 0):", "    tile = 0", f"    together({given})")
        return "\n".join(self._lines)

    def _over_tiles(self, function: str, given: str) -> None:
        """Write the loops over the tiles that a program has: every ``members``-th, counted over all populations."""
        total = self.first_tile(len(self.sizes))
        for a in range(len(self.sizes)):
            begin = f"(member + {total} * members - {self.first_tile(a)}) % members"
            self._put(f"for tile in range({begin}, {self.tiles(a)}, members):", f"    {function}{a}({given})")

    def _place(self, a: int) -> list[str]:
        """Return the lines that say which neurons and points the tile has."""
        neurons = self.layout.tiling.neurons
        return [
            f"n = tile * {neurons} + tl.arange(0, {neurons})",
            f"inside = (n < {self.sizes[a]})[:, None]",
            "at = n.to(tl.int64)[:, None] * width + point[None, :]",
            "zero = bound * 0.0",
            "where_segment = tl.zeros([1, 1], tl.int64) + segment",
        ]

    def _opening(self, a: int) -> list[str]:
        """Return the lines of what a tile sends to the first step, by the rates that the launch starts with."""
        self._used = []
        body = self._written(lambda: self._transmit_tile(a))
        loads = self._written(lambda: self._load_state(["r%d" % a, *self._plastic_state(a)]))
        stores = self._written(lambda: self._store_state(self._plastic_state(a)))
        sums = self._written(lambda: self._tile_sums(a))
        return [*self._place(a), *self._loaded_parameters(), *loads, f"r = r{a}", *body, *self._bases(a, sums), *sums, *stores]

    def _written(self, write: object) -> list[str]:
        """Return the lines that a function writes, without indentation."""
        kept, depth = self._lines, self._depth
        self._lines, self._depth = [], 0
        write()  # type: ignore[operator]
        lines, self._lines, self._depth = self._lines, kept, depth
        return lines

    def _plastic_state(self, a: int) -> list[str]:
        return [f"{name}{i}" for i in self._plastic(a) for name in ("u", "x")]

    def _loaded_parameters(self) -> list[str]:
        place = {name: i for i, name in enumerate(self.parameters)}
        return [f"{name} = tl.load(par + {place[name]} * width + point)[None, :]" for name in self._used]

    def _load_state(self, names: list[str]) -> None:
        for name in names:
            self._put(f"{name} = tl.load(at_{name} + at, mask=inside, other=0.0)")

    def _store_state(self, names: list[str]) -> None:
        for name in names:
            self._put(f"tl.store(at_{name} + at, {name}, mask=inside)")

    # --- one step of one tile -----------------------------------------------------------------------------------

    def _update(self, a: int) -> list[str]:
        """Return the lines of one step of a tile of a population."""
        population = self.shape.populations[a]
        self._used, before = [], list(self.arrays)
        products = self._written(lambda: self._products(a))
        body = self._written(lambda: self._advance_tile(a, population))
        mine = [name for name in self.arrays if name not in before and name.rstrip("0123456789") in STATE]
        sums = self._written(lambda: self._tile_sums(a))
        record = self._written(lambda: self._record_tile(a))
        outside = self._written(lambda: self._load_external(a, population))
        loads = self._written(lambda: self._load_state(mine))
        stores = self._written(lambda: self._store_state(mine))
        noise = ["key_low, key_high = tl.load(keys + point), tl.load(keys + width + point)"] if self.shape.noise else []
        loaded = [*self._loaded_parameters(), *outside, *loads, *noise]
        bases = self._bases(a, [*body, *sums, *record])
        return [*self._place(a), *products, *loaded, *bases, *body, *sums, *record, *stores]

    def _bases(self, a: int, lines: list[str]) -> list[str]:
        """Return the lines that load the cosines and sines that others use."""
        text, found = "\n".join(lines), []
        for m, entry in self._basis(self.shape.table_modes):
            name = entry.format(a=a)
            if re.search(rf"\b{name}\b", text):
                column = int(m[1:]) + (self.width // 2 if m[0] == "s" else 0)
                place = f"tab{a} + n * {self.width} + {column}"
                found.append(f"{name} = tl.load({place}, mask=n < {self.sizes[a]}, other=0.0)[:, None]")
        return found

    def _products(self, a: int) -> None:
        """Write Σ_j C_ij s_j of each sparse pair onto a population, and the sums that its ring pairs bring."""
        for i, pair in enumerate(self.shape.pairs):
            if pair.post != a:
                continue
            kind, sender = self._sender(i)
            if pair.sparse and self.layout.gathered[i]:
                self._gather(i, f"plain_{kind}{sender}", self.sizes[pair.pre])
            elif pair.sparse:
                self._multiply(i, f"terms_{kind}{sender}", self.sizes[pair.pre])
        for kind, sender, m in self._moments_of(a):
            self._put(f"{kind.upper()}{sender}_{m} = {self._summed(kind, sender, m, 'old')}")

    def _moments_of(self, a: int) -> list[tuple[str, int, str]]:
        found: dict[tuple[str, int, str], None] = {}
        for i, pair in enumerate(self.shape.pairs):
            if pair.post == a and pair.ring:
                found |= {(*self._sender(i), m): None for m in self._modes(pair.modes)}
        return list(found)

    def _population_of(self, kind: str, i: int) -> int:
        return i if kind == "r" else self.shape.pairs[i].pre

    def _summed(self, kind: str, i: int, m: str, parity: str) -> str:
        """Return the sum over a population's tiles of one of the sums that its tiles left."""
        a = self._population_of(kind, i)
        block = min(SUMMED_AT_ONCE, 1 << (self.tiles(a) - 1).bit_length())
        slot, total = self.slots.index((kind, i, m)), self.first_tile(len(self.sizes))
        return (
            f"sum_of_tiles(sums + (({parity} * {len(self.slots)} + {slot}) * {total} + {self.first_tile(a)}) * width, "
            f"width, point, {self.tiles(a)}, {block})"
        )

    def _multiply(self, i: int, source: str, pre: int) -> None:
        tiling, columns = self.layout.tiling, self.layout.terms * self.layout.tiling.points
        deep = padded(pre, tiling.depth)
        self._put(
            f"c{i} = multiply(topo{i} + n.to(tl.int64)[:, None] * {deep}, "
            f"{source} + (old * blocks + block).to(tl.int64) * {deep * columns}, "
            f"{deep}, {tiling.neurons}, {tiling.points}, {tiling.depth}, {self.layout.terms}, {tiling.stages})"
        )

    def _gather(self, i: int, source: str, pre: int) -> None:
        self._put(
            f"c{i} = gather(off{i}, idx{i}, {source} + old.to(tl.int64) * {pre} * width, n, n < {self.sizes[self.shape.pairs[i].post]}, width, point, zero)"
        )

    def _advance_tile(self, a: int, population: PopulationShape) -> None:
        for i, pair in enumerate(self.shape.pairs):
            if pair.post == a and pair.sparse:
                scale = "" if self.layout.gathered[i] else f"{self._parameter('unscale')} * "
                self._put(f"c{i} = ({scale}{self._parameter(f'w{i}')}) * c{i}")
        self._neuronal_currents(a, population)
        for j, noise in enumerate(self.shape.noise):
            if noise.population == a:
                drawn = f"draw_tile(step - 1, tile, {noise.stream}, {NOISE}, key_low, key_high, {self.layout.tiling.neurons})"
                self._put(f"draw{j} = {drawn}.to(tl.{self.shape.dtype})")
        self._array(f"r{a}")
        self._rates(a, population)

    def _neuronal_currents(self, a: int, population: PopulationShape) -> None:
        incoming = [(i, pair) for i, pair in enumerate(self.shape.pairs) if pair.post == a]
        top = max([0, *(pair.modes for _, pair in incoming)])
        for slow in (False, True) if self.shape.slow else (False,):
            chosen = [(i, pair) for i, pair in incoming if pair.slow or not slow]
            terms = [f"c{i}" for i, pair in chosen if pair.sparse]
            if any(pair.ring for _, pair in chosen):
                waves = [
                    f"({self._incoming(a, m, slow=slow)}) * {e.format(a=a)}" for m, e in self._basis(top)
                ]
                terms = [f"({self._incoming(a, 'm', slow=slow)})", *waves, *terms]
            received = " + ".join(terms) or "zero"
            name, decay = (
                (f"g{a}", f"decay_slow{a}") if slow else (f"h{a}", f"decay_syn{a}")
            )
            if slow:
                received = f"{self._parameter(f'ratio{a}')} * ({received})"
            self._put(f"{self._array(name)} = relax({name}, {received}, {self._parameter(decay)})")

    def _loop_over_neurons(self, a: int, first: object) -> None:
        first()  # type: ignore[operator]
        self._put(f"r{a} = tl.where(inside, r{a}, 0.0)", f"r = r{a}")
        self._transmit_tile(a)

    def _transmit_tile(self, a: int) -> None:
        """Write plasticity with the new rates, for the next step, and send; the launch's last step leaves both."""
        sends = [("r", a)] if ("r", a) in self.sent else []
        for i in self._plastic(a):
            U = self._parameter(f"U{i}")
            factors = [f"{self._parameter(f'{n}{i}')} * going" for n in ("relax_fac", "gain_fac", "relax_rec", "gain_rec")]
            u, x = self._array(f"u{i}"), self._array(f"x{i}")
            advance = self.shape.pairs[i].rule
            self._put(f"{u}, {x}, sent{i} = {advance}({u}, {x}, r, {U}, {', '.join(factors)})")
            sends += [("s", i)] if ("s", i) in self.sent else []
        for kind, i in sends:
            value = "r" if kind == "r" else f"sent{i}"
            for plain in self.sent[kind, i]:
                if plain:
                    place = f"plain_{kind}{i} + new.to(tl.int64) * {self.sizes[a]} * width + at"
                    self._put(f"tl.store({place}, {value}, mask=inside)")
                else:
                    tiling, terms = self.layout.tiling, self.layout.terms
                    deep = padded(self.sizes[a], tiling.depth) * terms * tiling.points
                    place = f"terms_{kind}{i} + (new * blocks + block).to(tl.int64) * {deep}"
                    scaled = f"{value} * {self._parameter('scale')}"
                    self._put(f"send({place}, {scaled}, n, inside, {tiling.points}, {terms})")

    def _tile_sums(self, a: int) -> None:
        """Write the sums over the tile's neurons that ring pairs need at the next step."""
        for (kind, i), modes in self.shape.sources().items():
            if self._population_of(kind, i) == a:
                value = "r" if kind == "r" else f"tl.where(inside, sent{i}, 0.0)"
                self._keep_sums(a, kind, i, value, self._modes(modes))

    def _keep_sums(self, a: int, kind: str, i: int, value: str, modes: list[str]) -> None:
        total = self.first_tile(len(self.sizes))
        for m in modes:
            wave = "" if m == "m" else f" * basis{a}_{m}"
            slot = self.slots.index((kind, i, m))
            place = f"sums + ((new * {len(self.slots)} + {slot}) * {total} + {self.first_tile(a)} + tile) * width + point"
            self._put(f"tl.store({place}, tl.sum({value}{wave}, axis=0))")

    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        for letter in "cs":
            for k in range(modes):
                yield f"{letter}{k}", f"basis{{a}}_{letter}{k}"

    def _load_external(self, a: int, population: PopulationShape) -> None:
        count = len(self.sizes)
        for i, m in enumerate(self._external_modes(population)):
            self._put(f"e{a}_{m} = tl.load(ext + ((row * {count} + {a}) * 3 + {i}) * width + point)[None, :]")
        if population.patterned:
            place = f"at_pat{a} + row.to(tl.int64) * {self.sizes[a]} * width + at"
            self._put(f"pat{a}_now = tl.load({place}, mask=inside, other=0.0)")

    # --- recording, divergence ----------------------------------------------------------------------------------

    def _record_tile(self, a: int) -> None:
        own = self.shape.sources().get(("r", a))
        left = [m for m in ("m", "c0", "s0") if own is None or m not in self._modes(own)]
        if left:
            self._put("if watched:")
            self._depth += 1
            self._keep_sums(a, "r", a, "r", left)
            self._depth -= 1
        size = self.sizes[a]
        self._put(f"if kind == {FIRST}:", f"    tl.store(at_first{a} + where_segment * {size} * width + at, r, mask=inside)")
        self._put(f"if kind >= {SUMS}:")
        self._depth += 1
        self._put(
            f"moved = r - tl.load(at_first{a} + where_segment * {size} * width + at, mask=inside, other=0.0)",
            f"to_total = at_total{a} + where_segment * {size} * width + at",
            "tl.store(to_total, tl.load(to_total, mask=inside, other=0.0) + moved, mask=inside)",
        )
        if self.shape.temporal:
            self._put(
                f"if kind == {SQUARES}:",
                f"    to_squares = at_squares{a} + where_segment * {size} * width + at",
                "    tl.store(to_squares, tl.load(to_squares, mask=inside, other=0.0) + moved * moved, mask=inside)",
            )
        self._depth -= 1
        self._put(
            f"if (step % {CHECK_EVERY} == 0) | (step == end):",
            "    bad = tl.max(tl.where((r <= bound) & (r >= -bound), 0, 1), axis=0)",
            "    tl.atomic_min(failed + point, step + tl.zeros_like(bad), mask=bad > 0)",
        )

    def _together(self) -> list[str]:
        """Return the lines of what one program of a block does with the sums that all tiles left."""
        count, lines = len(self.sizes), []
        if self.shape.temporal:
            for a in range(count):
                lines.append(f"whole{a} = {self._summed('r', a, 'm', 'new')}")
            lines.append(f"if kind == {FIRST}:")
            lines += [f"    tl.store({self._means(a, 0)}, whole{a})" for a in range(count)]
            lines.append(f"if kind == {SQUARES}:")
            for a in range(count):
                first, total, squares = (self._means(a, i) for i in range(3))
                lines += [
                    f"    drift{a} = whole{a} - tl.load({first})",
                    f"    tl.store({total}, tl.load({total}) + drift{a})",
                    f"    tl.store({squares}, tl.load({squares}) + drift{a} * drift{a})",
                ]
        lines.append("if sampled:")
        for a in range(count):
            for i, m in enumerate(("m", "c0", "s0")):
                place = f"traces + (((sample * {count} + {a}) * 3 + {i}).to(tl.int64) * width + point)[None, :]"
                lines.append(f"    tl.store({place}, {self._summed('r', a, m, 'new')})")
        return lines

    def _means(self, a: int, i: int) -> str:
        return f"means + (((segment * {len(self.sizes)} + {a}) * 3 + {i}) * width + point)[None, :]"
