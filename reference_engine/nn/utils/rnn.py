"""torch.nn.utils.rnn: sequences of different lengths side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...ops.table import FUNCTIONS
from ...tensor import Tensor


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """All sequences padded to the longest; differentiable."""
    parts: list[Tensor] = list(sequences)
    longest = max(p.shape[0] for p in parts)
    padded = []
    for p in parts:
        room = p.new_full([longest - p.shape[0], *p.shape[1:]], padding_value)
        padded.append(FUNCTIONS["cat"]([p, room] if padding_side == "right" else [room, p]))
    return FUNCTIONS["stack"](padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The sequences without the padding."""
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(padded, lengths)]


__all__ = ["pad_sequence", "unpad_sequence"]
