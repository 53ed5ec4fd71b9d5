"""The table of planted defects: the chapters put together."""

from __future__ import annotations

from mutants import (
    rows_accumulate,
    rows_broadcast,
    rows_dtypes,
    rows_elementwise,
    rows_engine,
    rows_functions,
    rows_grad,
    rows_higher,
    rows_hooks,
    rows_index,
    rows_lifetime,
    rows_linalg,
    rows_modes,
    rows_reduce,
    rows_requires_grad,
    rows_versions,
    rows_views,
)
from mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *rows_engine.ROWS,
    *rows_accumulate.ROWS,
    *rows_broadcast.ROWS,
    *rows_reduce.ROWS,
    *rows_elementwise.ROWS,
    *rows_index.ROWS,
    *rows_linalg.ROWS,
    *rows_views.ROWS,
    *rows_versions.ROWS,
    *rows_lifetime.ROWS,
    *rows_requires_grad.ROWS,
    *rows_modes.ROWS,
    *rows_hooks.ROWS,
    *rows_grad.ROWS,
    *rows_higher.ROWS,
    *rows_functions.ROWS,
    *rows_dtypes.ROWS,
)
BY_ID = {mutant.id: mutant for mutant in MUTANTS}
