"""Dynamics of the external input against their closed forms."""

import numpy as np
import pytest

from neuroflame import Network
from neuroflame.spec import NetworkSpec

BASE = {
    "dt": 0.001,
    "duration": 0.4,
    "populations": {"E": {"size": 3, "tau": 0.0}, "I": {"size": 2, "tau": 0.0}},
    "J0": {"E": 1.5, "I": 0.5},
    "M0": 2.0,
}
STP = {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.5}


def network(feedforward, **changes):
    spec = NetworkSpec.parse(BASE | {"feedforward": feedforward} | changes)
    return Network(spec, device="cpu", precision="double")


def test_the_filter_relaxes_with_its_time_constant():
    rates = network({"tau": {"E": 0.05}})()[0].numpy()
    t = 0.001 * np.arange(1, 401)
    np.testing.assert_allclose(rates[:, 0], 3.0 * (1 - np.exp(-t / 0.05)), rtol=1e-12)
    np.testing.assert_array_equal(rates[:, 3:], 1.0)  # I has no filter


def test_one_time_constant_is_for_all_populations_and_0_is_none():
    model = network({"tau": 0.05})
    rates = model({"feedforward.tau": [0.05, 0.0]}).numpy()
    assert (rates[0, 0] < 0.1).all()
    np.testing.assert_array_equal(rates[1, 0], [3.0, 3.0, 3.0, 1.0, 1.0])


@pytest.mark.parametrize("kind", ["markram", "markram_exp"])
def test_plastic_afferents_transmit_u_x_of_their_drive(kind):
    """Steady state of Markram & Tsodyks: u* = U (1 + τ_f r)/(1 + U τ_f r), x* = 1/(1 + u* τ_r r)."""
    quick = {"U": 0.2, "tau_fac": 0.1, "tau_rec": 0.15, "kind": kind}
    model = network({"stp": {"E": quick}}, duration=4.0, dt=0.0005)
    rate = np.logspace(-1, 2, 7)
    found = model({"M0": rate / 1.5}, every=8000)[:, -1, 0].numpy()
    u = 0.2 * (1 + 0.1 * rate) / (1 + 0.2 * 0.1 * rate)
    x = 1 / (1 + u * 0.15 * rate)
    np.testing.assert_allclose(found, u * x * rate, rtol=1e-9 if kind == "markram" else 5e-3)


def test_the_rate_of_the_afferents_does_not_scale_with_the_in_degree():
    sparse = {"connectivity": {"kind": "sparse", "K": 2}, "J": {"EI": -1e-9}}
    variables = ["rates.E", "feedforward.E.u", "feedforward.E.x"]
    one, other = (
        network({"stp": {"E": STP}}, **change).simulate(record=variables, every=400)
        for change in ({}, sparse)
    )
    for name in variables[1:]:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)
    np.testing.assert_allclose(other["rates.E"], np.sqrt(2) * one["rates.E"], rtol=1e-7)


def test_a_static_share_passes_beside_what_is_plastic():
    plastic, static, both = (
        network({"stp": {"E": STP | {"static": share, "U": use}}})()[0].numpy()
        for share, use in ((0.0, 0.2), (0.4, 1e-12), (0.4, 0.2))
    )
    np.testing.assert_allclose(both[:, :3], plastic[:, :3] + static[:, :3], rtol=1e-9)
    np.testing.assert_allclose(static[:, :3], 0.4 * 3.0, rtol=1e-9)


def test_negative_drive_is_transmitted_as_negative():
    kind = {"transfer": "tanh", "J0": {"E": -0.1, "I": 0.1}}
    rates = network({"stp": {"E": STP, "I": STP}}, **kind)()[0].numpy()
    np.testing.assert_allclose(rates[:, 0], -rates[:, 3], rtol=1e-12)
    assert (rates[:, 0] < 0).all()


def test_adaptation_leaves_what_is_above_its_level():
    rates = network({"adaptation": {"E": {"tau": 0.02, "strength": 0.5}}}, duration=1.0)()[0].numpy()
    assert rates[0, 0] == 3.0
    np.testing.assert_allclose(rates[-1, 0], 3.0 / 1.5, rtol=1e-9)
    t = 0.001 * np.arange(20)  # the level a relaxes as tau da/dt = s c − (1 + s) a
    np.testing.assert_allclose(rates[:20, 0], 3.0 - (1 - np.exp(-1.5 * t / 0.02)), rtol=2e-2)
    np.testing.assert_array_equal(rates[:, 3], 1.0)


def test_negative_drive_does_not_pass_an_adapting_input():
    quiet = network({"adaptation": {"E": {"tau": 0.02, "strength": 0.5}}}, transfer="tanh", J0={"E": -1.0})
    assert (quiet()[0, :, :3] == 0).all()


def test_plasticity_comes_before_the_filter_and_the_filter_before_adaptation():
    stp, adaptation = {"E": STP}, {"E": {"tau": 0.1, "strength": 0.5}}
    rates = network({"stp": stp, "tau": 0.05, "adaptation": adaptation})()[0].numpy()
    dt, u, x, filtered, level, found = 0.001, 0.2, 1.0, 0.0, 0.0, []
    for _ in range(400):
        x = x + dt * ((1 - x) / 0.5 - u * x * 3.0)
        u = u + dt * ((0.2 - u) / 0.3 + 0.2 * (1 - u) * 3.0)
        filtered += (u * x * 3.0 - filtered) * (1 - np.exp(-dt / 0.05))
        passed = max(filtered - level, 0.0)
        level += (0.5 * passed - level) * (1 - np.exp(-dt / 0.1))
        found.append(passed)
    np.testing.assert_allclose(rates[:, 0], found, rtol=1e-10)


def test_external_noise_is_filtered_and_noise_on_the_input_is_not():
    noise = {"kind": "white", "sigma": 0.01}
    raw, smooth = (
        network({"tau": 0.05}, noise=noise | {"on": on}, transfer="tanh", J0={})()[0, :, 0].numpy()
        for on in ("input", "external")
    )
    assert np.abs(np.diff(smooth)).max() < 0.1 * np.abs(np.diff(raw)).max()
    decay = np.exp(-0.001 / 0.05)
    expected = np.zeros(1)
    for kick in np.arctanh(raw):  # the same numbers, through the filter
        expected = np.append(expected, expected[-1] * decay + kick * (1 - decay))
    np.testing.assert_allclose(np.arctanh(smooth), expected[1:], rtol=1e-9, atol=1e-12)
