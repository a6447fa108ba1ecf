"""Connectivity that is given: from memory and from files, in networks, sweeps and on resume."""

import json

import numpy as np
import pytest
import scipy.sparse
import torch
import yaml

from neuroflame import Network, cli
from neuroflame.core.connectivity import DenseOperator, SparseOperator, WeightedOperator
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec, load_network, load_sweep
from neuroflame.spec.blocks import make_block
from neuroflame.store import open_table

NETWORK = {
    "dt": 0.001,
    "duration": 0.02,
    "populations": {"E": {"size": 12}, "I": {"size": 8, "tau": 0.01}},
    "J": {"EE": 0.5, "EI": -0.5, "IE": 0.3},
    "J0": {"E": 1.0, "I": 0.5},
}
RANDOM = np.random.default_rng(3)
DENSE = RANDOM.random((12, 8))
SPARSE = DENSE * (RANDOM.random((12, 8)) < 0.15)
EDGES = np.nonzero(SPARSE)


def with_block(folder, name, **own):
    """Write a network whose pair EI is a file beside it, and return its path."""
    pair = {"kind": "given", "file": name} | own
    data = NETWORK | {"connectivity": {"pairs": {"EI": pair}}}
    (folder / "net.yml").write_text(yaml.safe_dump(data))
    return folder / "net.yml"


def write(folder, name, block=SPARSE, weights=True):
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, block)
    elif path.suffix == ".npz":
        scipy.sparse.save_npz(path, scipy.sparse.csr_array(block))
    else:
        post, pre = np.nonzero(block)
        rows = zip(post, pre, block[post, pre], strict=True)
        lines = [f"{i},{j},{float(w)!r}" if weights else f"{i},{j}" for i, j, w in rows]
        path.write_text("\n".join(["post,pre,weight" if weights else "post,pre", *lines]) + "\n")
    return path


FORMS = {
    "array": DENSE,
    "Tensor": torch.as_tensor(DENSE),
    "float32": DENSE.astype(np.float32),
    "whole numbers": np.arange(96).reshape(12, 8),
    "sparse array": scipy.sparse.csr_array(SPARSE),
    "sparse matrix": scipy.sparse.csc_matrix(SPARSE),
    "few entries": SPARSE,
    "edges": EDGES,
    "edges with weights": (*EDGES, SPARSE[EDGES]),
    "edges in another order": [part[::-1] for part in (*EDGES, SPARSE[EDGES])],
    "no edge": (np.array([], dtype=int), np.array([], dtype=int)),
}


def expected(given):
    if isinstance(given, tuple | list):
        weight = given[2] if len(given) == 3 else np.ones(len(given[0]))
        return scipy.sparse.coo_array((weight, (given[0], given[1])), shape=(12, 8)).toarray()
    return np.asarray(given.toarray() if scipy.sparse.issparse(given) else given, dtype=np.float64)


@pytest.mark.parametrize("form", FORMS)
def test_a_block_given_in_memory_is_multiplied_by_J_alone(form):
    model = Network(
        NetworkSpec.parse(NETWORK), connectivity={"EI": FORMS[form]}, device="cpu", precision="double"
    )
    block = expected(FORMS[form])
    np.testing.assert_allclose(model.operators["EI"].to_dense(), block, rtol=1e-15)
    np.testing.assert_allclose(
        model.weights()[model.slices["E"], model.slices["I"]], -0.5 * block, rtol=1e-15
    )
    own = model.spec.connectivity.pairs["EI"]
    assert (own.kind, own.shape, own.file) == ("given", (12, 8), None)


def test_what_is_all_ones_is_a_list_and_what_has_weights_too():
    kinds = {"edges": SparseOperator, "few entries": WeightedOperator, "array": DenseOperator}
    for form, kind in kinds.items():
        model = Network(NetworkSpec.parse(NETWORK), connectivity={"EI": FORMS[form]}, device="cpu")
        assert type(model.operators["EI"]) is kind


def test_connections_that_stand_twice_add_up():
    block = make_block(([1, 1, 0], [2, 2, 1], [0.5, 1.5, -1.0]), (3, 3))
    assert (block.post.tolist(), block.pre.tolist(), block.weight.tolist()) == ([0, 1], [1, 2], [-1.0, 2.0])
    assert make_block(([1, 1], [2, 2], [0.5, 0.5]), (3, 3)).weight is None


@pytest.mark.parametrize("name", ["block.npy", "block.npz", "block.csv"])
def test_a_file_is_the_block_that_it_holds(name, tmp_path, monkeypatch):
    write(tmp_path, name)
    path = with_block(tmp_path, name)
    monkeypatch.chdir("/")
    model = Network(path, device="cpu", precision="double")
    np.testing.assert_array_equal(model.operators["EI"].to_dense(), SPARSE)
    given = Network(NetworkSpec.parse(NETWORK), connectivity={"EI": SPARSE}, device="cpu", precision="double")
    assert torch.equal(model(), given())


def test_an_edge_list_without_weights_and_K_scale_as_sparse_connectivity(tmp_path):
    write(tmp_path, "block.csv", weights=False)
    model = Network(with_block(tmp_path, "block.csv", K=4.0), device="cpu", precision="double")
    assert type(model.operators["EI"]) is SparseOperator
    block = model.weights()[:12, 12:]
    np.testing.assert_allclose(block, -0.5 / np.sqrt(4.0) * (SPARSE != 0))


def test_the_network_remembers_content_and_place_of_its_block(tmp_path):
    file = write(tmp_path, "block.npy")
    spec = load_network(with_block(tmp_path, "block.npy"))
    own = spec.connectivity.pairs["EI"]
    assert own.file == str(file)
    again = NetworkSpec.parse(json.loads(json.dumps(spec.to_dict())))
    assert again.digest() == spec.digest()
    file.unlink()
    assert NetworkSpec.parse(spec.to_dict()).digest() == spec.digest()  # a worker parses without reading
    np.save(file, SPARSE + 1)
    assert load_network(with_block(tmp_path, "block.npy")).digest() != spec.digest()
    with pytest.raises(SimulationError, match=r"connectivity\.pairs\.EI\.file: has changed"):
        Network(spec, device="cpu")


def test_another_file_is_read_anew(tmp_path):
    write(tmp_path, "block.npy")
    other = write(tmp_path, "other.npz", SPARSE.T.reshape(12, 8))
    spec = load_network(with_block(tmp_path, "block.npy"))
    changed = spec.with_values({"connectivity.pairs.EI.file": str(other)})
    assert changed.connectivity.pairs["EI"].content != spec.connectivity.pairs["EI"].content
    np.testing.assert_array_equal(
        Network(changed, device="cpu", precision="double").operators["EI"].to_dense(), SPARSE.T.reshape(12, 8)
    )


def test_a_block_in_memory_replaces_that_of_a_file(tmp_path):
    write(tmp_path, "block.npy")
    model = Network(
        with_block(tmp_path, "block.npy"), connectivity={"EI": DENSE}, device="cpu", precision="double"
    )
    np.testing.assert_array_equal(model.operators["EI"].to_dense(), DENSE)
    assert model.spec.connectivity.pairs["EI"].file is None


def test_a_block_in_memory_replaces_what_the_file_says_of_the_pair():
    base = NETWORK | {
        "connectivity": {
            "kind": "sparse", "K": {"E": 4.0, "I": 2.0}, "seed": 3,
            "profile": {"kind": "cosine", "kappa": {"EE": 0.5, "EI": 0.2, "IE": 0.1}},
        }
    }  # fmt: skip
    model = Network(NetworkSpec.parse(base), connectivity={"EI": DENSE, "seed": 4}, device="cpu")
    assert model.spec.connectivity.seed == 4
    assert model.spec.external_scale == 2.0
    np.testing.assert_allclose(model.weights()[:12, 12:], -0.5 * DENSE, rtol=1e-6)


def test_a_network_of_blocks_in_memory_is_saved_by_its_state_and_not_by_its_specification():
    model = Network(NetworkSpec.parse(NETWORK), connectivity={"EI": DENSE}, device="cpu")
    other = Network(NetworkSpec.parse(NETWORK), connectivity={"EI": np.ones((12, 8))}, device="cpu")
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(), model())
    table = model.measure({"J.EE": [0.1, 0.2]}, window=0.01)
    assert (table["status"] == "ok").all()
    with pytest.raises(SimulationError, match=r"pairs\.EI: was given in memory, .*give it again"):
        Network(model.spec, device="cpu")


def test_the_executor_says_why_it_does_not_run_a_block():
    for given, text in ((DENSE, "EI is a dense matrix"), (SPARSE, "a weight for each connection")):
        model = Network(
            NetworkSpec.parse(NETWORK), connectivity={"EI": given}, device="cpu", executor="trajectory"
        )
        with pytest.raises(SimulationError, match=text):
            model()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (np.ones((8, 12)), r"connectivity\.EI: must be of shape 12 by 8 \(post by pre\), got \[8, 12\]"),
        (np.ones(96), "must be of shape 12 by 8"),
        (np.full((12, 8), np.nan), "must be finite real numbers"),
        (np.full((12, 8), "a"), "must be finite real numbers"),
        (scipy.sparse.eye_array(12), "must be of shape 12 by 8"),
        (([0], [8]), "must name neurons below 12"),
        (([-1], [0]), "must count neurons from 0, got -1"),
        (([0.5], [0]), "must list neurons by whole numbers"),
        (([0, 1], [0]), "must list as many post as pre"),
        (([0], [0], [np.inf]), "must be finite real numbers"),
    ],
)
def test_what_is_no_block_is_one_clear_line(given, rule):
    with pytest.raises(SpecError, match=rule):
        Network(NetworkSpec.parse(NETWORK), connectivity={"EI": given}, device="cpu")


def test_a_block_for_no_pair_is_refused():
    with pytest.raises(SpecError, match=r"connectivity\.II: is not a pair that J connects"):
        Network(NetworkSpec.parse(NETWORK), connectivity={"II": np.ones((8, 8))}, device="cpu")


def test_a_sweep_over_a_given_block_resumes_and_notices_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, "block.csv")
    with_block(tmp_path, "block.csv")
    sweep = {"network": "net.yml", "space": {"J.EI": [-0.5, -0.1]}, "window": 0.01, "compute": {"tile": 1}}
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(sweep))
    run = ["run", "sweep.yml", "--backend", "inline", "--no-report", "--quiet", "--out", "x"]
    assert cli.main(run) == 0
    first = open_table("x").to_pandas()["rate.E.mean"].tolist()
    next((tmp_path / "x" / "parts").iterdir()).unlink()
    assert cli.main(["resume", "x", "--backend", "inline", "--no-report", "--quiet"]) == 0
    assert open_table("x").to_pandas()["rate.E.mean"].tolist() == first

    file.rename(tmp_path / "moved.csv")
    next((tmp_path / "x" / "parts").iterdir()).unlink()
    capsys.readouterr()
    assert cli.main(["resume", "x", "--backend", "inline", "--no-report", "--quiet"]) == 2
    assert "connectivity.pairs.EI.file: there is no such file" in capsys.readouterr().err
    with_block(tmp_path, "moved.csv")  # the same content elsewhere is the same sweep
    assert load_sweep("sweep.yml").identity() == load_sweep("sweep.yml").identity()

    write(tmp_path, "block.csv", SPARSE * 2)
    assert cli.main(["resume", "x", "--backend", "inline", "--no-report", "--quiet"]) == 2
    assert "has changed since the network was described" in capsys.readouterr().err
    with_block(tmp_path, "block.csv")
    assert cli.main(run) == 2
    assert "a different sweep: network.connectivity.pairs.EI.content" in capsys.readouterr().err


def test_the_same_block_elsewhere_is_the_same_sweep(tmp_path):
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, "block.npz")
        with_block(folder, "block.npz")
        (folder / "sweep.yml").write_text(yaml.safe_dump({"network": "net.yml", "space": {"J.EI": [-0.5]}}))
        found.append(load_sweep(folder / "sweep.yml").identity())
    assert found[0] == found[1]


def test_a_network_inside_a_sweep_finds_its_block_beside_the_sweep(tmp_path, monkeypatch):
    write(tmp_path, "block.npz")
    net = yaml.safe_load(with_block(tmp_path, "block.npz").read_text())
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump({"network": net, "space": {"J.EI": [-0.5]}}))
    monkeypatch.chdir("/")
    spec = load_sweep(tmp_path / "sweep.yml")
    assert spec.network.connectivity.pairs["EI"].file == str(tmp_path / "block.npz")


CSV = "block.csv"
BAD = {
    "no such file": (None, CSV, {}, "EI.file: there is no such file"),
    "another format": ("x", "block.txt", {}, "EI.file: must end in .npy, .npz, .csv"),
    "no header": ("0,1\n", CSV, {}, "must begin with the header post,pre"),
    "not numbers": ("post,pre\n0,a\n", CSV, {}, "must hold numbers, one connection a line"),
    "a column too many": ("post,pre\n0,1,2\n", CSV, {}, "must have 2 columns, got 3"),
    "below 0": ("post,pre\n-1,1\n", CSV, {}, "EI.file: must count neurons from 0"),
    "beyond the population": ("post,pre\n0,8\n", CSV, {}, "EI.file: must hold 12 by 8 weights, E by I (post by pre)"),
    "not an array": ("text", "block.npy", {}, "EI.file: must hold a matrix written by numpy.save"),
    "not an archive": ("text", "block.npz", {}, "EI.file: must hold a matrix written by scipy.sparse.save_npz"),
    "with a profile": ("post,pre\n", CSV, {"profile": {"kind": "uniform"}}, "EI.profile: has no effect"),
    "a file of a drawn pair": ("post,pre\n", CSV, {"kind": "all_to_all"}, "EI.file: needs kind: given"),
    "a broken archive": ("PK\x03\x04", "block.npz", {}, "EI.file: must hold a matrix written by scipy"),
    "no file": ("", CSV, {"file": None}, "EI.file: is required where kind is given"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_clear_line_without_torch(case, tmp_path, capsys):
    text, name, own, rule = BAD[case]
    if text is not None:
        (tmp_path / name).write_text(text)
    assert cli.main(["validate", str(with_block(tmp_path, name, **own))]) == 2
    err = capsys.readouterr().err
    assert rule in err
    assert err.count("\n") == 1


def test_the_size_of_a_population_must_fit_the_block(tmp_path, capsys):
    write(tmp_path, "block.npy")
    path = str(with_block(tmp_path, "block.npy"))
    assert cli.main(["validate", path, "--set", "populations.E.size=13"]) == 2
    assert "EI.file: must hold 13 by 8 weights" in capsys.readouterr().err
    write(tmp_path, "block.csv")
    path = str(with_block(tmp_path, "block.csv"))
    assert cli.main(["validate", path, "--set", "populations.E.size=13"]) == 0


def test_a_file_that_is_no_matrix_of_two_dimensions(tmp_path):
    np.save(tmp_path / "block.npy", np.ones(96))
    with pytest.raises(SpecError, match=r"must hold a matrix, got \[96\]"):
        load_network(with_block(tmp_path, "block.npy"))


def test_files_and_contents_are_no_values_to_sweep(tmp_path):
    write(tmp_path, "block.npy")
    with_block(tmp_path, "block.npy")
    sweep = {"network": "net.yml", "space": {"connectivity.pairs.EI.file": {"choices": ["a.npy", "b.npy"]}}}
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(sweep))
    with pytest.raises(SpecError, match="there is no such value in the network"):
        load_sweep(tmp_path / "sweep.yml")
