"""How engines with torch-like names spell what the suite asks of them: tables of code, torch's own spelling first.

In all code the module under test is called `torch`, operands are `a` and `b`, and `TENSOR` stands for its class of tensors. The
first entry of a row that works is taken (`probing.py` tries them). A row's `own` spelling is torch's: it is taken wherever it
runs, even where it answers wrongly, so that a wrong answer is a failure rather than a capability that nobody looks at.
"""

from __future__ import annotations

# What makes a tensor, before its arguments.
MAKERS = (
    "torch.tensor", "torch.Tensor", "TENSOR", "torch.as_tensor", "torch.Variable", "torch.Value", "torch.Parameter", "torch.Var",
    "torch.Node", "torch.array", "torch.from_numpy", "torch.make_tensor",
)  # fmt: skip

# The values that it is given, with the dtype. `data` are nested lists, or a number.
DATA = (
    "data, dtype=torch.{dtype}",
    "data, dtype='{dtype}'",
    "data, dtype=np.{dtype}",
    "np.array(data, dtype='{dtype}')",
    "np.array(data, dtype='{dtype}'), dtype='{dtype}'",
    "data",
    "data=data",
)
FLAGS_OF_LEAVES = (", requires_grad=requires_grad", ", track_gradient=requires_grad", ", constant=not requires_grad", "")

VALUES = (
    "a.tolist()", "a.numpy().tolist()", "a.data.tolist()", "np.asarray(a.data).tolist()", "np.asarray(a.value).tolist()",
    "np.asarray(a.array).tolist()", "np.asarray(a._data).tolist()", "np.asarray(a.detach().numpy()).tolist()",
    "np.asarray(a.numpy()).tolist()", "np.asarray(a.to_numpy()).tolist()", "np.asarray(a.data.data).tolist()",
    "np.asarray(a.item()).tolist()", "np.asarray(a.val).tolist()", "np.asarray(a).tolist()",
)  # fmt: skip
SHAPES = ("tuple(a.shape)", "tuple(a.shape())", "tuple(a.data.shape)", "tuple(a.size())", "np.shape(VALUE)")
DTYPES = ("a.dtype", "a.data.dtype", "a.dtype()", "a.value.dtype", "a._data.dtype")

# Capability -> code, torch's own first.
FLAG = ("a.requires_grad", "a.requires_grad()", "a._requires_grad", "a.track_gradient", "not a.constant", "not a.stop_gradient")
LEAF = ("a.is_leaf", "a.is_leaf()")
NODE = (
    "a.grad_fn is not None", "a.creator is not None", "a._ctx is not None", "a.ctx is not None", "a._grad_fn is not None",
    "a.history is not None",
)  # fmt: skip
GRADIENT = ("a.grad", "a.gradient", "a.derivative", "a._grad", "a.grad()")
DETACH = ("a.detach()", "torch.detach(a)", "torch.stop_gradient(a)", "a.stop_gradient()")
COPY = ("a.clone()", "torch.clone(a)", "a.copy()")
SET_FLAG = ("a.requires_grad_(value)", "a.requires_grad = value", "a.set_requires_grad(value)")
RETAIN = ("a.retain_grad()", "a.retain_gradient()")
VERSION = ("a._version", "a.version", "a.inplace_version")
BASE = ("a._base", "a.base")
ADDRESS = (
    "a.untyped_storage().data_ptr()", "a.data.__array_interface__['data'][0]", "a.numpy().__array_interface__['data'][0]",
)  # fmt: skip
FORGET = ("a.grad = None", "a.zero_grad(set_to_none=True)", "a.clear_grad()", "a.cleargrad()", "a.null_grad()", "a.zero_grad()")
ZERO = (
    "a.grad.zero_()", "a.zero_grad(set_to_none=False)", "a.zero_grad()", "a.grad[...] = 0", "a.grad.data[...] = 0",
    "a.grad = 0.0", "a.grad = np.zeros(SHAPE)",
)  # fmt: skip
BACKWARD_WITH = ("a.backward(b)", "a.backward(gradient=b)", "a.backward(grad=b)", "a.backward(np.asarray(VALUE_OF_b))",
                 "torch.autograd.backward(a, b)", "torch.backward(a, b)")  # fmt: skip
BACKWARD = ("a.backward()", "torch.autograd.backward(a)", "torch.backward(a)", "a.backprop()", "a.backpropagate()")
BACKWARD_OPTIONS = ("retain_graph=retain_graph", "create_graph=create_graph", "inputs=inputs")
BACKWARD_ROOTS = ("torch.autograd.backward(roots, gradients)", "torch.backward(roots, gradients)")
GRAD = ("torch.autograd.grad(roots, inputs, gradients)", "torch.grad(roots, inputs, gradients)")
GRAD_OPTIONS = ("retain_graph=retain_graph", "create_graph=create_graph", "allow_unused=allow_unused")

NO_GRAD = (
    "torch.no_grad()", "TENSOR.no_grad()", "torch.autograd.no_grad()", "torch.no_grad", "torch.NoGrad()", "torch.no_tape()",
    "torch.no_autodiff", "torch.set_grad_enabled(False)", "torch.grad_mode(False)",
)  # fmt: skip
ENABLE_GRAD = ("torch.enable_grad()", "TENSOR.enable_grad()", "torch.autograd.enable_grad()", "torch.set_grad_enabled(True)")
SWITCH = ("torch.set_grad_enabled(value)", "torch.autograd.set_grad_enabled(value)")
RECORDING = ("torch.is_grad_enabled()", "torch.autograd.is_grad_enabled()")
INFERENCE = ("torch.inference_mode()",)
PACKING = ("torch.autograd.graph.saved_tensors_hooks(pack, unpack)",)
EXPORT = ("a.numpy().tolist()",)
ASSIGN = ("a.grad = b",)
HOOKS = {
    "tensor": "a.register_hook(function)",
    "accumulated": "a.register_post_accumulate_grad_hook(function)",
    "node_before": "a.grad_fn.register_prehook(function)",
    "node_after": "a.grad_fn.register_hook(lambda into, out: function(into))",
}

# What gives a tensor with a history from one, before anything is known of the engine's ops.
FIRST_OPS = ("a * a", "a + a", "-a", "torch.mul(a, a)", "torch.add(a, a)")
