"""JSON of what is recorded, whatever an engine put into it."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="deterministic")


def encoded(value: Any) -> bytes:
    r"""The value as JSON, the same for the same value. Lone surrogates, which UTF-8 has no place for, are spelled out.

    >>> encoded({"message": "\ud800"})
    b'{"message":"\\\\ud800"}'
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_spelled_out(msgspec.to_builtins(value)))


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_spelled_out(key): _spelled_out(entry) for key, entry in value.items()}
    return [_spelled_out(entry) for entry in value] if isinstance(value, (list, tuple)) else value
