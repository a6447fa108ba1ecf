"""What theory says of Gaussian and low-rank connectivity, against simulations and closed forms."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from neuroflame import Network
from neuroflame.cli import main
from neuroflame.spec import NetworkSpec, load_network
from neuroflame.spec.base import merge
from neuroflame.spec.theory import theory_columns
from neuroflame.store import open_table
from neuroflame.theory import predict

CHAOS, LOW_RANK = load_network("conf/chaos.yml"), load_network("conf/low_rank.yml")
KAPPA = "connectivity.profile.kappa"


def predicted(spec, values, theory=("random",)):
    count = len(next(iter(values.values())))
    found = predict(spec, values, theory, points=count)
    assert list(found.data) == theory_columns(spec, theory, [])
    assert [column.name for column in found.columns] == list(found.data)
    return found.data


def test_chaos_begins_at_unit_gain_whatever_the_time_constants():
    gains = [0.5, 0.98, 1.02, 2.0]
    slow = CHAOS.with_values({"populations.E.tau_syn": 0.05})
    for spec in (CHAOS, slow):
        found = predicted(spec, {"J.EE": gains})
        assert found["theory.regime"] == ["quiescent", "quiescent", "chaotic", "chaotic"]
        assert found["theory.random.radius"] == pytest.approx(gains)
        assert (np.array(found["theory.random.alpha"]) > 0).tolist() == [False, False, True, True]
    assert np.isnan(found["theory.random.exponent"]).all()  # known without synapses of their own
    exponent = predicted(CHAOS, {"J.EE": gains})["theory.random.exponent"]
    assert exponent[0] == pytest.approx(-0.5 / 0.1)
    assert exponent[3] > 0


def test_gain_and_scale_count():
    found = predicted(
        CHAOS.with_values({"populations.E.gain": 2.0, "populations.E.rate_max": 3.0}), {"J.EE": [0.5]}
    )
    plain = predicted(CHAOS, {"J.EE": [3.0]})
    assert found["theory.random.radius"] == pytest.approx(plain["theory.random.radius"])
    assert found["theory.random.variance"][0] == pytest.approx(9 * plain["theory.random.variance"][0])


def test_variance_of_rates_is_that_of_a_large_network():
    spec = CHAOS.with_values({"populations.E.size": 600, "duration": 20.0})
    rates = Network(spec, device="cpu").simulate({"J.EE": [3.0, 5.0]}, record=["rates"], every=100)["rates"]
    measured = (rates[:, 15:].to_numpy() ** 2).mean(axis=(1, 2))
    np.testing.assert_allclose(
        measured, predicted(spec, {"J.EE": [3.0, 5.0]})["theory.random.variance"], rtol=0.05
    )


def test_the_states_along_a_vector_are_those_of_a_simulation():
    kappas = [0.4, 0.6, 1.0, 1.5]
    found = predicted(LOW_RANK, {KAPPA: kappas})
    assert found["theory.regime"] == ["quiescent", "multistable", "multistable", "multistable"]
    assert found["theory.random.outlier"] == pytest.approx([2 * kappa for kappa in kappas])
    # ⟨tanh'⟩ = 1 − ⟨tanh²⟩ = 1/λ
    assert found["theory.random.variance"][1:] == pytest.approx([1 - 1 / (2 * kappa) for kappa in kappas[1:]])
    large = LOW_RANK.with_values({"populations.E.size": 6000, "duration": 6.0})
    model = Network(large, device="cpu")
    rates = model.simulate({KAPPA: kappas[2:]}, record=["rates"], every=1200)["rates"][:, -1].to_numpy()
    np.testing.assert_allclose((rates**2).mean(axis=1), found["theory.random.variance"][2:], rtol=0.05)
    n = model.operators["EE"].n.reshape(-1).numpy()
    strength = np.abs(np.array(kappas[2:]) * (rates * n).mean(axis=1))
    np.testing.assert_allclose(strength, found["theory.random.kappa"][2:], rtol=0.08)


def test_complex_outliers_oscillate():
    covariance = [[4, 0, 1.5, 1.2], [0, 4, -1.2, 1.5], [1.5, -1.2, 4, 0], [1.2, 1.5, 0, 4]]
    base = LOW_RANK.to_dict()
    base["connectivity"]["profile"] = {
        "kind": "low_rank",
        "kappa": 1.0,
        "background": 0.0,
        "rank": 2,
        "covariance": covariance,
    }
    found = predicted(NetworkSpec.parse(base), {KAPPA: [0.5, 1.0]})
    assert found["theory.regime"] == ["quiescent", "oscillating"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"J0": {"E": 1.0}}, "an input or a threshold"),
        ({"transfer": "relu"}, "the transfer function relu is not odd"),
        (
            {"stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 99.0, "strength": 1.0}]},
            "still on at the end",
        ),
        ({"connectivity": {"profile": {"kind": "uniform"}}}, "not Gaussian or of low rank"),
    ],
)
def test_what_is_not_covered_is_told(change, reason):
    base = CHAOS.to_dict()
    if "connectivity" in change:
        base.pop("connectivity")
    if "stimuli" in change:
        base["duration"] = 99.0
    found = predicted(NetworkSpec.parse(merge(base, change)), {"J.EE": [2.0]})
    assert reason in found["theory.reason"][0]
    assert np.isnan(found["theory.random.alpha"]).all()


def test_the_command_and_a_sweep_show_it(tmp_path, capsys):
    file = tmp_path / "sweep.yml"
    sweep = {
        "network": str(Path("conf/chaos.yml").resolve()),
        "set": {"populations.E.size": 40, "duration": 0.1},
        "space": {"J.EE": [0.5, 2.0]},
        "theory": ["random"],
        "compute": {"backend": "inline"},
    }
    file.write_text(yaml.safe_dump(sweep))
    assert main(["theory", str(file), "-o", str(tmp_path / "x.png")]) == 0
    assert "chaotic" in capsys.readouterr().out
    assert main(["run", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    rows = open_table(tmp_path / "out").to_pandas()
    assert rows["theory.regime"].tolist() == ["quiescent", "chaotic"]
