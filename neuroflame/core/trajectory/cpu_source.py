"""Source text of the kernel that runs a block of lanes on a CPU, for one shape of program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.recorder import CHECK_EVERY
from neuroflame.core.trajectory.cpu_step import CpuStep
from neuroflame.core.trajectory.structure import INTERVALS, SQUARED

if TYPE_CHECKING:
    from neuroflame.core.trajectory.structure import Shape

HEADER = """\
from numba import njit
from neuroflame.core.lanes import (
    PRIMITIVES, any_true, inline_njit, load, set_flush_denormals, store, to_float32, to_float64, where,
)
from neuroflame.core.random import NOISE
from neuroflame.core.trajectory import passes
from neuroflame.physics import specialise

physics = specialise(PRIMITIVES, inline_njit)
relax, stp_step, stp_step_lagged = physics.relax, physics.stp_step, physics.stp_step_lagged
lif_step, stp_event = physics.lif_step, physics.stp_event
count_spikes, close_bin, note_intervals = passes.count_spikes, passes.close_bin, passes.note_intervals
gather, scatter_spikes = passes.gather, passes.scatter_spikes
accumulate, accumulate_squares, observe = passes.accumulate, passes.accumulate_squares, passes.observe
observe_plastic = passes.observe_plastic
within, defined, note_failures, put_to_rest = (
    passes.within, passes.defined, passes.note_failures, passes.put_to_rest
)
draw_normals = passes.draw_normals
"""


class CpuSource(CpuStep):
    """Writes one kernel; ``arrays`` are what it takes after its fixed arguments."""

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

    def _external(self) -> None:
        """Load the external input's Fourier coefficients: mean, first cosine, first sine."""
        count = len(self.shape.populations)
        for a, population in enumerate(self.shape.populations):
            for i, m in enumerate(self._external_modes(population)):
                self._put(
                    f"e{a}_{m} = load(ext, ((row * {count} + {a}) * 3 + {i}) * {self.lanes}, {self.lanes})"
                )

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


def write_kernel(shape: Shape) -> CpuSource:
    """Return the kernel's source, with the order of its parameters and arrays."""
    source = CpuSource(shape)
    used = sorted({population.transfer for population in shape.populations if not population.spiking})
    bound = "\n".join(f"physics_{name} = physics.transfer_{name}" for name in used)
    source.text = source.text.replace("\n\n@njit", f"{bound}\n\n\n@njit", 1)
    return source
