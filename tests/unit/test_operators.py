"""Every connectivity operator against its own dense matrix, with any number of points."""

import math

import pytest
import torch

from neuroflame.core.connectivity import make_operator
from neuroflame.core.connectivity.make import bind_operator
from neuroflame.core.connectivity.ring import RingOperator, von_mises_series
from neuroflame.core.connectivity.sparse import connection_probability, draw
from neuroflame.spec import NetworkSpec

PROFILES = {
    "uniform": {"kind": "uniform"},
    "cosine": {"kind": "cosine", "kappa": 0.8, "phase": 30.0},
    "cosine_weak": {"kind": "cosine_weak", "kappa": 0.8, "phase": -20.0},
    "von_mises": {"kind": "von_mises", "kappa": 3.0, "phase": 75.0},
}


def network(kind, profile, K=12.0, post=37, pre=50):
    connectivity = {"kind": kind, "profile": profile} | ({"K": K, "seed": 4} if kind == "sparse" else {})
    populations = {"A": {"size": post}, "B": {"size": pre}}
    return NetworkSpec.parse({"populations": populations, "connectivity": connectivity, "J": {"AB": 1.0}})


def operator(kind, profile, graph=0, **sizes):
    spec = network(kind, profile, **sizes)
    pair = spec.pairs[0]
    made = make_operator(spec, pair, graph=graph, device="cpu")
    return bind_operator(made, spec, pair, lambda path: torch.tensor([spec.get(path)], dtype=torch.float64))


CASES = [(kind, name) for kind in ("sparse", "all_to_all") for name in PROFILES]


@pytest.mark.parametrize(("kind", "profile"), CASES)
@pytest.mark.parametrize("points", [1, 2, 7])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_apply_is_the_dense_product(kind, profile, points, dtype, tolerance):
    made = operator(kind, PROFILES[profile])
    sources = torch.rand(points, 50, dtype=dtype, generator=torch.Generator().manual_seed(1))
    expected = sources.double() @ made.to_dense().T
    got = made(sources)
    assert got.shape == (points, 37)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kind", "profile"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_row_depends_on_its_own_sources_alone(kind, profile, dtype):
    made = operator(kind, PROFILES[profile])
    sources = torch.rand(19, 50, dtype=dtype)
    whole = made(sources)
    assert torch.equal(made(sources[3:4]), whole[3:4])
    order = torch.randperm(19)
    assert torch.equal(made(sources[order]), whole[order])
    broken = sources.clone()
    broken[5] = torch.nan
    assert torch.equal(made(broken)[:5], whole[:5])


@pytest.mark.parametrize(("kind", "profile"), CASES)
def test_gradient_is_the_transposed_product(kind, profile):
    made = operator(kind, PROFILES[profile])
    sources = torch.rand(3, 50, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(3, 37, dtype=torch.float64)
    (made(sources) * weights).sum().backward()
    torch.testing.assert_close(sources.grad, weights @ made.to_dense())


def theta(size):
    return torch.arange(size, dtype=torch.float64) * (2 * math.pi / size)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("uniform", lambda d: torch.ones_like(d)),
        ("cosine", lambda d: 1 + 0.8 * torch.cos(d - math.radians(30))),
        (
            "von_mises",
            lambda d: (
                torch.exp(3 * torch.cos(d - math.radians(75))) / torch.special.i0(torch.tensor(3.0).double())
            ),
        ),
    ],
)
def test_all_to_all_profiles_are_the_formulas(name, formula):
    difference = theta(37)[:, None] - theta(50)
    torch.testing.assert_close(operator("all_to_all", PROFILES[name]).to_dense(), formula(difference))


@pytest.mark.parametrize("name", ["cosine", "von_mises"])
def test_no_modulation_is_uniform(name):
    flat = {"kind": name, "kappa": 0.0}
    for kind in ("sparse", "all_to_all"):
        assert torch.equal(operator(kind, flat).to_dense(), operator(kind, {"kind": "uniform"}).to_dense())


def test_von_mises_of_a_point_does_not_depend_on_the_others():
    phase = torch.zeros(1).double()
    alone = von_mises_series(torch.tensor([2.0]).double(), phase).amplitude
    beside = von_mises_series(torch.tensor([2.0, 80.0]).double(), torch.zeros(2).double()).amplitude
    modes = alone.shape[1]
    assert torch.equal(beside[:1, :modes], alone)
    assert (beside[0, modes:] == 0).all()


def test_each_point_has_its_own_kappa_and_phase():
    spec = network("all_to_all", {"kind": "cosine", "kappa": 0.0})
    numbers = {
        "connectivity.profile.kappa": torch.tensor([0.0, 0.5, 0.9]).double(),
        "connectivity.profile.phase": torch.tensor([0.0, 10.0, 90.0]).double(),
    }
    made = bind_operator(RingOperator(37, 50), spec, spec.pairs[0], numbers.__getitem__)
    dense = made.to_dense()
    assert dense.shape == (3, 37, 50)
    sources = torch.rand(3, 50).double()
    torch.testing.assert_close(made(sources), torch.einsum("pij,pj->pi", dense, sources))


def test_topology_does_not_depend_on_how_it_is_drawn_nor_on_sizes_beyond(monkeypatch):
    pair = network("sparse", PROFILES["cosine"]).pairs[0]
    whole = draw(pair, 37, 50, seed=4, graph=0, device="cpu").to_dense()
    monkeypatch.setattr("neuroflame.core.connectivity.sparse.ENTRIES_AT_ONCE", 100)
    assert torch.equal(draw(pair, 37, 50, seed=4, graph=0, device="cpu").to_dense(), whole)


def test_seed_graph_and_pair_each_give_another_draw():
    pair = network("sparse", PROFILES["uniform"]).pairs[0]
    first = draw(pair, 37, 50, seed=4, graph=0, device="cpu").to_dense()
    for other in (
        draw(pair, 37, 50, seed=5, graph=0, device="cpu"),
        draw(pair, 37, 50, seed=4, graph=1, device="cpu"),
        draw(pair._replace(name="BA"), 37, 50, seed=4, graph=0, device="cpu"),
    ):
        assert not torch.equal(other.to_dense(), first)


def test_probability_is_clipped():
    pair = network("sparse", {"kind": "cosine", "kappa": 3.0}, K=40.0).pairs[0]
    probability = connection_probability(pair, 37, 50, torch.arange(37))
    assert probability.min() == 0.0
    assert probability.max() == 1.0


def test_indices_are_sorted_and_distinct():
    made = operator("sparse", PROFILES["cosine"])
    rows, columns = made.rows(), made.indices.long()
    code = rows * 50 + columns
    assert (code[1:] > code[:-1]).all()
    assert int(made.in_degrees().sum()) == len(columns)
