"""Source text of the kernel that runs a block of lanes, for one shape of program.

The text only arranges: which array is read, which of the physics' functions is called, what is summed. Every
equation is a call of `neuroflame.physics`.

Names in the text: population a has rates ``r0``, current ``h0``, slow current ``g0``, adaptive threshold
``q0``; plastic pair p has ``u0``, ``x0`` and, where it is sparse, what it transmits, ``s0``. Sums over the
neurons of a source are ``R0_k`` (plain) or ``S0_k`` (plastic), k = 0 the mean, then cosines, then sines; those
of what pair p of low rank sends, times its vectors, are ``V0_k``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.trajectory.structure import INTERVALS, SQUARED, SUM_CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.trajectory.structure import PairShape, PopulationShape, Shape

LANES = {"float32": 16, "float64": 8}

HEADER = """\
from numba import njit
from neuroflame.core.lanes import (
    PRIMITIVES, any_true, gather_sum, inline_njit, load, set_flush_denormals, store, to_float32, to_float64, where,
)
from neuroflame.core.random import NOISE
from neuroflame.core.trajectory import passes
from neuroflame.physics import specialise

physics = specialise(PRIMITIVES, inline_njit)
relax, stp_step, stp_step_lagged = physics.relax, physics.stp_step, physics.stp_step_lagged
lif_step, stp_event = physics.lif_step, physics.stp_event
count_spikes, close_bin, note_intervals = passes.count_spikes, passes.close_bin, passes.note_intervals
scatter_spikes = passes.scatter_spikes
accumulate, accumulate_squares, observe = passes.accumulate, passes.accumulate_squares, passes.observe
observe_plastic = passes.observe_plastic
within, defined, note_failures, put_to_rest = (
    passes.within, passes.defined, passes.note_failures, passes.put_to_rest
)
draw_normals = passes.draw_normals
"""


class Source:
    """Writes one kernel.

    Attributes
    ----------
    parameters : list of str
        Names of the rows of ``par``, in order; see `neuroflame.core.trajectory.arguments`.
    arrays : list of str
        Names of the arrays that the kernel takes after its fixed arguments, in order.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.lanes = LANES[shape.dtype]
        self.width = 2 * shape.table_modes
        self.parameters: list[str] = []
        self.arrays: list[str] = []
        self._lines: list[str] = []
        self._depth = 0
        self.text = self._write()

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

    def _load(self, array: str, offset: str = "o") -> str:
        return f"load({self._array(array)}, {offset}, {self.lanes})"

    def _basis(self, modes: int) -> Iterator[tuple[str, str]]:
        """Yield the suffix and the table entry of each mode: cosines, then sines."""
        half = self.width // 2
        for k in range(modes):
            yield f"c{k}", f"tab{{a}}[n * {self.width} + {k}]"
        for k in range(modes):
            yield f"s{k}", f"tab{{a}}[n * {self.width} + {half + k}]"

    def _plastic(self, population: int) -> list[int]:
        return [i for i, pair in enumerate(self.shape.pairs) if pair.plastic and pair.pre == population]

    def _sparse_source(self, i: int) -> bool:
        return self.shape.pairs[i].sparse

    def _ranked(self, *, post: int | None = None, pre: int | None = None) -> list[int]:
        """Return the pairs of low rank onto or from a population."""
        return [
            i
            for i, pair in enumerate(self.shape.pairs)
            if pair.rank and post in {None, pair.post} and pre in {None, pair.pre}
        ]

    def _projections(self, i: int) -> list[str]:
        return [f"V{i}_{r}" for r in range(self.shape.pairs[i].rank)]

    def _vector(self, kind: str, i: int, r: int) -> str:
        """Return the entry of one vector of a pair of low rank: ``nv`` of who speaks, ``mv`` of who listens."""
        return f"{self._array(f'{kind}{i}')}[n * {self.shape.pairs[i].rank} + {r}]"

    # --- the kernel -----------------------------------------------------------------------------------------

    def _write(self) -> str:
        body = self._body()
        fixed = "par, ext, iv, clock, failed, means, traces, keys, limit"
        tables = ", ".join(f"tab{a}" for a in range(len(self.shape.populations)))
        arrays = ", ".join(self.arrays)
        head = [f"def kernel({fixed}, {tables}, {arrays}):", "    flushed = set_flush_denormals(True)"]
        head += [
            f"    {name} = load(par, {i * self.lanes}, {self.lanes})"
            for i, name in enumerate(self.parameters)
        ]
        return HEADER + "\n\n@njit(nogil=True, cache=CACHE)\n" + "\n".join(head + body) + "\n"

    def _body(self) -> list[str]:
        shape, lanes = self.shape, self.lanes
        self._depth = 1
        self._put(f"zero = load(par, 0, {lanes}) * 0.0", f"bound = load(limit, 0, {lanes})")
        if shape.noise:
            self._put(f"key_low = load(keys, 0, {lanes})", f"key_high = load(keys, {lanes}, {lanes})")
        for a, population in enumerate(shape.populations):
            if population.modal:
                for current in ("h", "g") if shape.slow else ("h",):
                    self._put(
                        *(
                            f"{current}{a}_{m} = {self._load(f'{current}m{a}', str(i * lanes))}"
                            for i, m in enumerate(self._modes(population.modes))
                        )
                    )
        self._put("step, end, last = clock[0], clock[1], clock[2]")
        self._sources_from_rates()
        self._put("dead = False", "for k in range(iv.shape[0]):")
        self._depth += 1
        self._put("row, segment, squared, sample = iv[k, 1], iv[k, 2], iv[k, 3], iv[k, 4]")
        self._external()
        self._put("for i in range(iv[k, 0]):")
        self._depth += 1
        self._step()
        self._depth -= 1
        self._put("if sample >= 0:")
        self._depth += 1
        rows = len(shape.populations) + len(shape.traced_pairs)
        for a, population in enumerate(shape.populations):
            seen = self._array(f"heard{a}") if population.spiking and shape.trains.traced else f"r{a}"
            at = f"(sample * {rows} + {a}) * {3 * lanes}"
            self._put(f"observe({seen}, tab{a}, {self.width}, {lanes}, traces, {at})")
            if seen != f"r{a}":
                self._put(f"{seen}[:] = 0.0")
        for row, i in enumerate(shape.traced_pairs, start=len(shape.populations)):
            self._put(
                f"observe_plastic(u{i}, x{i}, {lanes}, traces, (sample * {rows} + {row}) * {3 * lanes})"
            )
        self._depth -= 1
        self._put("if dead:", "    break")
        self._depth -= 1
        for a, population in enumerate(shape.populations):
            if population.modal:
                for current in ("h", "g") if shape.slow else ("h",):
                    self._put(
                        *(
                            f"store({current}m{a}, {i * lanes}, {current}{a}_{m})"
                            for i, m in enumerate(self._modes(population.modes))
                        )
                    )
        self._put("clock[0] = step", "set_flush_denormals(flushed)")
        return self._lines

    def _modes(self, modes: int) -> list[str]:
        return ["m", *(f"c{k}" for k in range(modes)), *(f"s{k}" for k in range(modes))]

    def _external(self) -> None:
        """Load the external input's Fourier coefficients: mean, first cosine, first sine."""
        count = len(self.shape.populations)
        for a, population in enumerate(self.shape.populations):
            for i, m in enumerate(self._external_modes(population)):
                self._put(
                    f"e{a}_{m} = load(ext, ((row * {count} + {a}) * 3 + {i}) * {self.lanes}, {self.lanes})"
                )

    def _external_modes(self, population: PopulationShape) -> list[str]:
        return ["m", "c0", "s0"] if population.modes else ["m"]

    def _step(self) -> None:
        self._put("step += 1")
        plastic = [i for i, pair in enumerate(self.shape.pairs) if pair.plastic]
        if plastic:
            # What the last step leaves is the state before the next one's plasticity.
            self._put("if step == last:")
            for i in plastic:
                for name in ("relax_fac", "gain_fac", "relax_rec", "gain_rec"):
                    self._put(f"    {name}{i} = {name}{i} * 0.0")
        for a, population in enumerate(self.shape.populations):
            (self._modal_currents if population.modal else self._neuronal_currents)(a, population)
        self._draw_noise()
        self._reset_sums()
        for a, population in enumerate(self.shape.populations):
            self._rates(a, population)
        self._look_for_divergence()
        self._record()

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

    def _modal_currents(self, a: int, population: PopulationShape) -> None:
        decay = self._parameter(f"decay_syn{a}")
        for m in self._modes(population.modes):
            self._array(f"hm{a}")
            self._put(f"h{a}_{m} = relax(h{a}_{m}, {self._incoming(a, m)}, {decay})")
            if self.shape.slow:
                self._array(f"gm{a}")
                target = f"{self._parameter(f'ratio{a}')} * ({self._incoming(a, m, slow=True)})"
                self._put(f"g{a}_{m} = relax(g{a}_{m}, {target}, {self._parameter(f'decay_slow{a}')})")

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
            if pair.sparse and pair.events:
                source = self._array(f"s{i}" if pair.plastic else f"r{pair.pre}")
                targets = ", ".join(self._array(f"{name}{i}") for name in ("sum", "tidx", "toff"))
                self._put(f"scatter_spikes({source}, {self.lanes}, {targets})")
        self._put(f"for n in range(r{a}.size // {self.lanes}):")
        self._depth += 1
        self._put(f"o = n * {self.lanes}")
        for i, pair in incoming:
            if pair.sparse and pair.events:
                self._put(f"c{i} = {self._parameter(f'w{i}')} * {self._load(f'sum{i}')}")
            elif pair.sparse:
                source = f"s{i}" if pair.plastic else f"r{pair.pre}"
                gathered = f"gather_sum({self._array(source)}, {self._array(f'idx{i}')}, "
                gathered += f"{self._array(f'off{i}')}[n], off{i}[n + 1], {self.lanes})"
                self._put(f"c{i} = {self._parameter(f'w{i}')} * {gathered}")
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
            pattern = self._array(f"pat{a}")
            terms.append(f"load({pattern}, row * r{a}.size + o, {self.lanes})")
        kicks: dict[str, list[str]] = {"input": [], "target": [], "rates": []}
        for j, noise in enumerate(self.shape.noise):
            if noise.population == a:
                kick = f"{self._parameter(f'amplitude{j}')} * {self._load(f'draw{j}')}"
                if noise.correlated:
                    correlated = f"{self._load(f'eta{j}')} * {self._parameter(f'decay_noise{j}')} + {kick}"
                    self._put(f"k{j} = {correlated}", f"store(eta{j}, o, k{j})")
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
        self._put(f"store(r{a}, o, r)")
        if population.adaptive:
            raised = f"{self._parameter(f'rest{a}')} + {self._parameter(f'strength{a}')} * r"
            self._put(
                f"store(q{a}, o, relax({self._load(f'q{a}')}, {raised}, {self._parameter(f'decay_adapt{a}')}))"
            )

    def _new_voltage(self, a: int, population: PopulationShape, target: str) -> None:
        threshold = self._load(f"q{a}") if population.adaptive else self._parameter(f"threshold{a}")
        numbers = [self._parameter(f"{name}{a}") for name in ("reset", "leak", "hold", "height")]
        state = f"{self._load(f'v{a}')}, {self._load(f'f{a}')}"
        self._put(f"vn, fn, r = lif_step({state}, {target}, {threshold}, {', '.join(numbers)})")
        self._put(f"store(v{a}, o, vn)", f"store(f{a}, o, fn)")

    def _relaxed_rate(
        self, a: int, population: PopulationShape, total: str, kicks: dict[str, list[str]]
    ) -> None:
        goal = f"physics_{population.transfer}({total})"
        if population.scaled:
            goal = f"{self._parameter(f'rate_max{a}')} * {goal}"
        goal = " + ".join([goal, *kicks["target"]])
        decay = self._parameter(f"decay{a}")
        self._put(" + ".join([f"r = relax({self._load(f'r{a}')}, {goal}, {decay})", *kicks["rates"]]))

    def _sources_from_rates(self) -> None:
        """Write what the first step transmits, from the rates that the run starts with."""
        self._reset_sums()
        for a in range(len(self.shape.populations)):
            self._loop_over_neurons(a, lambda a=a: self._put(f"r = {self._load(f'r{a}')}"))

    def _reset_sums(self) -> None:
        for (kind, i), modes in self.shape.sources().items():
            name = f"{kind.upper()}{i}"
            self._put(" = ".join(f"{name}_{m}" for m in self._modes(modes)) + " = zero")
        for i in self._ranked():
            self._put(" = ".join(self._projections(i)) + " = zero")

    def _loop_over_neurons(self, a: int, first: object) -> None:
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
        first()  # type: ignore[operator]
        for i in self._plastic(a):
            names = [
                self._parameter(f"{name}{i}")
                for name in ("U", "relax_fac", "gain_fac", "relax_rec", "gain_rec")
            ]
            rule = self.shape.pairs[i].rule
            call = f"{rule}({self._load(f'u{i}')}, {self._load(f'x{i}')}, r, {', '.join(names)})"
            self._put(f"un, xn, sent{i} = {call}", f"store(u{i}, o, un)", f"store(x{i}, o, xn)")
            if self._sparse_source(i):
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

    # --- noise, divergence, recording -----------------------------------------------------------------------

    def _draw_noise(self) -> None:
        convert = "to_float64" if self.shape.dtype == "float64" else "to_float32"
        for j, noise in enumerate(self.shape.noise):
            self._put(
                f"draw_normals({self._array(f'draw{j}')}, {self.lanes}, step - 1, {noise.stream}, NOISE, "
                f"key_low, key_high, {convert})"
            )

    def _state_arrays(self) -> list[str]:
        kept = ("r", "h", "g", "q", "u", "x", "s", "eta", "v", "f")
        return [name for name in self.arrays if name.rstrip("0123456789") in kept]

    def _look_for_divergence(self) -> None:
        self._put(f"if step % {CHECK_EVERY} == 0 or step == end:")
        self._depth += 1
        self._put("fine = zero == 0.0")
        for a, population in enumerate(self.shape.populations):
            if population.spiking:
                self._put(f"fine = defined(v{a}, {self.lanes}, fine)")
            else:
                self._put(f"fine = within(r{a}, {self.lanes}, bound, fine)")
        self._put("bad = ~fine", "if any_true(bad):")
        self._depth += 1
        self._put("note_failures(bad, failed, step)")
        self._put(*(f"put_to_rest({name}, {self.lanes}, bad)" for name in self._state_arrays()))
        for a, population in enumerate(self.shape.populations):
            if population.modal:
                for current in ("h", "g") if self.shape.slow else ("h",):
                    for m in self._modes(population.modes):
                        self._put(f"{current}{a}_{m} = where(bad, 0.0, {current}{a}_{m})")
        for (kind, i), modes in self.shape.sources().items():
            for m in self._modes(modes):
                self._put(f"{kind.upper()}{i}_{m} = where(bad, 0.0, {kind.upper()}{i}_{m})")
        for i in self._ranked():
            self._put(*(f"{v} = where(bad, 0.0, {v})" for v in self._projections(i)))
        self._put("dead = True", "for lane in range(failed.size):", "    dead = dead and failed[lane] >= 0")
        self._put("if dead:", "    break")
        self._depth -= 2

    def _record(self) -> None:
        trains = self.shape.trains
        for a, population in enumerate(self.shape.populations):
            if population.spiking:
                for name, wanted in (("heard", trains.traced), ("seen", trains.sampled)):
                    if wanted:
                        self._put(f"count_spikes(r{a}, {self.lanes}, {self._array(f'{name}{a}')}, 0)")
        self._put("if segment >= 0:")
        self._depth += 1
        self._put("fresh = step == iv[k, 5]")
        count = len(self.shape.populations)
        for a, population in enumerate(self.shape.populations):
            if population.spiking:
                self._record_train(a)
                continue
            first, total = self._array(f"first{a}"), self._array(f"total{a}")
            sums = f"r{a}, {self.lanes}, fresh, {first}, {total}"
            self._put(f"at = segment * r{a}.size")
            if self.shape.temporal:
                squares = self._array(f"squares{a}")
                mean_at = f"(segment * {count} + {a}) * {3 * self.lanes}"
                self._put(
                    f"if squared & {SQUARED}:",
                    f"    accumulate_squares({sums}, {squares}, at, means, {mean_at})",
                    "else:",
                    f"    accumulate({sums}, at)",
                )
            else:
                self._put(f"accumulate({sums}, at)")
        self._depth -= 1

    def _record_train(self, a: int) -> None:
        trains, count = self.shape.trains, len(self.shape.populations)
        total = self._array(f"total{a}")
        self._array(f"first{a}")  # stays at 0
        self._put(f"at = segment * r{a}.size", f"count_spikes(r{a}, {self.lanes}, {total}, at)")
        if self.shape.temporal:
            edge, squares = self._array(f"edge{a}"), self._array(f"squares{a}")
            sums = f"{total}, {edge}, {squares}, at, means, (segment * {count} + {a}) * {3 * self.lanes}"
            self._put(
                f"if squared & {SQUARED} and (step - iv[k, 5] + 1) % {trains.bin_steps} == 0:",
                f"    close_bin(r{a}.size, {self.lanes}, {trains.bin_steps}, {sums})",
            )
        if trains.intervals:
            intervals = self._array(f"isi{a}")
            self._put(f"if squared & {INTERVALS}:")
            self._put(f"    note_intervals(r{a}, {self.lanes}, zero + step, {intervals})")


def write_kernel(shape: Shape) -> Source:
    """Return the kernel's source, with the order of its parameters and arrays."""
    source = Source(shape)
    used = sorted({population.transfer for population in shape.populations if not population.spiking})
    bound = "\n".join(f"physics_{name} = physics.transfer_{name}" for name in used)
    source.text = source.text.replace("\n\n@njit", f"{bound}\n\n\n@njit", 1)
    return source
