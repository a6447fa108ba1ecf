"""Run the original NeuroFlame and ours on the same weights, inputs and start, and compare every step.

    python benchmarks/peer_parity.py --peer CHECKOUT

CHECKOUT is a checkout of the original with its folders ``src`` and ``conf``, of May 2024 (commit 4575eac) or of
February 2026 (commit f7560b5). Its networks run on the CPU; ours are imported from the same files with the same
changes, take over its random connectivity and its initial state, and make their own inputs. Without a checkout
nothing is run.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuroflame import Network
from neuroflame.core.connectivity import DenseOperator, SparseOperator
from neuroflame.core.connectivity.make import scaling
from neuroflame.core.measure import start_states
from neuroflame.core.state import State

LATER = "src/hebbian.py"
"""A file that only the later version has."""
QUIET = {
    "DEVICE": "cpu",
    "VERBOSE": 0,
    "N_BATCH": 1,
    "SEED": 1,
    "VAR_FF": [0.0, 0.0],
    "RATE_NOISE": 0,
    "T_STEADY": 0.0,
    "T_WINDOW": 0.002,
    "T_STIM_ON": [0.2, 0.6],
    "T_STIM_OFF": [0.4, 0.7],
    "DURATION": 1.0,
    "DT": 0.001,
}
SMALL = {"N_NEURON": 200, "K": 20.0, "frac": [0.75, 0.25]}
ONE = {
    "N_POP": 1,
    "N_NEURON": 100,
    "K": 20.0,
    "frac": [1.0],
    "TAU": [0.02],
    "TAU_SYN": [0.004],
    "Jab": [-1.5],
    "Ja0": [2.0],
    "VAR_FF": [0.0],
    "BUMP_SWITCH": [0],
    "THRESH": [3.0],
    "KAPPA": [0.5],
    "SIGMA": [0.0],
    "PROBA_TYPE": ["cosine"],
}
LATE = {"TRAINING": 1}  # the later version keeps the last state otherwise, and stops at it
LISTS = {"LR_INI": 0.0, "USE": [0.03, 0.3], "TAU_FAC": [0.65, 0.1], "TAU_REC": [0.2, 0.2], "RANDOM_DELAY": 0}
RING = ("config_ringEI.yml", {"N_NEURON": 200})
BALANCED = ("config_bal_ring.yml", SMALL)


@dataclass(frozen=True)
class Case:
    """A file, and the changes that make it small and deterministic."""

    name: str
    file: str
    changes: dict[str, Any] = field(default_factory=dict)


def cases(late: bool) -> list[Case]:
    """Return the cases of a version."""
    stp = LISTS if late else {}
    file, small = BALANCED
    ring, few = RING
    found = [
        Case("balanced ring, as shipped", file, small | stp),
        Case("balanced, no plasticity", file, small | {"IF_STP": 0, "IF_NMDA": 1, "R_NMDA": 0.1}),
        Case("balanced, inputs made live", file, small | {"IF_STP": 0, "LIVE_FF_UPDATE": 1}),
        Case("balanced, switched on late", file, small | {"IF_STP": 0, "BUMP_SWITCH": [1, 1]}),
        Case("balanced, weak cosine", file, small | {"IF_STP": 0, "PROBA_TYPE": ["cos_spec"] * 4}),
        Case("balanced, clipped normal", file, small | {"IF_STP": 0, "PROBA_TYPE": ["gaussian"] * 4}),
        Case(
            "ring, normal weights",
            ring,
            few
            | stp
            | {
                "IF_STP": 0,
                "GAIN": 0.2,
                "PROBA_TYPE": ["gaussian", "gaussian_dense", "None", "gaussian"],
            },
        ),
        Case("balanced, von Mises", file, small | {"IF_STP": 0, "PROBA_TYPE": ["von_mises"] * 4}),
        Case("ring, as shipped", ring, few | stp),
        Case(
            "ring, unequal time constants",
            ring,
            few | stp | {"TAU_SYN": [0.005, 0.002], "TAU_NMDA": [0.1, 0.05]},
        ),
        Case(
            "ring, von Mises and none",
            ring,
            few | stp | {"PROBA_TYPE": ["von_mises", "None", "cosine", "None"]},
        ),
        Case("ring, turned", ring, few | stp | {"PHASE": 30.0, "IF_NMDA": 0}),
        Case("ring, no synaptic filter", ring, few | stp | {"SYN_DYN": 0}),
        Case("ring, square root", ring, few | stp | {"TF_TYPE": "sqrt", "M0": 1.0}),
        Case("two populations, as shipped", "config_2pop.yml", SMALL | {"IF_STP": 0}),
    ]
    if late:
        silent = {"TASK": "None"}  # with one population that version stops at a task
        found += [
            Case("ring, error function", ring, few | stp | {"TF_TYPE": "erf"}),
            Case("ring, sigmoid", ring, few | stp | {"TF_TYPE": "sigmoid", "THRESH": [2.0, 3.0]}),
            Case(
                "serial bias, as shipped",
                "config_SB.yml",
                few | stp | {"TAU_ADAPT": 0.1, "I0": [1.75, -1, 1]},
            ),
            Case(
                "trained ring, as shipped", "train_odr_EI.yml", SMALL | LISTS | {"VAR_RATE": 0.0, "M0": 1.0}
            ),
            Case(
                "trained ring, two plastic pairs",
                "train_odr_EI.yml",
                SMALL | LISTS | {"IS_STP": [1, 1, 0, 0]},
            ),
            Case("balanced, stimuli onto both", file, small | {"IF_STP": 0, "STIM_EI": 1}),
            Case("balanced, Gaussian stimuli", file, small | {"IF_STP": 0, "TASK": "odr_gauss"}),
            Case("balanced, share of K", file, small | {"IF_STP": 0, "FRAC_K": 1, "K": 40.0}),
            Case("one population, error function", "config_1pop.yml", ONE | silent | {"IS_TRAIN": [0]}),
        ]
    else:
        found += [
            Case("one population, sigmoid", "config_1pop.yml", ONE | {"TF_TYPE": "sigmoid", "TASK": "odr"}),
            Case(
                "one population, error function", "config_1pop.yml", ONE | {"TF_TYPE": "erf", "TASK": "odr"}
            ),
            Case(
                "one population, plastic",
                "config_1pop.yml",
                ONE | {"TF_TYPE": "relu", "IF_STP": 1, "J_STP": 1.0},
            ),
        ]
    return found


def run_peer(
    case: Case, peer: Path, precision: int, *, late: bool
) -> tuple[Any, dict[str, torch.Tensor], np.ndarray]:
    """Return the original's network, its state before the first step, and its rates after each."""
    from src.network import Network as Peer

    changes = {**QUIET, **(LATE if late else {}), **case.changes, "FLOAT_PRECISION": precision}
    model = Peer(case.file, str(peer), **changes)
    advance, first, rates = model.update_dynamics, {}, []

    def observe(*arguments: Any) -> Any:
        if not first:
            first["rates"] = arguments[0].clone()
            first["currents"] = next(a for a in arguments[1:] if torch.is_tensor(a) and a.dim() == 3).clone()
        found = advance(*arguments)
        rates.append(found[0].detach().clone())
        return found

    model.update_dynamics = observe
    with torch.no_grad():
        model()
    return model, first, torch.cat(rates).double().numpy()


def run_ours(
    case: Case, peer: Path, other: Any, first: dict[str, torch.Tensor], precision: int, executor: str
) -> np.ndarray:
    """Return our rates after each step, from the original's connectivity and start."""
    ours = Network.from_legacy(
        peer / "conf" / case.file,
        device="cpu",
        precision="exact" if precision == 32 else "double",
        executor=executor,
        **{**QUIET, **case.changes, "FLOAT_PRECISION": precision},
    )
    for pair in ours.spec.pairs:
        if pair.kind == "sparse":
            ours.operators[pair.name] = _operator(other, ours, pair)
        elif pair.profile.kind == "gaussian":
            scale = ours.spec.J[pair.name] * scaling(ours.spec, pair)
            ours.operators[pair.name] = DenseOperator((_block(other, ours, pair) / scale).contiguous())
    dtype = torch.float32 if precision == 32 else torch.float64
    program = ours.program({}, 1, torch.zeros(1, dtype=torch.int64))
    state = start_states(program, ["network"])

    def split(values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: values[:, span].to(dtype) for name, span in ours.slices.items()}

    state = State(
        0,
        split(first["rates"]),
        split(first["currents"][0]),
        split(first["currents"][1]) if ours.spec.nmda else {},
        state.thresholds,
        state.u,
        state.x,
    )
    return ours(initial=state)[0].double().numpy()


def _block(other: Any, ours: Network, pair: Any) -> torch.Tensor:
    names = list(ours.spec.populations)
    post, pre = other.slices[names.index(pair.post)], other.slices[names.index(pair.pre)]
    return other.Wab_T[pre, post].T  # theirs is pre, post


def _operator(other: Any, ours: Network, pair: Any) -> SparseOperator:
    block = _block(other, ours, pair)
    if pair.name in ours.spec.stp:
        kept = other.W_stp_T
        index = list(ours.spec.stp).index(pair.name)
        block = (kept[index] if isinstance(kept, list) else kept).T
    connected = block != 0
    offsets = torch.zeros(connected.shape[0] + 1, dtype=torch.int64)
    offsets[1:] = connected.sum(dim=1).cumsum(0)
    indices = connected.nonzero()[:, 1].to(torch.int32)
    return SparseOperator(connected.shape[0], connected.shape[1], offsets, indices)


def compare(case: Case, peer: Path, precision: int, executor: str) -> str:
    """Return a line: the largest difference over the largest rate, and the rates at the end."""
    other, first, theirs = run_peer(case, peer, precision, late=(peer / LATER).is_file())
    torch.set_default_dtype(torch.float32)
    ours = run_ours(case, peer, other, first, precision, executor)
    steps = min(len(theirs), len(ours))
    scale = np.abs(theirs[:steps]).max()
    apart = np.abs(theirs[:steps] - ours[:steps]).max() / scale
    same = "" if len(theirs) == len(ours) else f"  STEPS DIFFER: {len(theirs)} and {len(ours)}"
    moving = np.abs(theirs[steps // 2 : steps]).mean()
    return f"{case.name:34s} float{precision}  {steps:5d}  {apart:9.1e}  {scale:9.3g}  {moving:9.3g}{same}"


def main() -> int:
    """Run every case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path, help="a checkout of the original")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--executor", default="auto", help="of ours; default %(default)s")
    arguments = parser.parse_args()
    if arguments.peer is None or not (arguments.peer / "src" / "network.py").is_file():
        print("skipped: give --peer a checkout of the original")
        return 0
    sys.path.insert(0, str(arguments.peer))
    late = (arguments.peer / LATER).is_file()
    print(
        f"the original of {'2026' if late else '2024'}, torch {torch.__version__}, executor {arguments.executor}"
    )
    print(f"{'case':34s} {'':7s}  {'steps':>5s}  {'apart':>9s}  {'max rate':>9s}  {'mean rate':>9s}")
    for case in cases(late):
        if arguments.only in case.name:
            for precision in (64, 32):
                try:
                    print(compare(case, arguments.peer, precision, arguments.executor), flush=True)
                except Exception as error:  # the original stops at many of its own files
                    print(
                        f"{case.name:34s} float{precision}  {type(error).__name__}: {error}"[:160], flush=True
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
