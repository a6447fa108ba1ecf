"""Gradients through long runs, in stretches."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core import checkpointing, reference
from neuroflame.core.recorder import Recorder, RecordPlan, Window
from neuroflame.core.reference import initial_state
from neuroflame.spec import NetworkSpec
from tests.unit.test_trajectory import CASES


def gradients(case, stretches, monkeypatch, steps=50):
    base, change = CASES[case]
    spec = NetworkSpec.parse(base).with_values({**change, "duration": 0.2})
    model = Network(spec, device="cpu", precision="double")
    if not stretches:
        monkeypatch.setattr(
            reference, "run_in_stretches", lambda advance, *arguments: advance(*arguments), raising=True
        )
    coupling = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    tau = torch.tensor([0.02, 0.03], dtype=torch.float64, requires_grad=True)
    rates = model({"J.EE": coupling, "populations.E.tau": tau}, steps=steps, every=7)
    (rates[:, 3] ** 2).mean().add(rates[:, -1].mean()).backward()
    monkeypatch.undo()
    return rates.detach(), coupling.grad, tau.grad


@pytest.mark.parametrize("case", CASES)
def test_stretches_change_neither_rates_nor_gradients(case, monkeypatch):
    for ours, whole in zip(
        gradients(case, True, monkeypatch), gradients(case, False, monkeypatch), strict=True
    ):
        assert torch.equal(ours, whole)
        assert ours.isfinite().all()


def test_windows_and_traces_are_recorded_once(monkeypatch):
    base, _ = CASES["ring"]
    model = Network(NetworkSpec.parse(base), device="cpu", precision="double")
    plan = RecordPlan(windows=(Window("w", 10, 40),), temporal=frozenset({"w"}), trace_every=4)
    found = []
    for tracked in (False, True):
        coupling = torch.tensor([2.0], dtype=torch.float64, requires_grad=tracked)
        program = model.program({"J.EE": coupling}, 1, torch.zeros(1, dtype=torch.int64))
        recorder = Recorder(program, plan)
        recording = recorder.finish(reference.run(program, initial_state(program), 50, recorder))
        if tracked:
            recording.sums[-1]["E"].total.sum().backward()
            assert coupling.grad.abs() > 0
        found.append(recording)
    plain, ours = found
    assert ours.trace_steps == plain.trace_steps
    assert torch.equal(ours.traces["E"], plain.traces["E"])
    assert ours.sums[-1]["E"].steps == plain.sums[-1]["E"].steps
    assert torch.equal(ours.sums[-1]["E"].squares, plain.sums[-1]["E"].squares)


def test_a_run_that_diverges_is_labelled_at_the_same_step():
    base, _ = CASES["sparse"]
    spec = NetworkSpec.parse({k: v for k, v in base.items() if k not in ("stp", "stimuli")})
    model = Network(spec.with_values({"rate_limit": 500.0}), device="cpu")
    steps = []
    for tracked in (False, True):
        coupling = torch.tensor([0.5, 60.0], dtype=torch.float64, requires_grad=tracked)
        program = model.program({"J.EE": coupling}, 2, torch.zeros(2, dtype=torch.int64))
        recorder = Recorder(program, RecordPlan())
        steps.append(
            recorder.finish(reference.run(program, initial_state(program), 200, recorder)).fail_step.tolist()
        )
    assert steps[0] == steps[1]
    assert steps[0][1] > 0


def test_what_is_kept_grows_with_the_root_of_the_steps():
    base, _ = CASES["sparse"]
    model = Network(NetworkSpec.parse(base), device="cpu")

    def kept(steps):
        total = 0

        def pack(tensor):
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        coupling = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model({"J.EE": coupling}, steps=steps, every=steps)
        return total

    assert kept(225) < 4.5 * kept(25)  # three times as many states, three times as long a stretch; not nine


def test_gradients_are_those_of_finite_differences():
    base, change = CASES["mixed"]
    model = Network(NetworkSpec.parse(base).with_values(change), device="cpu", precision="double")

    def loss(coupling):
        return model({"J.EE": coupling}, steps=60, every=20).square().mean()

    coupling = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    loss(coupling).backward()
    step = 1e-3
    with torch.no_grad():
        slope = (loss(coupling + step) - loss(coupling - step)) / (2 * step)
    assert float(coupling.grad) == pytest.approx(float(slope), rel=1e-5)


def test_it_looks_everywhere_for_what_needs_a_gradient():
    assert not checkpointing.tracks_gradients({"a": [torch.zeros(1)]}, np.zeros(2))
    wanted = torch.zeros(1, requires_grad=True)
    linear = torch.nn.Linear(2, 2)
    for value in ({"a": (wanted,)}, linear, Window("w", wanted, wanted)):
        assert checkpointing.tracks_gradients(value)
        with torch.no_grad():
            assert not checkpointing.tracks_gradients(value)
