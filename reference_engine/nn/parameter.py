"""torch.nn.Parameter"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor, alias, wrap


class Parameter(Tensor):
    """A tensor that is meant to be trained: a leaf that requires grad."""

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        data = wrap(np.zeros(0, np.float32)) if data is None else data
        t = alias(data._array, data._storage, cls)
        if requires_grad:
            t.requires_grad = True
        return t
