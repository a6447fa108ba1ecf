"""Populations and transfer functions of a legacy file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroflame.spec.legacy.reading import Legacy

NAMES = "EIPQRSTUVW"
ERF_GAIN = math.sqrt(2.0 / math.pi)
"""erf(x/√2) is `erf_odd` of this many x."""
TRANSFER = {"relu": "relu", "erf": "erf_odd", "sqrt": "brunel", "sigmoid": "erf"}


class Populations:
    """The populations.

    Attributes
    ----------
    names : list of str
        E, I, and so on.
    sizes : list of int
        Numbers of neurons.
    fractions : list of float
        The original's ``frac``.
    transfer : str
        Our name of the transfer function.
    """

    def __init__(self, legacy: Legacy) -> None:
        self.legacy, note = legacy, legacy.ledger
        count = legacy.whole("N_POP")
        if not 1 <= count <= len(NAMES):
            raise legacy.fault("N_POP", f"must be from 1 to {len(NAMES)}", got=count)
        self.names = list(NAMES[:count])
        self.fractions, total = legacy.numbers("frac", count), legacy.whole("N_NEURON")
        self.sizes = [int(total * fraction) for fraction in self.fractions]
        note.carry("N_POP", f"populations {', '.join(self.names)}")
        note.carry("N_NEURON frac", "populations.*.size: int(N_NEURON · frac)")
        if sum(self.sizes) != total:
            lost = total - sum(self.sizes)
            text = f"int(N_NEURON · frac) leaves {lost} neurons without a population: choose whole products"
            note.lose("frac", text)
        self.transfer, self._transfer_keys = self._transfer()

    def data(self) -> dict[str, dict[str, Any]]:
        """Return the populations."""
        legacy, note, count = self.legacy, self.legacy.ledger, len(self.names)
        rates, synapses = legacy.flag("RATE_DYN"), legacy.flag("SYN_DYN")
        tau = legacy.numbers("TAU", count) if rates else [0.0] * count
        tau_syn = legacy.numbers("TAU_SYN", count) if synapses else [0.0] * count
        note.carry("RATE_DYN", f"populations.*.tau{'' if rates else ': 0, rates are instantaneous'}")
        note.carry("SYN_DYN", f"populations.*.tau_syn{'' if synapses else ': 0, synapses are instantaneous'}")
        for key, used in (("TAU", rates), ("TAU_SYN", synapses)):
            if used:
                note.carry(key, f"populations.*.{key.lower()}{legacy.spare(key, count)}")
        found: dict[str, dict[str, Any]] = {}
        for a, name in enumerate(self.names):
            found[name] = {
                "size": self.sizes[a],
                "tau": tau[a],
                "tau_syn": tau_syn[a],
                **self._transfer_keys[a],
            }
        if legacy.late and legacy.flag("IF_ADAPT"):
            found[self.names[0]] |= self._adaptation()
        return found

    def _transfer(self) -> tuple[str, list[dict[str, float]]]:
        """Return the name of the transfer function, and what it needs of each population."""
        legacy, note, count = self.legacy, self.legacy.ledger, len(self.names)
        kind = legacy.text("TF_TYPE")
        note.carry("TF_TYPE", f"transfer: {TRANSFER.get(kind, 'erf')}")
        if kind not in TRANSFER:
            text = f"is none of {', '.join(TRANSFER)}; the original silently takes sigmoid for it"
            note.lose("TF_TYPE", text)
        threshold = legacy.numbers("THRESH", count)
        name = TRANSFER.get(kind, "erf")
        if name == "erf":
            if min(threshold) <= 0:
                raise legacy.fault(
                    "THRESH", "must be above 0: it is the highest rate of a sigmoid", got=threshold
                )
            text = "populations.*.rate_max: it multiplies a sigmoid and is no threshold"
            note.carry("THRESH", text + legacy.spare("THRESH", count))
            return name, [{"rate_max": value} for value in threshold]
        gain = {"gain": ERF_GAIN} if name == "erf_odd" else {}
        if not legacy.late or name == "brunel":
            note.idle("THRESH", f"this version subtracts no threshold in {kind}")
            return name, [{**gain} for _ in threshold]
        note.carry("THRESH", f"populations.*.threshold{legacy.spare('THRESH', count)}")
        return name, [{"threshold": value, **gain} for value in threshold]

    def _adaptation(self) -> dict[str, Any]:
        legacy, note = self.legacy, self.legacy.ledger
        if self.transfer == "brunel":
            note.idle("IF_ADAPT A_ADAPT TAU_ADAPT", "no threshold is subtracted in sqrt")
            return {}
        if self.transfer == "erf":
            note.lose("IF_ADAPT A_ADAPT TAU_ADAPT", "adaptation that multiplies a sigmoid")
            return {}
        path = f"populations.{self.names[0]}.adaptation"
        note.carry("IF_ADAPT", f"{path}, relative_to: zero")
        note.carry("TAU_ADAPT", f"{path}.tau{legacy.spare('TAU_ADAPT', 1)}")
        note.carry("A_ADAPT", f"{path}.strength")
        tau, strength = legacy.number("TAU_ADAPT"), legacy.number("A_ADAPT")
        return {"adaptation": {"tau": tau, "strength": strength, "relative_to": "zero"}}
