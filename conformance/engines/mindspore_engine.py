"""MindSpore (https://www.mindspore.cn) on its CPU: functions of tensors, differentiated by `mindspore.vjp`.

`mindspore.mint` carries torch's names, so an op is written as torch writes it. Many of them have kernels for other devices alone;
listed are those that the CPU has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np

from conformance.catalog import CATALOG
from conformance.engines.functional import FunctionalEngine
from conformance.engines.functional_script import FunctionalScript

NAMES = """
    abs add add_alpha add_integers add_scalar amax_all amin_all atanh binary_cross_entropy_with_logits bmm broadcast_to cat
    cat_repeated cat_three ceil channels_shuffled chunk clamp clamp_max clamp_max_tensor clamp_min clamp_min_tensor
    clamp_tensors contiguous_copy cos cosh cumprod cumsum cumsum_in_double diagonal diagonal_beside diagonal_scatter diff
    div div_integers div_mode div_scalar double erf erfc erfinv exp expand expm1 flatten flip flip_two float float_power
    floor fmod fmod_scalar gather glu group_norm hardswish hstack index index_last index_put index_put_accumulate
    index_select linear linear_without_bias log log1p logsumexp logsumexp_dims masked_fill_number masked_scatter matmul
    matmul_transposed max max_dim maximum mean mean_dim mean_dims min min_dim minimum movedim mul mul_integers mul_mask
    mul_scalar mul_with_itself narrow neg new_axis nll_loss norm pad_circular permute pow pow_fractional pow_one pow_scalar
    pow_zero prod prod_dim rdiv_scalar reciprocal remainder remainder_scalar repeat_interleave reshape round rpow_scalar
    rsqrt rsub_scalar scatter scatter_value select_last select_scatter sigmoid sigmoid_far sign silu silu_far sin sinc sinh
    slice slice_last slice_scatter smooth_l1_loss split split_with_sizes sqrt square squeeze squeeze_all sub
    sub_alpha sub_integers sum sum_dim sum_dims sum_in_double swapaxes t take tan tanh tanh_far tensor_split tile trace
    transpose transposed_matrices tril tril_beside triu triu_beside trunc unbind unsqueeze view view_as where
    where_scalar xlogy
"""
COPY = ".clone(memory_format=torch.contiguous_format)"


def spelled(code: str) -> str:
    """Torch's code in MindSpore's names."""
    code = re.sub(r"\btorch\.(float32|float64|int64)\b", r"ms.\1", code.replace(COPY, ""))
    return re.sub(r"\btorch\.", "mint.", code)


OPS = {name: spelled(CATALOG[name].torch) for name in NAMES.split()} | {"clone": "a.copy()"}


class MindSporeScript(FunctionalScript):
    """Programs as plain code of MindSpore."""

    imports = ("import mindspore as ms", "from mindspore import mint")
    names = {"cut": "cut = ms.ops.stop_gradient"}
    codes = OPS
    boolean = "bool_"
    array = "ms.Tensor({data}, ms.{dtype})"
    zeros = "mint.zeros({shape}, dtype=ms.{dtype})"
    differentiate = (
        "_, pull = ms.vjp(lambda *x: tuple({f}(*x)), *{primals})",
        "found = pull(*{cotangents})",
        "{found} = found if isinstance(found, tuple) else (found,)",
    )


class MindSporeEngine(FunctionalEngine):
    """The released MindSpore, op by op."""

    name: ClassVar[str] = "mindspore"
    script: ClassVar[type | None] = MindSporeScript
    ops: Mapping[str, str] = OPS
    promotes: ClassVar[frozenset[str]] = frozenset({"floats", "numbers"})
    limits: ClassVar[tuple[str, ...]] = (
        "unregistered", "Kernel select failed", "should be float32", "Not implement", "cannot broadcast",
        "do not support complex64", "must not be 0", "should >= 1", r"must be in range of \[1,",
        "the rank of x2 must be equal to",
    )  # fmt: skip

    def __init__(self) -> None:
        os.environ.setdefault("GLOG_v", "3")  # its C++ logs errors alone
        import mindspore as ms
        from mindspore import mint, ops

        ms.runtime.launch_blocking()  # so that an error comes from the op that made it
        self.ms: Any = ms
        self.stop_gradient = ops.stop_gradient
        self.namespace = {"ms": ms, "mint": mint}

    def begin(self) -> None:
        super().begin()
        with suppress(RuntimeError):  # an error of the program before may be raised once more
            (self.ms.Tensor(np.zeros(1)) + 1.0).asnumpy()

    def version(self) -> str:
        return str(self.ms.__version__)

    def asarray(self, array: np.ndarray[Any, Any]) -> Any:
        return self.ms.Tensor(array)

    def numpy(self, array: Any) -> np.ndarray[Any, Any]:
        return array.asnumpy()  # type: ignore[no-any-return]

    def dtype(self, tensor: Any) -> str:
        return str(tensor.array.dtype).lower()

    def vjp(self, function: Callable[..., list[Any]], primals: list[Any], cotangents: list[Any]) -> Sequence[Any]:
        _, pull = self.ms.vjp(lambda *arrays: tuple(function(*arrays)), *primals)
        found = pull(*cotangents)
        return found if isinstance(found, tuple) else (found,)
