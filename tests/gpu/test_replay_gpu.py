"""Steps replayed as a CUDA graph against steps launched one by one."""

import pytest
import torch

from tests.replayed import check_replay, every_network

pytestmark = pytest.mark.gpu


@every_network
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_recorded_is_the_same(name, dtype):
    check_replay(name, "cuda", dtype)
