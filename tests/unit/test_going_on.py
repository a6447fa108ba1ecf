"""Slow runs that go on, together with what may follow a run or precede it: rows are those of runs as long at once."""

import numpy as np
import pytest

from neuroflame import Network, open_table, run_sweep
from neuroflame.core.measure import measure_points
from neuroflame.spec import NetworkSpec
from neuroflame.spec.base import merge
from neuroflame.spec.dynamics import DynamicsOptions
from neuroflame.spec.kicks import parse_kick
from neuroflame.spec.ramps import Ramp
from neuroflame.spec.starts import RandomStart, read_starts
from neuroflame.spec.starts import SuppliedStart as StateStart

SLOW = {
    "dt": 0.01,
    "duration": 1.0,
    "populations": {"E": {"size": 12, "tau": 0.4}},
    "J": {"EE": 0.5},
    "J0": {"E": 2.0},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 0.5}},
    "stp": {"EE": {"U": 0.3, "tau_fac": 0.0, "tau_rec": 0.1}},
    "stimuli": [{"shape": "cosine", "onset": 0.1, "offset": 0.4, "strength": 1.0, "phase": 90.0}],
}
COUPLINGS = np.array([-6.0, 0.5, 2.0])
"""The first settles at once, the others take as long as they are coupled."""
WINDOW, LONGEST = 0.3, 16.0
NOISE = {"noise": {"kind": "white", "sigma": 0.02}}
KICKS = [
    {"kind": "rates", "add": 1.0, "name": "up", "duration": 0.5, "samples": 12},
    {"kind": "random", "size": 0.3, "name": "noise", "duration": 0.5, "samples": 12},
]
RAMP = {"path": "J0.E", "from": 2.0, "to": 3.0, "num": 4, "hold": 0.3}
CASES = {
    "nothing": {},
    "a ramp": {"ramp": Ramp.parse(RAMP)},
    "a ramp with a rate": {"ramp": Ramp.parse({**RAMP, "hold": None, "rate": 2.0, "pieces": 2})},
    "kicks": {"perturb": [parse_kick(kick) for kick in KICKS]},
    "a ramp and kicks": {"ramp": Ramp.parse(RAMP), "perturb": [parse_kick(KICKS[0])]},
    "traces": {"traces": True},
    "exponents": {
        "measure": ["regime", "lyapunov", "spectrum"],
        "dynamics": DynamicsOptions.parse({"lyapunov": {"transient": 0.2, "duration": 0.4}}),
    },
}


def measured(change=None, rows=slice(None), initial=("cued",) * 3, **options):
    return measure_points(
        NetworkSpec.parse(merge(SLOW, change or {})),
        {"J.EE": COUPLINGS[rows]},
        seeds=np.arange(3)[rows],
        initial=list(np.array(initial)[rows]),
        **{"measure": ["regime"], "window": WINDOW, "precision": "double", **options},
    )


def check(change=None, least=2, longest=LONGEST, **options):
    """Compare rows that went on with those of runs that were as long from the beginning; return them."""
    found = measured(change, longest=longest, **options).data
    elapsed = found["elapsed"]
    assert len(set(elapsed)) >= least
    assert elapsed.max() > 1.0
    for row, seconds in enumerate(elapsed):
        whole = measured(
            {**(change or {}), "duration": float(seconds)},
            [row],
            **{**options, "window": WINDOW * seconds},
        ).data
        assert list(whole) == list(found)
        for name, column in found.items():
            if not name.startswith("trace."):  # which are sampled less often, the longer a run is
                np.testing.assert_array_equal(
                    np.asarray(column[row]), np.asarray(whole[name][0]), err_msg=f"{name} of {row}"
                )
    return found


@pytest.mark.parametrize("case", CASES)
def test_rows_that_went_on_are_those_of_runs_as_long_at_once(case):
    found = check(**CASES[case])
    assert found["regime"][0] != "slow"
    if case == "traces":
        lengths = {len(cell) for cell in found["trace.time"]}
        assert len(lengths) == 1
        np.testing.assert_allclose([cell[-1] for cell in found["trace.time"]], found["elapsed"], rtol=1e-6)
    if "ramp" in CASES[case]:
        assert all(len(cell) == 4 for cell in found["ramp.up.rate.E.mean"])
        assert all(np.isfinite(cell).all() for cell in found["ramp.down.rate.E.mean"])
    if "perturb" in CASES[case]:
        names = [name for name in found if name.endswith(".peak")]
        assert all((found[name] > 0).all() for name in names)


def test_the_last_time_as_long_as_may_be():
    """Neither 1 s nor 2 s are enough for two of them, and 4 s are too many."""
    found = check(longest=2.7, traces=True)
    assert found["elapsed"].tolist() == [2.7, 2.7, 1.0]
    assert [len(cell) for cell in found["trace.time"]] == [90, 90, 100]
    assert measured(longest=1.3).data["elapsed"].tolist() == [1.3, 1.3, 1.0]


def test_with_noise_and_diffusion():
    options = {
        "measure": ["regime", "diffusion"],
        "dynamics": DynamicsOptions.parse({"diffusion": {"trials": 6, "duration": 0.3}}),
    }
    found = check(NOISE, least=1, **options)
    assert "bump.E.diffusion" in found


def test_from_starts_drawn_at_random():
    starts = {"random": RandomStart(kind="random", num=3, high=20.0)}
    found = check(initial=("random@0", "random@1", "random@2"), starts=starts)
    other = check(initial=("random@2", "random@1", "random@0"), starts=starts)
    assert found["rate.E.mean"][1] == other["rate.E.mean"][1]


def test_from_states_of_a_file(tmp_path):
    model = Network(NetworkSpec.parse(SLOW), device="cpu", precision="double")
    _, states = model.simulate({"J0.E": np.array([1.0, 2.0, 5.0])}, return_state=True)
    model.save_state(tmp_path / "saved.npz", states)
    starts = read_starts({"saved": StateStart.parse({"kind": "state", "file": str(tmp_path / "saved.npz")})})
    check(initial=("saved@0", "saved@1", "saved@2"), starts=starts)


def test_a_sweep_of_all_of_it_has_one_row_a_point_and_goes_on(tmp_path):
    sweep = {
        "network": merge(SLOW, NOISE),
        "space": {"J.EE": [-6.0, 2.0]},
        "repeat": {"initial_conditions": ["cued", {"kind": "random", "num": 2, "high": 20.0}]},
        "measure": ["regime", "diffusion"],
        "dynamics": {"diffusion": {"trials": 4, "duration": 0.3}},
        "ramp": RAMP,
        "perturb": KICKS,
        "window": WINDOW,
        "longest": 4.0,
    }
    run_sweep(sweep, str(tmp_path / "out"), backend="inline")
    frame = open_table(tmp_path / "out").to_pandas()
    assert len(frame) == 6
    assert (frame["status"] == "ok").all()
    assert set(frame["elapsed"]) <= {1.0, 2.0, 4.0}
    assert frame["elapsed"].max() > 1.0
    assert all(np.isfinite(cell).all() for cell in frame["ramp.down.rate.E.mean"])
    assert frame["recovery.up.peak"].notna().all()
