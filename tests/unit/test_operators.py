"""Every connectivity operator against its own dense matrix, with any number of points."""

import hashlib
import math
from functools import partial

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity import make_operator
from neuroflame.core.connectivity.dense import draw_gaussian
from neuroflame.core.connectivity.given import operator_of
from neuroflame.core.connectivity.low_rank import draw_vectors
from neuroflame.core.connectivity.make import bind_operator
from neuroflame.core.connectivity.probability import connection_probability
from neuroflame.core.connectivity.ring import RingOperator, von_mises_series
from neuroflame.core.connectivity.sparse import (
    SparseOperator,
    WeightedOperator,
    draw,
    draw_compiled,
    draw_torch,
)
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.blocks import make_block

PROFILES = {
    "uniform": {"kind": "uniform"},
    "cosine": {"kind": "cosine", "kappa": 0.8, "phase": 30.0},
    "cosine_weak": {"kind": "cosine_weak", "kappa": 0.8, "phase": -20.0},
    "von_mises": {"kind": "von_mises", "kappa": 3.0, "phase": 75.0},
    "low_rank": {"kind": "low_rank", "kappa": 0.6, "rank": 3, "overlap": [0.5, 0.2, 0.0], "mean": 0.1},
    "gaussian": {"kind": "gaussian"},
}


def network(kind, profile, K=12.0, post=37, pre=50):
    connectivity = {"kind": kind, "profile": profile} | ({"K": K} if kind == "sparse" else {})
    if kind == "sparse" or profile["kind"] in {"low_rank", "gaussian"}:
        connectivity["seed"] = 4
    populations = {"A": {"size": post}, "B": {"size": pre}}
    return NetworkSpec.parse({"populations": populations, "connectivity": connectivity, "J": {"AB": 1.0}})


def operator(kind, profile, graph=0, **sizes):
    spec = network(kind, profile, **sizes)
    pair = spec.pairs[0]
    made = make_operator(spec, pair, graph=graph, device="cpu")
    return bind_operator(made, spec, pair, lambda path: torch.tensor([spec.get(path)], dtype=torch.float64))


def weighted(density):
    """Return the operator of a random block of which a share is not 0, and the block."""
    random = np.random.default_rng(0)
    block = random.normal(size=(37, 50)) * (random.random((37, 50)) < density)
    return block, operator_of(make_block(block, (37, 50)), device="cpu", dtype=torch.float64)


MAKERS = {
    f"{kind} {name}": (lambda kind=kind, name=name: operator(kind, PROFILES[name]))
    for kind in ("sparse", "all_to_all")
    for name in PROFILES
    if (kind, name) != ("sparse", "gaussian")
} | {"given dense": lambda: weighted(0.9)[1], "given sparse": lambda: weighted(0.05)[1]}
"""Every kind of operator; each is held to its own dense matrix, which other tests hold to the formulas."""


@pytest.fixture(params=MAKERS)
def made(request):
    return MAKERS[request.param]()


@pytest.mark.parametrize("points", [1, 2, 7, 33])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-6)])
def test_apply_is_the_dense_product(made, points, dtype, tolerance):
    sources = torch.rand(points, 50, dtype=dtype, generator=torch.Generator().manual_seed(1))
    expected = sources.double() @ made.to_dense().T
    got = made(sources)
    assert got.shape == (points, 37)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_row_depends_on_its_own_sources_alone(made, dtype):
    sources = torch.rand(53, 50, dtype=dtype)
    whole = made(sources)
    for first, last in ((3, 4), (0, 2), (0, 17), (16, 33), (5, 53)):
        assert torch.equal(made(sources[first:last]), whole[first:last])
    order = torch.randperm(53)
    assert torch.equal(made(sources[order]), whole[order])
    broken = sources.clone()
    broken[5] = torch.nan
    assert torch.equal(made(broken)[:5], whole[:5])


def test_gradient_is_the_transposed_product(made):
    sources = torch.rand(3, 50, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(3, 37, dtype=torch.float64)
    (made(sources) * weights).sum().backward()
    torch.testing.assert_close(sources.grad, weights @ made.to_dense())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_row_of_a_sparse_gradient_depends_on_its_own_row_alone(dtype):
    made = operator("sparse", PROFILES["cosine"])
    sources, weights = torch.rand(21, 50, dtype=dtype), torch.rand(21, 37, dtype=dtype)

    def gradient(rows):
        given = sources[rows].requires_grad_()
        (made(given) * weights[rows]).sum().backward()
        return given.grad

    whole = gradient(slice(0, 21))
    for first, last in ((3, 4), (0, 2), (5, 21)):
        assert torch.equal(gradient(slice(first, last)), whole[first:last])


def test_sparse_products_have_second_derivatives():
    made = operator("sparse", PROFILES["uniform"], post=5, pre=6, K=3.0)
    sources = torch.rand(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda s: made(s) ** 2, sources)


def test_a_gradient_follows_connectivity_that_is_loaded():
    made = operator("sparse", PROFILES["uniform"])
    sources = torch.rand(3, 50, dtype=torch.float64, requires_grad=True)
    made(sources).sum().backward()
    made.load_state_dict({"offsets": made.offsets, "indices": (made.indices + 7) % 50})
    sources.grad = None
    made(sources).sum().backward()
    torch.testing.assert_close(sources.grad, made.to_dense().sum(0).expand(3, -1))


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


def test_degrees_count_the_entries_of_the_matrix(made):
    connected = made.to_dense() != 0
    assert torch.equal(made.in_degrees(), connected.sum(1))
    assert torch.equal(made.out_degrees(), connected.sum(0))


def test_variance_is_that_of_the_entries_about_their_row():
    for made in (operator("all_to_all", PROFILES["gaussian"]), weighted(0.9)[1], weighted(0.05)[1]):
        expected = made.to_dense().var(dim=1, correction=0).mean()
        assert made.variance() == pytest.approx(float(expected))
    sparse = operator("sparse", PROFILES["uniform"])
    assert sparse.variance() == pytest.approx(float(sparse.to_dense().var(dim=1, correction=0).mean()))


@pytest.mark.parametrize("name", ["cosine", "von_mises", "low_rank"])
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
    probability = connection_probability(pair, 37, 50)
    for drawn in (partial(draw_torch, device="cpu"), draw_compiled):
        counts, whole = drawn(probability, (4, 0, 1))[:2]
        with monkeypatch.context() as patch:
            patch.setattr("neuroflame.core.connectivity.sparse.ENTRIES_AT_ONCE", 100)
            assert torch.equal(drawn(probability, (4, 0, 1))[1], whole)
        assert int(counts.sum()) == len(whole)


@pytest.mark.parametrize("name", [name for name in PROFILES if name != "gaussian"])
@pytest.mark.parametrize(("post", "pre"), [(37, 50), (5, 4099), (130, 1), (3, 64 * 64 + 1)])
def test_the_compiled_draw_is_that_of_torch_bit_for_bit(name, post, pre):
    spec = network("sparse", PROFILES[name], K=min(12.0, pre), post=post, pre=pre)
    vectors = draw_vectors(spec, spec.pairs[0], graph=2, device="cpu") if name == "low_rank" else None
    probability = connection_probability(spec.pairs[0], post, pre, vectors)
    for key in ((4, 0, 77), (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)):
        for one, other in zip(
            draw_torch(probability, key, "cpu"), draw_compiled(probability, key), strict=True
        ):
            assert torch.equal(one, other)


def test_the_topology_is_that_of_earlier_versions():
    """Tables made by the first version must be reproducible: hashes of what it drew."""
    found = {}
    for name in ("uniform", "cosine", "cosine_weak", "von_mises"):
        made = operator("sparse", PROFILES[name], graph=3, post=300, pre=1031)
        found[name] = hashlib.blake2b(made.indices.numpy().tobytes(), digest_size=6).hexdigest()
    assert found == {
        "uniform": "4434c393321e",
        "cosine": "f6b31bf203e5",
        "cosine_weak": "2becfb0ab727",
        "von_mises": "686afdd013d6",
    }


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
    probability = connection_probability(pair, 37, 50).rows(torch.arange(37))
    assert probability.min() == 0.0
    assert probability.max() == 1.0


def test_indices_are_sorted_and_distinct():
    made = operator("sparse", PROFILES["cosine"])
    rows, columns = made.rows(), made.indices.long()
    code = rows * 50 + columns
    assert (code[1:] > code[:-1]).all()
    assert int(made.in_degrees().sum()) == len(columns)


def test_low_rank_is_the_formula_with_each_points_own_kappa_and_background():
    spec = network("all_to_all", PROFILES["low_rank"])
    numbers = {
        "connectivity.profile.kappa": torch.tensor([0.0, 0.5, 0.9]).double(),
        "connectivity.profile.background": torch.tensor([1.0, 0.0, -2.0]).double(),
    }
    pair = spec.pairs[0]
    m, n = draw_vectors(spec, pair, graph=0, device="cpu")
    made = bind_operator(
        make_operator(spec, pair, graph=0, device="cpu"), spec, pair, numbers.__getitem__, torch.float64
    )
    structure = sum(torch.outer(m[:, r], n[:, r]) for r in range(3))
    for p, (kappa, background) in enumerate(zip(*numbers.values(), strict=True)):
        torch.testing.assert_close(made.to_dense()[p], background + kappa * structure)
    sources = torch.rand(3, 50).double()
    torch.testing.assert_close(made(sources), torch.einsum("pij,pj->pi", made.to_dense(), sources))


def vectors(profile, graph=0, seed=4, pairs=("AA",), sizes=(4000, 4000)):
    """Return m and n of each pair of populations A and B."""
    spec = NetworkSpec.parse(
        {
            "populations": {"A": {"size": sizes[0]}, "B": {"size": sizes[1]}},
            "connectivity": ({"seed": seed} if seed else {})
            | {"profile": {"kind": "low_rank", "kappa": 1.0} | profile},
            "J": dict.fromkeys(pairs, 1.0),
        }
    )
    return [draw_vectors(spec, pair, graph=graph, device="cpu") for pair in spec.pairs]


def test_vectors_have_the_mean_and_the_covariance_that_are_asked_for():
    covariance = [[1.0, 0.2, 0.6, 0.0], [0.2, 2.0, 0.0, -0.5], [0.6, 0.0, 1.5, 0.3], [0.0, -0.5, 0.3, 1.0]]
    profile = {"rank": 2, "covariance": covariance, "mean": [0.5, 0.0, -1.0, 2.0]}
    ((m, n),) = vectors(profile, sizes=(40_000, 1))
    both = torch.cat([m, n], dim=1).numpy()
    np.testing.assert_allclose(both.mean(0), profile["mean"], atol=5 * np.sqrt(2 / 40_000))
    np.testing.assert_allclose(np.cov(both.T), covariance, atol=5 * 2 * np.sqrt(2 / 40_000))


def test_variance_and_overlap_stand_for_their_covariance():
    long = [[2.0, 0.0, 0.5, 0.0], [0.0, 2.0, 0.0, -1.0], [0.5, 0.0, 2.0, 0.0], [0.0, -1.0, 0.0, 2.0]]
    short = vectors({"rank": 2, "variance": 2.0, "overlap": [0.5, -1.0]})
    for one, other in zip(short[0], vectors({"rank": 2, "covariance": long})[0], strict=True):
        assert torch.equal(one, other)


def test_symmetric_vectors_are_equal_and_of_a_singular_covariance_too():
    ((m, n),) = vectors({"rank": 2, "symmetric": True})
    assert torch.equal(m, n)
    ((m, n),) = vectors({"overlap": 1.0})
    assert torch.equal(m, n)


def test_pairs_share_vectors_of_one_name_only():
    aa, ab, ba = vectors({"vectors": "v"}, pairs=("AA", "AB", "BA"))
    assert torch.equal(aa[0], ab[0])
    assert torch.equal(aa[1], ba[1])
    assert not torch.equal(aa[0], ba[0])
    own = vectors({}, pairs=("AA", "AB"))
    assert not torch.equal(own[0][0], own[1][0])


def test_vectors_depend_on_seed_and_graph_and_not_on_the_size():
    ((m, _),) = vectors({"overlap": 0.3})
    for changed in (
        vectors({"overlap": 0.3}, seed=5),
        vectors({"overlap": 0.3}, graph=1),
        vectors({"overlap": 0.3, "seed": 9}, seed=0),
    ):
        assert not torch.equal(changed[0][0], m)
    ((shorter, _),) = vectors({"overlap": 0.3}, sizes=(100, 1))
    assert torch.equal(shorter, m[:100])
    ((same, _),) = vectors({"overlap": 0.3, "seed": 4}, seed=0)
    assert torch.equal(same, m)


def test_a_seed_that_nothing_is_drawn_with_is_refused():
    with pytest.raises(SpecError, match=r"connectivity\.seed: has no effect where nothing is drawn"):
        vectors({"seed": 9}, seed=4)


def test_gaussian_entries_are_normal_and_their_own(monkeypatch):
    keys = {"seed": 4, "graph": 0, "device": "cpu", "dtype": torch.float64}
    whole = draw_gaussian("AB", 300, 401, **keys).matrix
    assert float(whole.mean()) == pytest.approx(0.0, abs=5 / np.sqrt(whole.numel()))
    assert float(whole.var()) == pytest.approx(1.0, abs=5 * np.sqrt(2 / whole.numel()))
    corner = np.corrcoef(whole[:, 0], whole[:, 1])[0, 1]
    assert abs(corner) < 5 / np.sqrt(300)
    monkeypatch.setattr("neuroflame.core.connectivity.dense.ENTRIES_AT_ONCE", 1000)
    assert torch.equal(draw_gaussian("AB", 300, 401, **keys).matrix, whole)
    assert torch.equal(draw_gaussian("AB", 300, 401, **keys | {"dtype": torch.float32}).matrix, whole.float())
    for changed in ({"seed": 5}, {"graph": 1}):
        assert not torch.equal(draw_gaussian("AB", 300, 401, **keys | changed).matrix, whole)
    assert not torch.equal(draw_gaussian("BA", 300, 401, **keys).matrix, whole)


@pytest.mark.parametrize("density", [0.9, 0.05])
def test_compiled_products_do_not_depend_on_threads(density, monkeypatch):
    made = weighted(density)[1]
    sources = torch.rand(21, 50)
    alone = made(sources)
    monkeypatch.setattr("neuroflame.core.connectivity.lanewise.WORTH_THREADS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(made(sources), alone)


def test_the_gradient_reaches_the_weights():
    sources, weights = torch.rand(3, 50).double(), torch.rand(3, 37).double()
    dense, sparse = weighted(0.9)[1], weighted(0.05)[1]
    for made, own in ((dense, dense.matrix), (sparse, sparse.weights)):
        own.requires_grad_(True)
        (made(sources) * weights).sum().backward()
    torch.testing.assert_close(dense.matrix.grad, weights.T @ sources)
    torch.testing.assert_close(
        sparse.weights.grad, (weights.T @ sources)[sparse.rows(), sparse.indices.long()]
    )


@pytest.mark.parametrize("density", [0.9, 0.05])
def test_a_given_matrix_is_the_one_that_was_given(density):
    block, made = weighted(density)
    np.testing.assert_array_equal(made.to_dense(), block)
    assert isinstance(made, WeightedOperator) == (density < 0.1)


def test_a_given_topology_of_ones_is_sparse_connectivity():
    made = operator_of(
        make_block((np.array([3, 0]), np.array([1, 49])), (37, 50)), device="cpu", dtype=torch.float32
    )
    assert type(made) is SparseOperator
    assert made.to_dense().nonzero().tolist() == [[0, 49], [3, 1]]


def test_more_connections_than_32_bits_can_count_are_refused(monkeypatch):
    monkeypatch.setattr("neuroflame.core.connectivity.sparse.MOST_CONNECTIONS", 3)
    with pytest.raises(SimulationError, match="at most 3 connections, got 4"):
        SparseOperator(2, 2, torch.tensor([0, 2, 4]), torch.tensor([0, 1, 0, 1], dtype=torch.int32))


def test_von_mises_profiles_are_differentiable_in_their_concentration():
    kappa, phase = torch.tensor([0.7, 30.0], dtype=torch.float64, requires_grad=True), torch.zeros(2).double()
    assert torch.autograd.gradcheck(lambda value: von_mises_series(value, phase).amplitude[:, :9], kappa)
    none = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    flat = von_mises_series(none, phase[:1]).amplitude
    assert flat.tolist() == [[1.0, 0.0]]
    flat[0, 1].backward()
    assert none.grad.item() == 1.0
