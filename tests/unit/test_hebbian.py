"""Plastic weights: products against dense oracles, tiles, continuation, statistics, and what is refused."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core import hebbian
from neuroflame.core.connectivity.edges import AllEdges, ListedEdges, edges_of
from neuroflame.core.connectivity.make import bind_operator, make_operator
from neuroflame.core.measure import measure_points
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec.measures import statistics
from tests.physics.helpers import build
from tests.unit.test_operators import PROFILES, network

CPU = torch.device("cpu")
PLAIN = {
    "dt": 0.001,
    "duration": 0.06,
    "populations": {"E": {"size": 40, "tau": 0.02, "tau_syn": 0.004}, "I": {"size": 24, "tau": 0.01}},
    "connectivity": {"kind": "sparse", "K": 8, "profile": {"kind": "cosine", "kappa": 0.6}},
    "J": {"EE": 1.0, "EI": -1.2, "IE": 1.0, "II": -0.6},
    "J0": {"E": 1.0, "I": 0.7},
    "stp": {"EE": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1}},
    "nmda": {"ratio": 0.5, "tau": 0.05},
    "noise": {"kind": "ou", "sigma": 0.3, "tau": 0.01},
}
RULES = {
    "hebb": {"rule": "hebb", "eta": 1.0, "decay": 1.0},
    "cov": {"rule": "cov", "eta": 5.0, "tau": 0.02},
    "bcm": {"rule": "bcm", "eta": 1.0, "tau": 0.02, "w_max": 1.5},
    "corr": {"rule": "corr", "eta": 5.0, "tau": 0.02},
}
RING = {"kind": "all_to_all", "profile": {"kind": "von_mises", "kappa": 1.2, "phase": 20.0}}


def learning(rule, kind, **overrides):
    """A network whose EE and EI weights learn."""
    connectivity = RING if kind == "ring" else PLAIN["connectivity"]
    rules = {"EE": RULES[rule], "EI": RULES[rule] | {"onset": 0.03}}
    return build(PLAIN | {"connectivity": connectivity, "hebbian": rules}, **overrides)


every_rule = pytest.mark.parametrize("rule", RULES)
every_kind = pytest.mark.parametrize("kind", ["sparse", "ring"])


@pytest.mark.parametrize("profile", ["uniform", "cosine", "von_mises"])
@pytest.mark.parametrize("kind", ["sparse", "all_to_all"])
@pytest.mark.parametrize("points", [1, 3])
def test_edges_multiply_as_the_dense_matrix(kind, profile, points):
    spec = network(kind, PROFILES[profile], K=4.0, post=17, pre=13)
    pair = spec.pairs[0]
    operator = make_operator(spec, pair, graph=0, device="cpu")
    known = {"dt": spec.dt, "connectivity.profile.kappa": getattr(pair.profile, "kappa", 0.0)}
    known["connectivity.profile.phase"] = getattr(pair.profile, "phase", 0.0)
    operator = bind_operator(operator, spec, pair, lambda path: torch.tensor([known[path]]).double())
    edges, dense = edges_of(operator, CPU), operator.to_dense()
    assert torch.equal(dense[edges.rows, edges.columns][None], edges.values())
    assert int((dense != 0).sum()) <= len(edges.rows)
    drawn = torch.Generator().manual_seed(1)
    weights = torch.rand(points, len(edges.rows), generator=drawn, dtype=torch.float64)
    post, pre = (torch.rand(points, n, generator=drawn, dtype=torch.float64) for n in (17, 13))
    matrix = torch.zeros(points, 17, 13, dtype=torch.float64)
    matrix[:, edges.rows, edges.columns] = weights
    torch.testing.assert_close(edges.receive(weights, pre), torch.einsum("pij,pj->pi", matrix, pre))
    torch.testing.assert_close(edges.at_post(post), post[:, edges.rows])
    torch.testing.assert_close(edges.at_pre(pre), pre[:, edges.columns])
    theta = 2 * np.pi * (edges.rows / 17 - edges.columns / 13)
    torch.testing.assert_close(edges.first_mode(), torch.cos(theta.double()), rtol=1e-6, atol=1e-6)


RANDOM = np.random.default_rng(2)
BLOCK = RANDOM.uniform(0.5, 2.0, (40, 24))
BLOCKS = {
    "ones": ((RANDOM.random((40, 24)) < 0.15).astype(float), ListedEdges),
    "weighted list": (BLOCK * (RANDOM.random((40, 24)) < 0.15), ListedEdges),
    "matrix with zeros": (BLOCK * (RANDOM.random((40, 24)) < 0.5), ListedEdges),
    "matrix": (BLOCK, AllEdges),
}
every_block = pytest.mark.parametrize("name", BLOCKS)


def with_block(block, base=PLAIN):
    """A network whose pair EI is a block that is given."""
    return Network(build(base).spec, device="cpu", precision="double", connectivity={"EI": block})


def with_file(folder, block, base):
    """A network whose pair EI is a block in a file, its weights J/√8."""
    np.save(folder / "block.npy", block)
    pair = {"kind": "given", "file": str(folder / "block.npy"), "K": 8}
    return build(base, **{"connectivity.pairs.EI": pair})


@every_block
def test_entries_of_a_given_block_are_its_connections(name):
    block, kind = BLOCKS[name]
    edges = edges_of(with_block(block).operators["EI"], CPU)
    assert isinstance(edges, kind)
    post, pre = np.nonzero(block)
    np.testing.assert_array_equal(edges.rows, post)
    np.testing.assert_array_equal(edges.columns, pre)
    np.testing.assert_array_equal(edges.values()[0], block[post, pre])
    assert edges.count == len(post)
    sources = torch.as_tensor(RANDOM.random((3, 24)))
    weights = torch.as_tensor(RANDOM.random((3, len(post))))
    matrix = np.zeros((3, 40, 24))
    matrix[:, post, pre] = weights
    expected = np.einsum("pij,pj->pi", matrix, sources)
    np.testing.assert_allclose(edges.receive(weights, sources), expected, rtol=1e-12)


@every_block
def test_given_blocks_that_do_not_learn_are_those_of_the_fixed_network(name, tmp_path):
    still = PLAIN | {"hebbian": {"EI": {"rule": "hebb", "eta": 0.0}}}
    block, values = BLOCKS[name][0], {"J.EI": [-1.2, -0.4]}
    in_memory = with_block(block, still), with_block(block)
    in_files = with_file(tmp_path, block, still), with_file(tmp_path, block, PLAIN)
    for plastic, fixed in (in_memory, in_files):
        torch.testing.assert_close(plastic(values), fixed(values), rtol=1e-11, atol=1e-11)


@every_rule
def test_a_given_block_learns_as_the_drawn_one_that_it_equals(rule, tmp_path):
    """Times what J is divided by, too: a weight begins as J times the entry."""
    base = PLAIN | {"hebbian": {"EI": {k: v for k, v in RULES[rule].items() if k != "w_max"}}}
    drawn = build(base)
    matrix = drawn.operators["EI"].to_dense().numpy()
    expected, end = drawn.simulate(every=1, return_state=True)
    assert not torch.equal(end.weights["EI"], torch.full_like(end.weights["EI"], -1.2))
    for scale in (1.0, 4.0):
        given = with_file(tmp_path, scale * matrix, base)
        found, final = given.simulate({"J.EI": [-1.2 / scale]}, every=1, return_state=True)
        np.testing.assert_allclose(found["rates"], expected["rates"], rtol=1e-11)
        torch.testing.assert_close(final.weights["EI"], end.weights["EI"], rtol=1e-11, atol=0)


@every_rule
def test_a_matrix_with_zeros_learns_as_the_list_of_its_entries(rule):
    base = PLAIN | {"hebbian": {"EI": RULES[rule]}}
    block = BLOCKS["matrix with zeros"][0]
    listed = with_block((*np.nonzero(block), block[np.nonzero(block)]), base)
    matrix = with_block(block, base)
    assert type(matrix.operators["EI"]) is not type(listed.operators["EI"])
    values = {"J.EI": [-1.2, -0.4, -0.1]}
    for model in (matrix, listed):
        found = model.simulate(values, record=["weights.EI", "rates"], every=30)
        alone = model.simulate({"J.EI": [-0.4]}, record=["weights.EI", "rates"], every=30)
        for name in ("weights.EI", "rates"):
            np.testing.assert_array_equal(alone[name][0], found[name][1])
    assert found["weights.EI"].shape[-1] == np.count_nonzero(block)
    torch.testing.assert_close(matrix(values), listed(values), rtol=0, atol=0)


def test_a_population_that_receives_nothing():
    model = build(PLAIN | {"hebbian": {"EI": RULES["hebb"]}}, **{"connectivity.pairs.EI.K": 1e-9})
    table = model.measure(measure=["weights", "rates"], window=0.02)
    assert np.isnan(table["weight.EI.mean"][0])
    assert table["rate.E.mean"][0] > 0


@every_kind
def test_weights_that_do_not_learn_are_those_of_the_fixed_network(kind):
    still = {"rule": "hebb", "eta": 0.0}
    connectivity = RING if kind == "ring" else PLAIN["connectivity"]
    base = PLAIN | {"connectivity": connectivity}
    plastic = build(base | {"hebbian": {"EE": still, "EI": still, "IE": still}})
    kappa = {"connectivity.profile.kappa": [0.5, 1.5]} if kind == "ring" else {}
    values = {"J.EE": [0.8, 1.2]} | kappa
    fixed = build(base)
    torch.testing.assert_close(plastic(values), fixed(values), rtol=1e-11, atol=1e-11)


@every_rule
@every_kind
@pytest.mark.parametrize("precision", ["exact", "double"])
def test_a_point_does_not_depend_on_its_tile(rule, kind, precision):
    model = learning(rule, kind, precision=precision)
    rng = np.random.default_rng(0)
    values = {"J.EE": rng.uniform(0.5, 1.5, 9), "hebbian.EE.eta": rng.uniform(0.5, 5, 9)}
    values["hebbian.EI.onset"] = rng.uniform(0.0, 0.05, 9)
    if kind == "ring":
        values["connectivity.profile.kappa"] = rng.uniform(0.1, 3.0, 9)
    record = ["weights.EE", "weights.EI", "rates"]
    whole = model.simulate(values, record=record, every=20, seeds=range(9), pairwise=True)
    for index in ([4], [0, 1, 2], [8, 3, 5, 1]):
        part = {path: v[index] for path, v in values.items()}
        alone = model.simulate(part, record=record, every=20, seeds=index, pairwise=True)
        for name in record:
            np.testing.assert_array_equal(alone[name].to_numpy(), whole[name].to_numpy()[index])


@every_rule
@every_kind
def test_a_run_continues_to_the_last_bit(rule, kind, tmp_path):
    model = learning(rule, kind)
    values = {"J.EE": [0.8, 1.2]}
    whole, end = model.simulate(values, every=1, return_state=True)
    _, state = model.simulate(values, duration=0.025, return_state=True)
    torch.save(state, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=False)
    rest, final = model.simulate(values, initial=state, duration=0.035, every=1, return_state=True)
    np.testing.assert_array_equal(rest["rates"], whole["rates"][:, 25:])
    for name, value in end.named().items():
        assert torch.equal(final.named()[name], value), name
    assert not torch.equal(end.weights["EE"], state.weights["EE"])


@every_kind
def test_recorded_weights_name_their_connections(kind):
    model = learning("hebb", kind)
    found = model.simulate(record=["weights.EI", "rates.E"], every=30)
    assert found["weights.EI"].dims == ("point", "time", "connection_EI")
    matrix = np.zeros((40, 24))
    matrix[found["post_EI"], found["pre_EI"]] = found["weights.EI"][0, 0]
    bound = model.program({}, 1, torch.zeros(1, dtype=torch.int64)).pairs[1].operator
    np.testing.assert_allclose(matrix, -1.2 * bound.to_dense().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["product", "post_mean", "pre_variance"])
def test_running_means_can_be_recorded(name):
    found = learning("corr", "sparse").simulate(record=[f"averages.EI.{name}"], every=60)
    array = found[f"averages.EI.{name}"]
    size = {"product": found.sizes.get("connection_EI"), "post_mean": 40, "pre_variance": 24}[name]
    assert array.shape == (1, 1, size)
    assert np.isfinite(array).all()
    assert (array != 0).any()


def test_statistics_of_weights():
    still = {"rule": "hebb", "eta": 0.0}
    base = PLAIN | {"connectivity": {"profile": {"kind": "cosine", "kappa": 0.6}}}
    model = build(base | {"hebbian": {"EE": still, "EI": still}})
    table = model.measure({"J.EE": [0.0, 1.5]}, measure=["weights"])
    assert list(table["weight.EE.mean"]) == pytest.approx([0.0, 1.5])
    assert list(table["weight.EE.sd"]) == pytest.approx([0.0, 1.5 * 0.6 / np.sqrt(2)])
    assert list(table["weight.EE.zero"]) == [1.0, 0.0]
    assert np.isnan(table["weight.EE.ratio"][0])
    assert table["weight.EE.ratio"][1] == pytest.approx(0.6)
    assert list(table["weight.EI.mean"]) == pytest.approx([-1.2, -1.2])
    expected = statistics(model.spec, ["weights"])
    assert sorted(expected) == sorted(set(table.columns) - {"J.EE", "status"})


def test_weights_of_a_diverged_point_are_undefined_and_its_neighbours_unchanged():
    model = learning("hebb", "ring", rate_limit=50.0)
    table = model.measure({"J.EE": [1.0, 60.0]}, measure=["weights"])
    assert list(table["status"]) == ["ok", "diverged"]
    assert np.isnan(table["weight.EE.mean"][1])
    alone = model.measure({"J.EE": [1.0]}, measure=["weights"])
    assert alone["weight.EE.mean"][0] == table["weight.EE.mean"][0]


def test_gradients_pass_through_learning():
    model = learning("corr", "sparse")
    paths = ["J.EE", "hebbian.EE.eta", "hebbian.EE.tau"]
    start = [float(model.spec.get(path)) for path in paths]

    def loss(values):
        return (model(dict(zip(paths, values, strict=True)))[:, -1] ** 2).mean()

    leaves = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in start]
    for i, gradient in enumerate(torch.autograd.grad(loss(leaves), leaves)):
        ends = [loss([v + (s * 1e-6 * v if j == i else 0.0) for j, v in enumerate(start)]) for s in (1, -1)]
        expected = float(ends[0] - ends[1]) / (2e-6 * start[i])
        assert float(gradient) == pytest.approx(expected, rel=1e-4)
        assert gradient != 0


def test_kernels_refuse_by_name():
    with pytest.raises(SimulationError, match=r"trajectory cannot run this: the weights of EE learn"):
        learning("hebb", "ring", executor="trajectory")()


def refusal(rule, **overrides):
    with pytest.raises(SpecError) as caught:
        build(PLAIN | {"hebbian": {"EE": rule}}, **overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({"eta": 1.0}, "hebbian.EE: must have the key 'rule'"),
        ({"rule": "hebbs", "eta": 1.0}, "hebbian.EE.rule: must be one of 'hebb', 'cov', 'bcm', 'corr'"),
        ({"rule": "hebb"}, "hebbian.EE.eta: is required"),
        ({"rule": "hebb", "eta": 1.0, "tau": 0.1}, "hebbian.EE.tau: is not a known key"),
        ({"rule": "cov", "eta": 1.0}, "hebbian.EE.tau: is required"),
        ({"rule": "cov", "eta": 1.0, "tau": 0.0}, "hebbian.EE.tau: must be greater than 0"),
        ({"rule": "cov", "eta": 1.0, "tau": 0.1, "target": 1.0}, "hebbian.EE.target: is not a known key"),
        ({"rule": "bcm", "eta": 1.0, "tau": 0.1, "target": 0}, "hebbian.EE.target: must be greater than 0"),
        ({"rule": "corr", "eta": 1.0, "tau": 0.1, "sd_min": 0.0}, "sd_min: must be greater than 0"),
        ({"rule": "hebb", "eta": 1.0, "w_max": 0.0}, "hebbian.EE.w_max: must be greater than 0"),
        ({"rule": "hebb", "eta": 1.0, "decay": -1.0}, "hebbian.EE.decay: must be at least 0"),
        ({"rule": "hebb", "eta": 1.0, "onset": 0.06}, "hebbian.EE.onset: must be before the end of the run"),
    ],
)
def test_wrong_rules_are_one_line(rule, line):
    assert line in refusal(rule)


def test_pairs_that_learn_are_connected_and_of_one_sign():
    with pytest.raises(SpecError, match=r"hebbian.EX: is not a pair that J connects"):
        build(PLAIN | {"hebbian": {"EX": RULES["hebb"]}})
    steep = {"kind": "all_to_all", "profile": {"kind": "cosine", "kappa": 1.5}}
    line = refusal(RULES["hebb"], **{"connectivity.pairs.EE": steep})
    assert line == "hebbian.EE: keeps the sign of J, so kappa must be between -1 and 1, got 1.5"
    profile = {"profile": {"kind": "cosine", "kappa": 0.5}}
    model = build(PLAIN | {"connectivity": profile, "hebbian": {"EE": RULES["hebb"]}})
    with pytest.raises(SimulationError, match=r"the connectivity of EE has entries below 0"):
        model.simulate({"connectivity.profile.kappa": [0.5, 1.5]})


def test_connectivity_of_both_signs_does_not_learn():
    gaussian = {"kind": "all_to_all", "profile": {"kind": "gaussian"}}
    line = refusal(RULES["hebb"], **{"connectivity.pairs.EE": gaussian})
    assert line == "hebbian.EE: keeps the sign of J, and Gaussian weights have both signs (leave it out)"
    learns = PLAIN | {"hebbian": {"EI": RULES["hebb"]}}
    with pytest.raises(SimulationError, match=r"the connectivity of EI has entries below 0"):
        with_block(-BLOCK, learns)()


@pytest.mark.parametrize("measure", ["lyapunov", "spectrum", "fixed_points"])
def test_measures_of_dynamics_refuse_weights_that_learn(measure):
    line = f"measure: {measure} needs constant weights, and those of EE, EI learn"
    with pytest.raises(SpecError, match=line):
        learning("hebb", "ring").measure(measure=["rates", measure])


def test_tools_of_dynamics_refuse_weights_that_learn():
    model = learning("hebb", "ring")
    _, state = model.simulate(duration=0.002, return_state=True)
    calls = {
        "lyapunov": lambda: model.lyapunov(start=state),
        "spectrum": lambda: model.spectrum(start=state),
        "fixed_points": model.fixed_points,
        "continue_state": lambda: model.continue_state("J0.E", 2.0, start=state),
    }
    for name, call in calls.items():
        line = rf"^{name} needs constant weights, and those of EE, EI learn \(leave out hebbian\)$"
        with pytest.raises(SpecError, match=line):
            call()


def test_measuring_weights_where_none_learn_is_refused():
    with pytest.raises(SpecError, match=r"measure: weights has no effect: no weights learn"):
        build(PLAIN).measure(measure=["weights"])


def test_weights_that_do_not_fit_are_refused_in_the_same_words_for_any_number_of_points(monkeypatch):
    """The same words, so that a sweep whose points all fail so stops with one line."""
    spec = learning("hebb", "sparse").spec
    monkeypatch.setattr(hebbian, "free_bytes_on", lambda device: 10_000)
    lines = set()
    for points in (1, 4):
        with pytest.raises(
            SimulationError, match="weights that learn need more memory than is free"
        ) as caught:
            measure_points(spec, {}, seeds=np.arange(points), initial=["network"] * points, measure=["rates"])
        lines.add(str(caught.value))
    assert len(lines) == 1
    build(PLAIN, executor="reference")()
