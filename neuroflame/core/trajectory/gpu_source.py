"""Source text of the Triton kernel that runs one point, for one shape of program.

Its step is that of `neuroflame.core.trajectory.gpu_step`; around it, what is read, how long it is repeated, and what
is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.trajectory.gpu_step import GpuStep, block_of

if TYPE_CHECKING:
    from neuroflame.core.trajectory.structure import Shape


QUIET, FIRST, SUMS, SQUARES = range(4)
"""What is recorded in an interval: nothing; its end, as a segment's first state; sums; sums and squares."""


class GpuSource(GpuStep):
    """Writes one kernel.

    Parameters
    ----------
    shape : Shape
    sizes : tuple of int
        Neurons of each population.

    Attributes
    ----------
    parameters : list of str
        Names of the rows of ``par``, in order.
    state : list of str
        Names of the arrays of the state, in order: read at the start, written at the end.
    patterns : list of str
        Names of the arrays of input patterns, in order.
    """

    def __init__(self, shape: Shape, sizes: tuple[int, ...]) -> None:
        self.state: list[str] = []
        self.patterns: list[str] = []
        super().__init__(shape, sizes)

    # --- the text -----------------------------------------------------------------------------------------------

    def _write(self) -> str:
        step = self._advance()
        kernel = self._kernel()
        adders = "".join(_adder(count) for count in sorted(self._adders))
        return f"{adders}@triton.jit\ndef advance({', '.join(self._given())}):\n{step}\n\n\n{kernel}"

    def _advance(self) -> str:
        """Return the body of one step; writing it finds out which state and parameters there are."""
        self._lines, self._depth = [], 1
        self._transmit()
        shape = self.shape
        for a, population in enumerate(shape.populations):
            (self._modal_currents if population.modal else self._neuronal_currents)(a, population)
        self._draw_noise()
        for a, population in enumerate(shape.populations):
            self._array(f"r{a}")
            self._rates(a, population)
        groups = ("r", "h", "g", "q", "u", "x", "eta")
        self.state = [name for name in self.arrays if name.rstrip("0123456789") in groups]
        self.patterns = [f"pat{a}" for a, p in enumerate(shape.populations) if p.patterned]
        self.modal = [
            f"{current}{a}_{m}"
            for a, population in enumerate(shape.populations)
            if population.modal
            for current in (("h", "g") if shape.slow else ("h",))
            for m in self._modes(population.modes)
        ]
        self._put(f"return ({', '.join([*self.state, *self.modal])},)")
        return "\n".join(self._lines)

    def _given(self) -> list[str]:
        """Return the arguments of a step: the state, and what does not change within an interval."""
        shape = self.shape
        fixed = ["step", *self.state, *self.modal, *self.parameters, "zero"]
        for a, population in enumerate(shape.populations):
            fixed += [f"e{a}_{m}" for m in self._external_modes(population)]
            fixed += [entry.format(a=a) for _, entry in self._basis(self.modes_held(a))]
            fixed.append(f"inside{a}")
        fixed += [*self.vectors(), *(f"{name}_now" for name in self.patterns)]
        if shape.noise:
            fixed += [
                "key_low",
                "key_high",
                *(f"blocks{a}" for a in sorted({n.population for n in shape.noise})),
            ]
        return fixed

    def arguments(self) -> list[str]:
        """Return the kernel's arguments."""
        count = range(len(self.sizes))
        kept = ("first", "total", "squares") if self.shape.temporal else ("first", "total")
        return [
            *("par", "ext", "iv", "failed", "means", "traces", "keys", "limit"),
            *(f"tab{a}" for a in count),
            *(f"{kind}{i}" for i in self._ranked() for kind in ("nv", "mv")),
            *(f"at_{name}" for name in self.state),
            *(f"at_{kind}{a}" for kind in kept for a in count),
            *(f"at_{name}" for name in self.patterns),
            *(("coefficients",) if self.shape.evidence else ()),
            *("points", "intervals", "start", "end"),
        ]

    def _kernel(self) -> str:
        self._lines, self._depth = [], 0
        names = self.arguments()
        listed = ", ".join(f'"{name}"' for name in names)
        self._put(
            "# One compilation for all calls: what the numbers of points or an array's place in memory are",
            "# must not change a rounding.",
            f"@triton.jit(do_not_specialize=[{listed}], do_not_specialize_on_alignment=[{listed}])",
            f"def kernel({', '.join(names)}):",
        )
        self._depth = 1
        self._before()
        self._put("for k in range(intervals):")
        self._depth = 2
        self._interval()
        self._depth = 1
        self._put("fine = fail_step < 0", "tl.store(failed + point, fail_step)")
        for name in self.state:
            a = self.population_of(name)
            self._put(
                f"tl.store(at_{name} + point * {self.sizes[a]} + n{a}, tl.where(fine, {name}, 0.0), mask=inside{a})"
            )
        if self.shape.evidence:
            for i, name in enumerate(self.modal):
                self._put(f"tl.store(coefficients + {i} * points + point, {name})")
        return "\n".join(self._lines) + "\n"

    def population_of(self, name: str) -> int:
        """Return the population whose neurons an array of the state has."""
        kind = name.rstrip("0123456789")
        index = int(name[len(kind) :])
        if kind in {"u", "x"}:
            return self.shape.pairs[index].pre
        return self.shape.noise[index].population if kind == "eta" else index

    def _before(self) -> None:
        shape = self.shape
        self._put(
            "point = tl.program_id(0).to(tl.int64)", "bound = tl.load(limit + point)", "zero = bound * 0.0"
        )
        self._put(
            *(f"{name} = tl.load(par + {i} * points + point)" for i, name in enumerate(self.parameters))
        )
        for a, size in enumerate(self.sizes):
            block = block_of(size)
            same = self.sizes.index(size)
            self._put(f"n{a} = tl.arange(0, {block})", f"inside{a} = n{a} < {size}")
            half = shape.table_modes
            held = max(self.modes_held(b) for b, other in enumerate(self.sizes) if other == size)
            for at, (_, entry) in enumerate(self._basis(held)):
                column = at if at < held else half + at - held
                name = entry.format(a=a)
                if same < a:
                    self._put(f"{name} = {entry.format(a=same)}")
                else:
                    self._put(
                        f"{name} = tl.load(tab{a} + n{a} * {2 * half} + {column}, mask=inside{a}, other=0.0)"
                    )
        for name in self.state:
            a = self.population_of(name)
            self._put(
                f"{name} = tl.load(at_{name} + point * {self.sizes[a]} + n{a}, mask=inside{a}, other=0.0)"
            )
        for name, a in self.vectors().items():
            array, r = name.split("_")
            rank = self.shape.pairs[int(array[2:])].rank
            self._put(f"{name} = tl.load({array} + n{a} * {rank} + {r}, mask=inside{a}, other=0.0)")
        self._put(*(f"{name} = zero" for name in self.modal))
        if shape.noise:
            self._put("key_low = tl.load(keys + point)", "key_high = tl.load(keys + points + point)")
            for a in sorted({noise.population for noise in shape.noise}):
                self._put(f"blocks{a} = tl.arange(0, {block_of(self.sizes[a]) // 4}).to(tl.int64)")
        self._put("fail_step = tl.load(failed + point)", "step = start")

    def _interval(self) -> None:
        shape, count = self.shape, len(self.sizes)
        for i, name in enumerate(("steps", "row", "segment", "kind", "sample")):
            self._put(f"{name} = tl.load(iv + k * 5 + {i})")
        for a, population in enumerate(shape.populations):
            for i, m in enumerate(self._external_modes(population)):
                self._put(f"e{a}_{m} = tl.load(ext + ((row * {count} + {a}) * 3 + {i}) * points + point)")
        for name in self.patterns:
            a = int(name[3:])
            place = f"(row.to(tl.int64) * {self.sizes[a]} + n{a}) * points + point"
            self._put(f"{name}_now = tl.load(at_{name} + {place}, mask=inside{a}, other=0.0)")
        self._put(
            "where_segment = segment.to(tl.int64) * points + point",
            f"if kind <= {FIRST}:",
        )
        self._depth += 1
        self._steps([])
        self._depth -= 1
        self._put(f"elif kind == {SUMS}:" if shape.temporal else "else:")
        self._recording(squares=False)
        if shape.temporal:
            self._put("else:")
            self._recording(squares=True)
        self._put(f"if kind == {FIRST}:")
        self._depth += 1
        for a in range(count):
            self._put(f"tl.store({self._sums('first', a)}, r{a}, mask=inside{a})")
            if shape.temporal:
                self._put(f"tl.store({self._means(a, 0)}, tl.sum(r{a}))")
        self._depth -= 1
        self._put("if sample >= 0:")
        self._depth += 1
        traced = [(f"r{a}", f"r{a} * cosine{a}_0", f"r{a} * sine{a}_0") for a in range(count)]
        for i in shape.traced_pairs:  # as the next step finds them, like a CPU's kernel
            inside = f"inside{shape.pairs[i].pre}"
            self._put(f"next_u, next_x, sent{i} = {self._plasticity(i)}")
            self._put(
                f"u{i}_now = tl.where({inside}, next_u, 0.0)", f"x{i}_now = tl.where({inside}, next_x, 0.0)"
            )
            traced.append((f"u{i}_now", f"x{i}_now", f"u{i}_now * x{i}_now"))
        for a, values in enumerate(traced):
            for i, value in enumerate(values):
                place = f"traces + ((sample * {len(traced)} + {a}) * 3 + {i}).to(tl.int64) * points + point"
                self._put(f"tl.store({place}, tl.sum({value}))")
        self._depth -= 1

    def _sums(self, kind: str, a: int) -> str:
        return f"at_{kind}{a} + where_segment * {self.sizes[a]} + n{a}"

    def _means(self, a: int, i: int) -> str:
        return f"means + ((segment * {len(self.sizes)} + {a}) * 3 + {i}).to(tl.int64) * points + point"

    def _recording(self, *, squares: bool) -> None:
        """Write steps whose rates are added up; the sums stay in registers until the interval's end."""
        self._depth += 1
        vectors = ("total", "squares") if squares else ("total",)
        each: list[str] = []
        for a in range(len(self.sizes)):
            for kind in ("first", *vectors):
                self._put(f"{kind}{a} = tl.load({self._sums(kind, a)}, mask=inside{a}, other=0.0)")
            each += [f"moved = r{a} - first{a}", f"total{a} += moved"]
            if squares:
                for i, kind in enumerate(("mean_first", "mean_total", "mean_squares")):
                    self._put(f"{kind}{a} = tl.load({self._means(a, i)})")
                each += [f"squares{a} += moved * moved", f"drift = tl.sum(r{a}) - mean_first{a}"]
                each += [f"mean_total{a} += drift", f"mean_squares{a} += drift * drift"]
        self._steps(each)
        for a in range(len(self.sizes)):
            for kind in vectors:
                self._put(f"tl.store({self._sums(kind, a)}, {kind}{a}, mask=inside{a})")
            if squares:
                for i, kind in enumerate(("mean_total", "mean_squares"), start=1):
                    self._put(f"tl.store({self._means(a, i)}, {kind}{a})")
        self._depth -= 1

    def _steps(self, each: list[str]) -> None:
        """Write the interval's steps; a point that has diverged goes on, and what it leaves is not looked at."""
        state = [*self.state, *self.modal]
        self._put("for i in range(steps):")
        self._depth += 1
        self._put(f"{', '.join(state)}, = advance({', '.join(self._given())})", "step += 1", *each)
        self._put(f"if (step % {CHECK_EVERY} == 0) | (step == end):")
        self._depth += 1
        for a in range(len(self.sizes)):
            self._put(f"bad{a} = tl.max(tl.where((r{a} <= bound) & (r{a} >= -bound), 0, 1))")
        bad = " | ".join(f"(bad{a} > 0)" for a in range(len(self.sizes)))
        self._put(f"fail_step = tl.where((fail_step < 0) & ({bad}), step, fail_step)")
        self._depth -= 2


def _adder(count: int) -> str:
    """Return the text of a function that adds two tuples."""
    names = [f"{side}{i}" for side in "ab" for i in range(count)]
    sums = ", ".join(f"a{i} + b{i}" for i in range(count))
    return f"@triton.jit\ndef add{count}({', '.join(names)}):\n    return {sums}\n\n\n"
