"""Sums in a fixed order, random numbers by counter, physics bound to other primitives."""

import numpy as np
import pytest
import torch

from neuroflame.core.random import NOISE, normals, uniforms, words
from neuroflame.core.torch_physics import mean_neurons, physics, sum_neurons
from neuroflame.physics import FUNCTIONS, dynamics, noise, specialise, transfer


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 31, 500, 1000, 1025])
def test_sum_over_neurons(n):
    x = torch.rand(3, n, dtype=torch.float64)
    torch.testing.assert_close(sum_neurons(x), x.sum(-1), rtol=1e-14, atol=0)
    torch.testing.assert_close(mean_neurons(x), x.mean(-1), rtol=1e-14, atol=0)


def test_sum_of_a_row_does_not_depend_on_the_rows_beside_it():
    x = torch.rand(400, 1003)
    assert torch.equal(sum_neurons(x)[17:18], sum_neurons(x[17:18]))


def test_float32_sum_is_pairwise_accurate():
    x = torch.full((1, 1 << 16), 0.1)
    assert abs(float(sum_neurons(x)) / (0.1 * (1 << 16)) - 1) < 1e-7


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        (0, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (0xFFFFFFFF, 0xFFFFFFFF, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ],
)
def test_philox_gives_the_published_numbers(counter, key, expected):
    """Known answers of Random123 (kat_vectors), Philox4x32-10."""
    c, k = torch.tensor([counter]), torch.tensor([key])
    assert [int(word) for word in physics.philox(c, c, c, c, k, k)] == expected


def test_random_numbers_are_functions_of_the_point():
    seeds = torch.tensor([3, 1 << 40, 3, 7])
    drawn = normals(seeds, "noise.0.E", NOISE, 5, 10, torch.float64)
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])
    assert torch.equal(normals(seeds[1:2], "noise.0.E", NOISE, 5, 10, torch.float64), drawn[1:2])
    assert torch.equal(normals(seeds, "noise.0.E", NOISE, 5, 7, torch.float64), drawn[:, :7])
    for other in (
        normals(seeds, "noise.0.I", NOISE, 5, 10, torch.float64),
        normals(seeds, "noise.0.E", NOISE, 6, 10, torch.float64),
        normals(seeds, "noise.0.E", NOISE + 1, 5, 10, torch.float64),
    ):
        assert not torch.equal(other, drawn)


def test_seeds_beyond_32_bits_and_negative_ones_differ():
    seeds = torch.tensor([0, 1 << 32, -1, 0xFFFFFFFF])
    drawn = torch.stack([w[:, 0] for w in words(seeds, "x", NOISE, 0, 4)], dim=1)
    assert len({tuple(row.tolist()) for row in drawn}) == 4


def test_normals_are_normal():
    drawn = normals(torch.arange(2000), "x", NOISE, 0, 500, torch.float64)
    assert abs(float(drawn.mean())) < 5e-3
    assert abs(float(drawn.var()) - 1) < 1e-2
    assert abs(float((drawn**4).mean()) - 3) < 5e-2
    neighbours = (drawn[:, 1:] * drawn[:, :-1]).mean(dim=0)
    assert float(neighbours.abs().max()) < 0.12


def test_uniforms_are_uniform():
    drawn = uniforms(torch.arange(2000), "x", NOISE, 500, torch.float64)
    assert float(drawn.min()) > 0
    assert float(drawn.max()) <= 1
    assert abs(float(drawn.mean()) - 0.5) < 1e-3
    assert abs(float(drawn.var()) - 1 / 12) < 1e-3


def test_physics_on_torch_is_physics_on_numpy():
    rng = np.random.default_rng(0)
    arrays = [rng.random(50) for _ in range(8)]
    with_torch = physics.stp_step(*(torch.as_tensor(a) for a in arrays))
    for ours, theirs in zip(dynamics.stp_step(*arrays), with_torch, strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())
    x = np.linspace(-4, 4, 81)
    for name in FUNCTIONS:
        if name.startswith("transfer_"):
            np.testing.assert_allclose(
                getattr(physics, name)(torch.as_tensor(x)).numpy(), getattr(transfer, name)(x), atol=1e-15
            )


def test_specialise_compiles_callees_too():
    seen = []

    def compile(function):
        seen.append(function.__name__)
        return function

    made = specialise({"sqrt": lambda x: x * 0}, compile)
    assert seen == list(FUNCTIONS)
    assert made.philox.__globals__["philox_round"] is made.philox_round
    assert made.transfer_brunel(4.0) == 0.0
    assert transfer.transfer_brunel(4.0) == np.sqrt(13.0)
    assert noise.philox is not made.philox
