"""Source text of the Triton kernel that advances all neurons of a block of points, for one shape of program.

As in `neuroflame.core.trajectory.gpu_source`, whose arrangement of the step it takes over, every equation is a call
of `neuroflame.physics`. What differs: a program holds a tile of some neurons at some points, its state lies in the
device's memory between steps, [neuron][point], and what a population sends goes through that memory to the others.

Sparse connectivity is 0 and 1, which float16 holds exactly. A source times its weight is sent as the sum of two
float16 numbers, its nearest and what is left, 22 bits together, side by side in one matrix: a product on the tensor
cores, added up in float32, then is one of float32 grade. A power of two for each point keeps sources up to its
``rate_limit`` inside float16's range. In float64, and where connections are few, each neuron reads its sources one
by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.random import NOISE
from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.stepped.tiled import TiledSource
from neuroflame.core.stepped.tiling import padded
from neuroflame.core.trajectory.gpu_source import FIRST, SQUARES

if TYPE_CHECKING:
    from neuroflame.core.trajectory.structure import PopulationShape

NOINLINE = "(noinline=True)"
STATE = ("r", "h", "g", "q", "eta", "u", "x")
NUMBERS = ("blocks", "width", "intervals", "start", "stop", "end", "begin_block", "members")
LOCALS = [
    "tile",
    "block",
    "step",
    "old",
    "new",
    "going",
    "row",
    "segment",
    "kind",
    "sample",
    "sampled",
    "watched",
]
"""What a tile is told beside the kernel's arguments."""


class SteppedSource(TiledSource):
    """Writes one kernel.

    Attributes
    ----------
    parameters, arrays, state, patterns : list of str
        As those of `GpuSource`.
    products : dict
        Matrix products by name, each with its pairs.
    plain : list of tuple
        What is sent to be read one by one: (``r``, population) or (``s``, pair).
    """

    def _products_of(self) -> dict[str, tuple[int, ...]]:
        """Return the matrix products by name, each with its pairs: onto one population, slow sources apart."""
        found: dict[str, tuple[int, ...]] = {}
        for i, pair in enumerate(self.shape.pairs):
            if pair.sparse and not self.layout.gathered[i]:
                name = f"{pair.post}{'_slow' if pair.slow else ''}"
                found[name] = (*found.get(name, ()), i)
        return found

    def deep(self, pairs: tuple[int, ...]) -> int:
        """Return the presynaptic neurons of some pairs, each pair's rounded up to whole units."""
        return sum(padded(self.sizes[self.shape.pairs[i].pre], self.layout.tiling.depth) for i in pairs)

    def arguments(self) -> list[str]:
        """Return the kernel's arguments."""
        count = range(len(self.sizes))
        kept = ("first", "total", "squares") if self.shape.temporal else ("first", "total")
        topology = []
        for i, pair in enumerate(self.shape.pairs):
            if pair.sparse:
                topology += [f"off{i}", f"idx{i}"] if self.layout.gathered[i] else []
        return [
            *("par", "ext", "iv", "failed", "means", "traces", "keys", "limit"),
            *(f"tab{a}" for a in count),
            *(f"{kind}{i}" for i in self._ranked() for kind in ("nv", "mv")),
            *(f"at_{name}" for name in self.state),
            *(f"at_{kind}{a}" for kind in kept for a in count),
            *(f"at_{name}" for name in self.patterns),
            *(f"plain_{kind}{i}" for kind, i in self.plain),
            *(f"{what}_{name}" for name in self.products for what in ("topo", "terms", "to")),
            *topology,
            *("sums", "counters", *NUMBERS),
        ]

    # --- the text -----------------------------------------------------------------------------------------------

    def _write(self) -> str:
        self.products, self.slots = self._products_of(), self._slots()
        gathered = [i for i, pair in enumerate(self.shape.pairs) if pair.sparse and self.layout.gathered[i]]
        self.plain = list(dict.fromkeys(self._sender(i) for i in gathered))
        updates = [self._update(a) for a in range(len(self.sizes))]
        openings = [self._opening(a) for a in range(len(self.sizes))]
        self.state = [name for name in self.arrays if name.rstrip("0123456789") in STATE]
        self.patterns = [f"pat{a}" for a, p in enumerate(self.shape.populations) if p.patterned]
        names = self.arguments()
        given = ", ".join([*names, *LOCALS])
        records = [self._watch(a) for a in range(len(self.sizes))]
        parts = [("update", updates, ""), ("opening", openings, NOINLINE), ("record", records, NOINLINE)]
        functions = [
            f"@triton.jit{how}\ndef {kind}{a}({given}):\n" + "\n".join(f"    {line}" for line in lines)
            for kind, part, how in parts
            for a, lines in enumerate(part)
        ]
        functions.append(
            f"@triton.jit{NOINLINE}\ndef together({given}):\n"
            + "\n".join(f"    {line}" for line in self._together())
        )
        return "\n\n\n".join([*functions, self._kernel_text(names, given)]) + "\n"

    def _kernel_text(self, names: list[str], given: str) -> str:
        self._lines, self._depth = [], 0
        numbers = ", ".join(f'"{name}"' for name in NUMBERS)
        self._put(
            "# What the numbers of points and steps are must not change a rounding: one compilation for all.",
            f"@triton.jit(do_not_specialize=[{numbers}])",
            f"def kernel({', '.join(names)}):",
        )
        self._depth = 1
        self._put(
            "block = begin_block + tl.program_id(0) // members",
            "member = tl.program_id(0) % members",
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
            if function == "update":
                self._put(
                    f"    if watched | (kind > 0) | (step % {CHECK_EVERY} == 0) | (step == end):",
                    f"        record{a}({given})",
                )

    def _opening(self, a: int) -> list[str]:
        """Return the lines of what a tile sends to the first step, by the rates that the launch starts with."""
        self._used = []
        body = self._written(lambda: self._transmit_tile(a))
        loads = self._written(lambda: self._load_state([f"r{a}", *self._plastic_state(a)]))
        stores = self._written(lambda: self._store_state(self._plastic_state(a)))
        sums = self._written(lambda: self._tile_sums(a))
        return [
            *self._place(a),
            *self._loaded_parameters(),
            *loads,
            f"r = r{a}",
            *body,
            *self._bases(a, sums),
            *sums,
            *stores,
        ]

    def _plastic_state(self, a: int) -> list[str]:
        return [f"{name}{i}" for i in self._plastic(a) for name in ("u", "x")]

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
        outside = self._written(lambda: self._load_external(a, population))
        loads = self._written(lambda: self._load_state(mine))
        stores = self._written(lambda: self._store_state(mine))
        noise = (
            ["key_low, key_high = tl.load(keys + point), tl.load(keys + width + point)"]
            if self.shape.noise
            else []
        )
        loaded = [*self._loaded_parameters(), *outside, *loads, *noise]
        bases = self._bases(a, [*body, *sums])
        return [*self._place(a), *products, *loaded, *bases, *body, *sums, *stores]

    def _products(self, a: int) -> None:
        """Write Σ_j C_ij s_j of each sparse pair onto a population, and the sums that its ring pairs bring."""
        for i, pair in enumerate(self.shape.pairs):
            if pair.post != a:
                continue
            if pair.sparse and self.layout.gathered[i]:
                kind, sender = self._sender(i)
                self._gather(i, f"plain_{kind}{sender}", self.sizes[pair.pre])
        for name, pairs in self.products.items():
            if self.shape.pairs[pairs[0]].post == a:
                self._multiply(name, self.deep(pairs))
        for kind, sender, m in self._moments_of(a):
            self._put(f"{kind.upper()}{sender}_{m} = {self._summed(kind, sender, m, 'old')}")
        for i in self._ranked(post=a):
            self._put(*(f"{v} = {self._summed('v', i, v, 'old')}" for v in self._projections(i)))

    def _moments_of(self, a: int) -> list[tuple[str, int, str]]:
        found: dict[tuple[str, int, str], None] = {}
        for i, pair in enumerate(self.shape.pairs):
            if pair.post == a and not pair.sparse:
                found |= {(*self._sender(i), m): None for m in self._modes(pair.modes)}
        return list(found)

    def _multiply(self, name: str, deep: int) -> None:
        tiling, columns = self.layout.tiling, self.layout.terms * self.layout.tiling.points
        self._put(
            f"p{name} = multiply(topo_{name} + tl.cast(tile, tl.int64) * {tiling.neurons * deep}, "
            f"terms_{name} + (old * blocks + block).to(tl.int64) * {deep * columns}, "
            f"{deep}, {tiling.neurons}, {tiling.points}, {tiling.depth}, {self.layout.terms}, {tiling.stages})"
        )

    def _gather(self, i: int, source: str, pre: int) -> None:
        inside = f"n < {self.sizes[self.shape.pairs[i].post]}"
        source = f"{source} + tl.cast(old, tl.int64) * {pre} * width"
        self._put(f"c{i} = gather(off{i}, idx{i}, {source}, n, {inside}, width, point, zero)")

    def _advance_tile(self, a: int, population: PopulationShape) -> None:
        for i, pair in enumerate(self.shape.pairs):
            if pair.post == a and pair.sparse and self.layout.gathered[i]:
                self._put(f"c{i} = {self._parameter(f'w{i}')} * c{i}")
        for name, pairs in self.products.items():
            if self.shape.pairs[pairs[0]].post == a:
                self._put(f"p{name} = {self._parameter(f'unscale{a}')} * p{name}")
        self._neuronal_currents(a, population)
        for j, noise in enumerate(self.shape.noise):
            if noise.population == a:
                keys = f"key_low, key_high, {self.layout.tiling.neurons}"
                drawn = f"draw_tile(step - 1, tile, {noise.stream}, {NOISE}, {keys})"
                self._put(f"draw{j} = {drawn}.to(tl.{self.shape.dtype})")
        self._array(f"r{a}")
        self._rates(a, population)

    def _neuronal_currents(self, a: int, population: PopulationShape) -> None:
        incoming = [(i, pair) for i, pair in enumerate(self.shape.pairs) if pair.post == a]
        top = max([0, *(pair.modes for _, pair in incoming)])
        for slow in (False, True) if self.shape.slow else (False,):
            chosen = [(i, pair) for i, pair in incoming if pair.slow or not slow]
            terms = [f"c{i}" for i, pair in chosen if pair.sparse and self.layout.gathered[i]]
            terms += [
                f"p{name}" for name, pairs in self.products.items() if pairs[0] in [i for i, _ in chosen]
            ]
            for i, pair in chosen:
                terms += self._expanded(i) if pair.rank else []
            if any(not pair.sparse for _, pair in chosen):
                waves = [
                    f"({self._incoming(a, m, slow=slow)}) * {e.format(a=a)}" for m, e in self._basis(top)
                ]
                terms = [f"({self._incoming(a, 'm', slow=slow)})", *waves, *terms]
            received = " + ".join(terms) or "zero"
            name, decay = (f"g{a}", f"decay_slow{a}") if slow else (f"h{a}", f"decay_syn{a}")
            if slow:
                received = f"{self._parameter(f'ratio{a}')} * ({received})"
            self._put(f"{self._array(name)} = relax({name}, {received}, {self._parameter(decay)})")

    def _loop_over_neurons(self, a: int, first: object) -> None:
        first()  # type: ignore[operator]
        self._put(f"r{a} = tl.where(inside, r{a}, 0.0)", f"r = r{a}")
        self._transmit_tile(a)

    def _transmit_tile(self, a: int) -> None:
        """Write plasticity with the new rates, for the next step, and send; the launch's last step leaves both."""
        for i in self._plastic(a):
            u, x = self._array(f"u{i}"), self._array(f"x{i}")
            self._put(f"{u}, {x}, sent{i} = {self._advance_pair(i, u, x, 'going')}")
        for kind, i in self.plain:
            if self._population_of(kind, i) == a:
                value = "r" if kind == "r" else f"sent{i}"
                place = f"plain_{kind}{i} + tl.cast(new, tl.int64) * {self.sizes[a]} * width + at"
                self._put(f"tl.store({place}, {value}, mask=inside)")
        points, terms = self.layout.tiling.points, self.layout.terms
        for name, pairs in self.products.items():
            for at, i in enumerate(pairs):
                if self.shape.pairs[i].pre == a:
                    kind, sender = self._sender(i)
                    value = "r" if kind == "r" else f"sent{sender}"
                    before, deep = self.deep(pairs[:at]), self.deep(pairs)
                    place = (
                        f"to_{name} + ((new * blocks + block).to(tl.int64) * {deep} + {before}) * {points}"
                    )
                    self._put(
                        f"send({place}, {value} * {self._parameter(f'push{i}')}, n, inside, {points}, {terms})"
                    )

    def _load_external(self, a: int, population: PopulationShape) -> None:
        count = len(self.sizes)
        for i, m in enumerate(self._external_modes(population)):
            self._put(f"e{a}_{m} = tl.load(ext + ((row * {count} + {a}) * 3 + {i}) * width + point)[None, :]")
        if population.patterned:
            place = f"at_pat{a} + tl.cast(row, tl.int64) * {self.sizes[a]} * width + at"
            self._put(f"pat{a}_now = tl.load({place}, mask=inside, other=0.0)")
