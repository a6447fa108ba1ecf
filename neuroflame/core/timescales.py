"""The time constants of a network's state variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuroflame.spec import find_path

if TYPE_CHECKING:
    from torch import Tensor

    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec


def time_constants(spec: NetworkSpec) -> dict[str, str]:
    """Return the dotted path of each state variable's time constant, by the variable's name in `State.named`."""
    found = {}
    for name, population in spec.populations.items():
        found[f"rates.{name}"] = f"populations.{name}.tau"
        found[f"currents.{name}"] = f"populations.{name}.tau_syn"
        if population.adaptation is not None:
            found[f"thresholds.{name}"] = f"populations.{name}.adaptation.tau"
        if spec.nmda is not None:
            found[f"slow.{name}"] = f"nmda.tau.{name}" if isinstance(spec.nmda.tau, dict) else "nmda.tau"
    for pair in spec.stp:
        found[f"stp.{pair}.u"], found[f"stp.{pair}.x"] = f"stp.{pair}.tau_fac", f"stp.{pair}.tau_rec"
    return found


def shortest(spec: NetworkSpec) -> float:
    """Return the shortest time constant above 0, seconds; the step's length if there is none."""
    values = [float(find_path(spec, path).value) for path in time_constants(spec).values()]
    return min((value for value in values if value > 0), default=spec.dt)


def slowest(program: Program) -> Tensor:
    """Return each point's slowest time constant, (P,) or (1,), seconds."""
    values = [program.number(path) for path in time_constants(program.spec).values()]
    return torch.stack(torch.broadcast_tensors(*values)).amax(dim=0)
