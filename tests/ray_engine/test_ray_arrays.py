"""What leaves a process as bytes comes back as it was."""

from __future__ import annotations

import pytest
import torch

from springline.engines.ray.arrays import unwrap, wrap

TENSORS = {
    "half of a float": torch.tensor([[1.5, -0.0, torch.inf]], dtype=torch.bfloat16),
    "a number": torch.tensor(7, dtype=torch.int64),
    "yes and no": torch.tensor([[True], [False]]),
    "nothing": torch.zeros(2, 0, 3, dtype=torch.float64),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
}


@pytest.mark.parametrize("name", TENSORS)
def test_any_tensor(name):
    t = TENSORS[name]
    data, dtype, shape = wrap(t)
    data.flags.writeable = False  # as what Ray has laid into shared memory is
    found = unwrap(data, dtype, shape)
    assert (found.dtype, found.shape) == (t.dtype, t.shape)
    assert torch.equal(found, t)
    if t.numel():
        assert found.data_ptr() != t.data_ptr(), "it belongs to somebody else too"
        found.zero_()
