"""Small values as bytes: MessagePack, which keeps nan and what is an integer and what is not."""

from __future__ import annotations

from typing import Any

from msgspec import MsgspecError, msgpack


def _plain(value: Any) -> Any:
    """NumPy's and torch's single numbers, which a knob or a rule of one's own may have led to, are Python's again."""
    if isinstance(value, float):
        return float(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a {type(value).__name__} cannot be sent")


_encoder, _decoder = msgpack.Encoder(enc_hook=_plain), msgpack.Decoder()


def encode(value: Any) -> bytes:
    """Raises TypeError for what is neither a number, a text, a list nor a dict of such."""
    return _encoder.encode(value)


def decode(data: bytes) -> Any:
    """Lists for tuples. Raises ValueError for anything that `encode` has not made."""
    try:
        return _decoder.decode(data)
    except (MsgspecError, TypeError) as error:  # a map may be a key, but not in Python
        raise ValueError(str(error)) from None
