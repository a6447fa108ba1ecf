"""The measures of dynamics in sweeps: names, units, independence of the tile, cost, and the whole way to a table."""

import numpy as np
import pytest

from neuroflame.core.dynamics import DYNAMICS
from neuroflame.core.measure import measure_points
from neuroflame.errors import SpecError
from neuroflame.spec.dynamics import DynamicsOptions
from neuroflame.spec.measures import DYNAMIC, statistics
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.cost import CostModel
from neuroflame.sweep.planner import make_plan
from tests.physics.helpers import build

MEASURE = ["rates", *(name for name in DYNAMIC if name != "diffusion")]  # which is of noise
NETWORK = {
    "dt": 0.001,
    "duration": 0.1,
    "rate_limit": 100.0,
    "populations": {"E": {"size": 6, "tau": 0.02, "tau_syn": 0.005}, "I": {"size": 4, "tau": 0.01}},
    "connectivity": {"kind": "sparse", "K": 3},
    "J": {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.0, "I": 0.5},
    "stp": {"EE": {"U": 0.2, "tau_fac": 0.1, "tau_rec": 0.05}},
}
FAST = {
    "lyapunov": {"k": 2, "transient": 0.02, "duration": 0.1},
    "spectrum": {"k": 3, "basis": 20},
    "fixed_points": {"random": 2, "levels": [1.0]},
}
COUPLINGS = np.array([0.5, 1.0, 4.0, 30.0, 2.0])


def measured(couplings, **keys):
    spec = build(NETWORK).spec
    options = {
        "seeds": np.arange(len(couplings)),
        "initial": ["cold"] * len(couplings),
        "measure": MEASURE,
        "dynamics": DynamicsOptions.parse(FAST),
        "executor": "reference",
    }
    return measure_points(spec, {"J.EE": couplings}, **(options | keys))


@pytest.fixture(scope="module")
def together():
    return measured(COUPLINGS)


def test_names_are_those_that_are_computed(together):
    assert tuple(DYNAMICS) == DYNAMIC
    spec = build(NETWORK).spec
    known = statistics(spec, MEASURE, DynamicsOptions.parse(FAST))
    assert {column.name for column in together.columns} - {"status"} == set(known)
    assert [column.name for column in together.columns] == list(together.data)
    units = {column.name: column.unit for column in together.columns}
    assert (units["lyapunov.2"], units["alpha"], units["spectrum.frequency"]) == ("1/s", "1/s", "Hz")
    assert all(column.doc for column in together.columns)


@pytest.mark.parametrize("rows", [[2], [3, 0]])
def test_a_point_depends_on_itself_alone(together, rows):
    alone = measured(COUPLINGS[rows], seeds=np.array(rows))
    for name, column in together.data.items():
        np.testing.assert_array_equal(alone.data[name], column[rows], err_msg=name)


def test_the_numbers_say_what_the_points_do(together):
    data = together.data
    assert data["status"].tolist() == ["ok", "ok", "ok", "diverged", "ok"]
    assert np.isnan(data["lyapunov.1"][3])
    assert np.isnan(data["alpha"][3])
    calm = np.array([0, 1])
    assert (data["alpha"][calm] < 0).all()
    assert (data["spectrum.unstable"][calm] == 0).all()
    assert (data["fixed_points.stable"][calm] >= 1).all()
    assert (data["fixed_points.count"] >= data["fixed_points.stable"]).all()
    assert (data["alpha.error"][calm] < 1e-5).all()
    np.testing.assert_allclose(data["spectrum.distance"][calm], 0.0, atol=0.05)


def test_a_sweep_has_the_columns_in_its_table(tmp_path):
    from neuroflame.sweep.running import run_sweep

    sweep = {
        "network": NETWORK,
        "set": {"duration": 0.05},
        "space": {"J.EE": [0.5, 1.0]},
        "measure": MEASURE,
        "dynamics": FAST,
        "compute": {"executor": "reference"},
    }
    table = run_sweep(sweep, str(tmp_path / "out"), backend="inline")
    frame = table.to_pandas()
    assert len(frame) == 2
    assert np.isfinite(frame[["lyapunov.1", "lyapunov.2.se", "alpha", "fixed_points.count"]].to_numpy()).all()
    assert table.columns["alpha"].unit == "1/s"


def sweep(**changes):
    base = {"network": NETWORK, "space": {"J.EE": [0.5, 1.0]}, "measure": ["rates", "lyapunov"]}
    return SweepSpec.parse({**base, **changes})


def test_options_of_what_is_not_measured_are_refused():
    with pytest.raises(SpecError, match=r"dynamics.spectrum: has no effect: it is not measured"):
        sweep(dynamics={"spectrum": {"k": 2}})
    with pytest.raises(SpecError, match=r"dynamics.lyapunov.k: must be at least 1, got 0"):
        sweep(dynamics={"lyapunov": {"k": 0}})
    with pytest.raises(SpecError, match=r"dynamics.lyapunov.transint: is not a known key"):
        sweep(dynamics={"lyapunov": {"transint": 1.0}})


def test_identity_holds_the_options_of_what_is_measured():
    plain = sweep(measure=["rates"]).identity()
    assert "dynamics" not in plain
    assert sweep().identity() != sweep(dynamics={"lyapunov": {"k": 2}}).identity()
    assert SweepSpec.parse(sweep(dynamics={"lyapunov": {"k": 2}}).to_dict()) == sweep(
        dynamics={"lyapunov": {"k": 2}}
    )


def test_a_search_may_seek_an_exponent():
    tpe = {"kind": "tpe", "trials": 4, "maximise": "lyapunov.2"}
    space = {"J.EE": {"low": 0.5, "high": 2.0}}
    assert sweep(search=tpe, space=space, dynamics={"lyapunov": {"k": 2}}).trials == 4
    with pytest.raises(SpecError, match=r"is not a column of this sweep, got 'lyapunov.2'"):
        sweep(search=tpe, space=space)


def test_the_plan_tells_what_they_cost():
    cheap, dear = sweep(measure=["rates"]), sweep(dynamics={"lyapunov": {"transient": 1.0, "duration": 9.0}})
    assert "dynamics    about lyapunov 20,000 extra steps a point" in str(make_plan(dear, actors=1))
    assert "dynamics" not in str(make_plan(cheap, actors=1))
    assert make_plan(dear, actors=1).seconds > 100 * make_plan(cheap, actors=1).seconds
    assert CostModel(dear, 1).bytes(1) > CostModel(cheap, 1).bytes(1)
    slow = sweep(dynamics={"lyapunov": {"k": 3, "transient": 1.0, "duration": 9.0}})
    assert "lyapunov 60,000 extra" in str(make_plan(slow, actors=1))
    longer = sweep(dynamics={"lyapunov": {"transient": 1.0, "duration": 9.0, "longest": 40.0}})
    assert "lyapunov 20,000 to 74,000 extra" in str(make_plan(longer, actors=1))
    assert make_plan(longer, actors=1).seconds > 3 * make_plan(dear, actors=1).seconds


def test_the_map_of_a_cued_point_holds_the_stimulus_as_it_was_turned():
    ring = {
        "dt": 0.001,
        "duration": 0.3,
        "populations": {"E": {"size": 24, "tau": 0.01, "tau_syn": 0.0}},
        "J": {"EE": 0.2},
        "J0": {"E": 1.0},
        "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 1.0, "strength": 0.5}],
    }
    starts = ["cued", "cued@90", "cold"]
    model = build(ring)
    found = measure_points(
        model.spec,
        {},
        seeds=np.zeros(3, int),
        initial=starts,
        measure=["bump", "spectrum"],
        precision="double",
    ).data
    np.testing.assert_allclose(found["spectrum.distance"], 0.0, atol=1e-6)
    turn = found["bump.E.phase"][1] - found["bump.E.phase"][0]
    assert turn % (2 * np.pi) == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(model.spectrum(start=starts).alpha, found["alpha"], rtol=1e-6)
