"""What load_state_dict reports."""

from __future__ import annotations

from collections import namedtuple


class IncompatibleKeys(namedtuple("IncompatibleKeys", "missing_keys unexpected_keys")):
    """What load_state_dict could not use."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not (self.missing_keys or self.unexpected_keys):
            return "<All keys matched successfully>"
        return "_" + super().__repr__()

    __str__ = __repr__
