"""What goes between processes arrives as it was, and what is no packet harms nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from springline.engines.real import wire
from springline.engines.real.codec import decode, encode


def test_arrives_as_it_was():
    value = {"a": [1, 2.0, -1, None, True, "ä"], "b": {"c": 1e-300, "d": 2**63, "inf": math.inf}}
    assert repr(decode(encode(value))) == repr(value)
    assert math.isnan(decode(encode(math.nan)))


def test_numbers_of_other_libraries_are_numbers():
    """A rule of one's own may decide in NumPy's; it would end the center five times in a row."""
    found = decode(encode({"h1": np.float64(0.1), "n": np.int64(3), "h2": torch.tensor(0.5), "f": np.float32(0.5)}))
    assert repr(found) == "{'h1': 0.1, 'n': 3, 'h2': 0.5, 'f': 0.5}"
    with pytest.raises(TypeError, match="a Linear cannot be sent"):
        encode({"x": torch.nn.Linear(1, 1)})


@pytest.mark.parametrize("data", [b"\xc1", b"\x81\x80\xc0", b"\x92\x01", b"{}", b"\x01"])
def test_what_is_no_packet(data):
    """Neither bytes that mean nothing, a map with a map as its key, half a list, text, nor a number."""
    here, there = wire.pair()
    with here, there:
        here.send(data)
        assert wire.receive(there) == {}
