"""Executable catalogue of PyTorch autograd's observable semantics (verified on torch 2.13.0 CPU).

One test function per rule.  `test_<area>__<slug>` is rule `<area>.<slug>`.
The decorator R(statement, expect, src) carries the statement, what is seen, and where torch says so.
All code here is our own; no PyTorch test code was copied.
"""
import contextlib
import copy
import gc
import math
import threading
import warnings
import weakref

import numpy as np
import pytest
import torch
import torch.autograd.forward_ad as fwAD
import torch.nn.functional as F
from torch.autograd import Function, grad
from torch.autograd.graph import (
    Node, get_gradient_edge, increment_version, register_multi_grad_hook,
    saved_tensors_hooks, save_on_cpu, allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
)

RULES = []          # [(rule_id, statement, expect, src, function)]
NAN, INF = float("nan"), float("inf")

# error-message essences reused by many rules
E_LEAF = "a leaf Variable that requires grad is being used in an in-place operation"
E_VLEAF = "a view of a leaf Variable that requires grad is being used in an in-place operation"
E_VER = "one of the variables needed for gradient computation has been modified by an inplace operation"
E_FREED = "Trying to backward through the graph a second time"
E_NOGRAD = "element 0 of tensors does not require grad and does not have a grad_fn"
E_UNUSED = "appears to not have been used in the graph. Set allow_unused=True"
E_SCALAR = "grad can be implicitly created only for scalar outputs"


def R(statement, expect="", src=""):
    def deco(f):
        area, slug = f.__name__[len("test_"):].split("__", 1)
        RULES.append((f"{area}.{slug}", statement, expect, src, f))
        return f
    return deco


def err(match, exc=RuntimeError):
    return pytest.raises(exc, match=match)


def leaf(*v, dtype=torch.float64):
    """1-D float64 leaf that requires grad."""
    return torch.tensor([float(a) for a in v], dtype=dtype, requires_grad=True)


def sc(v, dtype=torch.float64):
    """0-D float64 leaf that requires grad."""
    return torch.tensor(float(v), dtype=dtype, requires_grad=True)


def T(*v, dtype=torch.float64):
    return torch.tensor([float(a) for a in v], dtype=dtype)


def eq(a, b):
    """Exact equality, NaN == NaN, shapes and kinds compared."""
    a = a.detach() if isinstance(a, torch.Tensor) else torch.as_tensor(a)
    b = b.detach() if isinstance(b, torch.Tensor) else torch.as_tensor(b, dtype=a.dtype)
    return a.shape == b.shape and bool(torch.equal(torch.nan_to_num(a, nan=123.25), torch.nan_to_num(b.to(a.dtype), nan=123.25)))


def close(a, b, tol=1e-9):
    a = a.detach() if isinstance(a, torch.Tensor) else torch.as_tensor(a)
    b = b.detach() if isinstance(b, torch.Tensor) else torch.as_tensor(b, dtype=a.dtype)
    return torch.allclose(a, b.to(a.dtype), rtol=tol, atol=tol, equal_nan=True)


def dgrad(f, *vals):
    """gradient list of scalar-valued f at 0-D float64 points."""
    xs = [sc(v) for v in vals]
    out = f(*xs)
    return [None if g is None else float(g) for g in grad(out.sum(), xs, allow_unused=True)]


def vgrad(f, *vals):
    """gradient of f(x).sum() for one 1-D float64 leaf, as list."""
    x = leaf(*vals)
    return grad(f(x).sum(), x)[0].tolist()


@contextlib.contextmanager
def no_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

# =====================================================================================================
# AREA rg : requires_grad propagation
# =====================================================================================================

@R("A plain tensor has requires_grad False, an nn.Parameter has it True.", "False / True", "docs/source/notes/autograd.rst (Setting requires_grad)")
def test_rg__default_flag():
    assert torch.ones(2).requires_grad is False
    assert torch.nn.Parameter(torch.ones(2)).requires_grad is True


@R("An op's result requires grad when grad mode is on and at least one tensor input requires grad.", "True with one True input", "autograd.rst; VariableTypeUtils.h compute_requires_grad")
def test_rg__any_input():
    a, b = torch.ones(2), torch.ones(2, requires_grad=True)
    assert (a + b).requires_grad and (b + a).requires_grad and torch.cat([a, b]).requires_grad


@R("If no input requires grad, the result does not, has no grad_fn and counts as a leaf.", "requires_grad False, grad_fn None, is_leaf True", "autograd.rst; variable.cpp is_leaf")
def test_rg__no_input():
    y = torch.ones(2) * torch.ones(2)
    assert not y.requires_grad and y.grad_fn is None and y.is_leaf


@R("is_leaf is defined as 'has no grad_fn', not 'made by the user'.", "leaf after op without rg; non-leaf otherwise", "variable.cpp VariableHooks::is_leaf")
def test_rg__leaf_definition():
    x = torch.ones(2, requires_grad=True)
    assert x.is_leaf and not (x * 1).is_leaf and (torch.ones(2) * 3).is_leaf
    assert (torch.ones(2) * 3).requires_grad_().is_leaf


@R("The float8 dtypes count as differentiable too: the flag may be set on them.", "True", "ScalarType.h isFloatingType includes Float8")
def test_rg__float8_ok():
    t = torch.ones(2).to(torch.float8_e4m3fn)
    assert t.requires_grad_().requires_grad


@R("Casting to an integer dtype cuts the graph: the result does not require grad, nor does casting back.", "False", "derivatives.yaml _to_copy; VariableTypeUtils isDifferentiableType on output")
def test_rg__cast_to_int_cuts():
    x = torch.ones(2, requires_grad=True)
    y = x.to(torch.int64)
    assert not y.requires_grad and y.grad_fn is None and not y.float().requires_grad


@R("Casting between floating dtypes is differentiable and the gradient arrives in the leaf's dtype.", "float32 leaf gets float32 grad", "derivatives.yaml _to_copy")
def test_rg__cast_float_differentiable():
    x = torch.ones(2, requires_grad=True)
    y = x.double()
    assert y.requires_grad and y.grad_fn.name() == "ToCopyBackward0"
    y.sum().backward()
    assert x.grad.dtype == torch.float32


@R("Index-valued and boolean-valued outputs never require grad (argmax, comparisons, isnan, nonzero ...).", "False", "derivatives.yaml output_differentiability; gen_variable_type DONT_REQUIRE_DERIVATIVE")
def test_rg__nondiff_outputs():
    x = leaf(1, 2)
    for y in (x.argmax(), x > 0, x == x, torch.isnan(x), x.nonzero(), torch.sign(x) > 0, x.bool(), torch.searchsorted(x, x)):
        assert not y.requires_grad and y.grad_fn is None


@R("Step functions (sign, floor, ceil, round, trunc) stay in the graph: their output requires grad and passes zero.", "requires_grad True, grad 0 (not None)", "derivatives.yaml floor/round/sign: zeros_like(grad)")
def test_rg__step_functions_zero_grad():
    for f in (torch.sign, torch.floor, torch.ceil, torch.round, torch.trunc):
        x = leaf(0.3, -1.7)
        y = f(x)
        assert y.requires_grad
        y.sum().backward()
        assert eq(x.grad, [0.0, 0.0])


@R("set_grad_enabled(mode) takes effect at construction when used as a plain call, and restores on exit when used as a context.", "as stated", "grad_mode.py set_grad_enabled")
def test_rg__set_grad_enabled_call_and_context():
    try:
        torch.set_grad_enabled(False)
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@R("no_grad is restored when the block exits by an exception.", "grad mode True after", "grad_mode.py __exit__")
def test_rg__no_grad_exception_safe():
    with pytest.raises(ZeroDivisionError):
        with torch.no_grad():
            1 / 0
    assert torch.is_grad_enabled()


@R("Grad mode is thread local: a thread started inside no_grad records normally.", "True in the new thread", "grad_mode.py docstring; c10 GradMode TLS")
def test_rg__mode_is_thread_local():
    got = []
    with torch.no_grad():
        t = threading.Thread(target=lambda: got.append((leaf(1) * 2).requires_grad))
        t.start(); t.join()
    assert got == [True]


@R("A generator decorated with no_grad runs its body in no_grad but hands back the caller's mode at each yield.", "caller sees grad enabled, body sees disabled", "torch/utils/_contextlib.py _wrap_generator")
def test_rg__no_grad_generator():
    seen = []

    @torch.no_grad()
    def g():
        seen.append(torch.is_grad_enabled()); yield 1
        seen.append(torch.is_grad_enabled()); yield 2
    outer = [torch.is_grad_enabled() for _ in g()]
    assert seen == [False, False] and outer == [True, True]


@R("Module.eval() has nothing to do with gradients.", "True", "autograd.rst Evaluation Mode")
def test_rg__eval_mode_irrelevant():
    m = torch.nn.Linear(2, 1).eval()
    assert m(torch.ones(1, 2)).requires_grad


@R("requires_grad_() (method) on a non-leaf that already requires grad is a no-op; assigning the attribute y.requires_grad = True on the same tensor is an error.", "method returns self; attribute: RuntimeError: you can only change requires_grad flags of leaf variables.", "python_variable.cpp THPVariable_set_requires_grad; variable.cpp requires_grad_")
def test_rg__set_true_on_nonleaf_method_vs_attribute():
    y = leaf(1) * 2
    fn = y.grad_fn
    assert y.requires_grad_() is y and y.grad_fn is fn
    with err("you can only change requires_grad flags of leaf variables"):
        y.requires_grad = True


@R("Setting requires_grad=False on a non-leaf is an error that advises detach().", "RuntimeError: you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().", "utils/error_messages.h; variable.cpp requires_grad_")
def test_rg__set_false_on_nonleaf_error():
    y = leaf(1) * 2
    with err("you can only change requires_grad flags of leaf variables.*var_no_grad = var.detach"):
        y.requires_grad_(False)
    with err("you can only change requires_grad flags of leaf variables"):
        y.requires_grad = False


@R("Turning a tensor's flag on after forward does not add it to the already recorded graph.", "grad None after backward", "graph is built at forward time")
def test_rg__flag_on_after_forward():
    c, w = T(2), leaf(3)
    y = (c * w).sum()
    c.requires_grad_()
    y.backward()
    assert c.grad is None
    with err(E_UNUSED):
        grad((c.detach() * w).sum(), c)


@R("An in-place op with a requires-grad operand turns a plain tensor into a non-leaf that requires grad.", "True, is_leaf False, grad_fn AddBackward0", "VariableTypeUtils.h rebase_history")
def test_rg__inplace_gains_grad():
    y = torch.zeros(1, dtype=torch.float64)
    y.add_(leaf(1))
    assert y.requires_grad and not y.is_leaf and y.grad_fn.name() == "AddBackward0"


@R("Slice assignment of a requires-grad value makes the whole destination require grad through CopySlices.", "y.grad_fn CopySlices, value gets 1", "functions/tensor.cpp CopySlices")
def test_rg__setitem_gains_grad():
    x, y = sc(5), torch.zeros(3, dtype=torch.float64)
    y[1] = x
    assert y.requires_grad and type(y.grad_fn).__name__ == "CopySlices"
    y.sum().backward()
    assert x.grad == 1


@R("copy_ and fill_ with a requires-grad source also make the destination require grad.", "CopyBackwards / FillBackward1, grads 1 and numel", "VariableTypeManual.cpp copy_; derivatives.yaml fill_")
def test_rg__copy_and_fill_gain_grad():
    x = sc(5)
    y = torch.zeros(3, dtype=torch.float64).fill_(x)
    assert y.requires_grad and eq(grad(y.sum(), x)[0], 3.0)
    z = torch.zeros(3, dtype=torch.float64).copy_(x)
    assert type(z.grad_fn).__name__ == "CopyBackwards" and eq(grad(z.sum(), x)[0], 3.0)


@R("copy_ of a float requires-grad source into an integer destination does not make the destination require grad.", "False", "VariableTypeManual.cpp copy_: isDifferentiableType(self)")
def test_rg__copy_into_int_no_grad():
    y = torch.zeros(2, dtype=torch.int64)
    y.copy_(leaf(1, 2))
    assert not y.requires_grad and y.tolist() == [1, 2]


@R("Under no_grad an in-place op with a requires-grad operand leaves the destination's flag alone.", "False", "GradMode check in compute_requires_grad")
def test_rg__inplace_under_no_grad_no_flag():
    y = torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        y.add_(leaf(1))
    assert not y.requires_grad and y.is_leaf


@R("Overwriting a non-leaf completely (zero_, fill_, copy_ of a constant) does not clear requires_grad; its upstream now gets a zero gradient, not None.", "requires_grad True, x.grad zeros", "derivatives.yaml zero_/fill_/copy_")
def test_rg__overwrite_keeps_flag():
    for op in (lambda t: t.zero_(), lambda t: t.fill_(3.0), lambda t: t.copy_(T(7))):
        x = leaf(2)
        y = op(x * 1)
        assert y.requires_grad
        y.sum().backward()
        assert eq(x.grad, [0.0])


@R("out= with any input that requires grad is an error in grad mode.", "RuntimeError: add(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.", "VariableTypeUtils.h throw_error_out_requires_grad")
def test_rg__out_input_error():
    with err("functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad"):
        torch.add(leaf(1), 1, out=torch.zeros(1, dtype=torch.float64))


@R("out= with a destination that itself requires grad is an error too, even if no input does.", "same RuntimeError", "VariableType out= kernels")
def test_rg__out_dest_error():
    with err("functions with out=... arguments don't support"):
        torch.add(T(1), 1, out=leaf(1))


@R("clone() is differentiable: it requires grad and is a non-leaf; torch.tensor(t) copies and detaches with a UserWarning; torch.as_tensor(t) returns t itself.", "as stated", "tensor_new.cpp; derivatives.yaml clone")
def test_rg__clone_vs_tensor_ctor():
    x = leaf(1)
    assert x.clone().requires_grad and not x.clone().is_leaf
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        t = torch.tensor(x)
    assert not t.requires_grad
    assert torch.as_tensor(x) is x


@R("Building a tensor from a list of requires-grad scalars detaches them; torch.stack keeps the graph.", "tensor([...]) False, stack True", "tensor_new.cpp (reads items)")
def test_rg__list_ctor_detaches():
    a, b = sc(1), sc(2)
    with no_warn():
        assert not torch.tensor([a, b]).requires_grad
    assert torch.stack([a, b]).requires_grad


@R("numpy() on a tensor that requires grad is an error; tolist() and item() are not.", "RuntimeError: Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.", "torch/csrc/utils/tensor_numpy.cpp")
def test_rg__numpy_error():
    x = leaf(1)
    with err(r"Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
    with err(r"Can't call numpy\(\) on Tensor that requires grad"):
        np.asarray(x)
    assert x.item() == 1.0 and x.tolist() == [1.0] and x.numpy(force=True)[0] == 1.0


@R("float(t) of a requires-grad tensor works but warns that the graph is left.", "UserWarning: Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior", "aten/native/Scalar.cpp item / python conversion")
def test_rg__float_conversion_warns():
    import subprocess, sys
    code = ("import torch,warnings\nwarnings.simplefilter('always')\n"
            "x=torch.tensor(1.5,requires_grad=True)\n"
            "with warnings.catch_warnings(record=True) as w:\n  warnings.simplefilter('always'); float(x)\n"
            "print([str(i.message)[:60] for i in w])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "Converting a tensor with requires_grad=True to a scalar" in out


@R("deepcopy works for leaves (keeping flag and a copied .grad) and is refused for non-leaves.", "RuntimeError: Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.", "torch/_tensor.py __deepcopy__")
def test_rg__deepcopy():
    x = leaf(1)
    x.grad = T(4)
    c = copy.deepcopy(x)
    assert c.requires_grad and eq(c.grad, [4.0]) and c.grad is not x.grad
    with err("Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)


@R("Module.requires_grad_(False) freezes all parameters; a frozen layer in the middle still passes gradient to the layers before it.", "frozen grads None, earlier layer gets a grad", "autograd.rst Setting requires_grad")
def test_rg__frozen_middle_layer():
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1).requires_grad_(False)
    b(a(torch.ones(1, 2))).sum().backward()
    assert a.weight.grad is not None and b.weight.grad is None and b.bias.grad is None


@R("inference_mode results do not require grad and are 'inference tensors' without a version counter.", "is_inference True; _version raises RuntimeError: Inference tensors do not track version counter", "InferenceMode; saved_variable/variable headers")
def test_rg__inference_tensor():
    x = leaf(1)
    with torch.inference_mode():
        y = x * 2
    assert y.is_inference() and not y.requires_grad
    with err("Inference tensors do not track version counter"):
        y._version


@R("An inference tensor may be used in grad mode as long as no op needs to save it: add works, mul that saves it does not.", "RuntimeError: Inference tensors cannot be saved for backward", "saved_variable.cpp Note [Inference tensor cannot be saved for backward]")
def test_rg__inference_saved_error():
    with torch.inference_mode():
        c = T(3)
    x = leaf(2)
    (x + c).sum().backward()
    assert eq(x.grad, [1.0])
    with err("Inference tensors cannot be saved for backward"):
        x * c


@R("Setting requires_grad=True on an inference tensor outside inference mode is an error.", "RuntimeError: Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.", "TensorImpl::set_requires_grad")
def test_rg__inference_set_flag_error():
    with torch.inference_mode():
        c = T(3)
    with err("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed"):
        c.requires_grad_()


@R("A normal tensor can be modified in place inside inference mode, and its version counter is bumped.", "version +1", "InferenceMode semantics (normal tensor inplace)")
def test_rg__inference_normal_inplace_bumps():
    t = T(1)
    v = t._version
    with torch.inference_mode():
        t.add_(1)
    assert t._version == v + 1 and not t.is_inference()


@R("Python-scalar arithmetic keeps requires_grad; a 0-dim constant tensor behaves like any other constant.", "True", "binary ops")
def test_rg__scalar_arith():
    x = leaf(1)
    assert all(t.requires_grad for t in (2 * x, x ** 2, 1 / x, x - T(1)[0], -x, abs(x)))


# =====================================================================================================
# AREA leaf : leaves, AccumulateGrad, .grad
# =====================================================================================================


@R("A leaf used n times in one graph receives the sum of its n contributions in one accumulation.", "x*x+3*x at 2 -> 7; post-accumulate hook fires once", "engine.cpp InputBuffer accumulate")
def test_leaf__used_many_times():
    x, n = leaf(2), []
    x.register_post_accumulate_grad_hook(lambda t: n.append(1))
    (x * x + 3 * x).sum().backward()
    assert eq(x.grad, [7.0]) and n == [1]


@R("A leaf outside the graph keeps .grad None; a leaf reached with zero sensitivity gets zeros.", "None vs [0.]", "engine: undefined vs defined grads")
def test_leaf__unused_none_vs_zero():
    x, u = leaf(1), leaf(1)
    (x * 0).sum().backward()
    assert eq(x.grad, [0.0]) and u.grad is None


@R("After a plain backward .grad does not require grad and has no grad_fn.", "False, None", "GradMode disabled when create_graph=False")
def test_leaf__grad_is_plain():
    x = leaf(3); (x * x).sum().backward()
    assert not x.grad.requires_grad and x.grad.grad_fn is None


@R("With create_graph=True accumulation is out of place: .grad becomes a new tensor and the earlier one keeps its value.", "x.grad is not g; g unchanged", "accumulate_grad.h Case 3")
def test_leaf__create_graph_accumulation_out_of_place():
    x = leaf(3); (x * x).sum().backward()
    g = x.grad
    with no_warn():
        (x * x).sum().backward(create_graph=True)
    assert x.grad is not g and eq(g, [6.0]) and eq(x.grad, [12.0]) and x.grad.requires_grad


@R("If user code keeps a reference to the incoming gradient (from a hook), the leaf stores a copy instead of stealing it.", "hooked tensor and x.grad do not share memory", "accumulate_grad.h use_count check")
def test_leaf__held_gradient_is_copied():
    x, held = leaf(1, 2), []
    x.register_hook(lambda g: held.append(g))
    (x * 3).sum().backward()
    assert held[0].data_ptr() != x.grad.data_ptr()
    held[0].zero_()
    assert eq(x.grad, [3.0, 3.0])


@R(".grad may be assigned; the assigned object itself is stored (identity), and the next backward adds into it in place.", "x.grad is g; g mutated", "python_variable.cpp THPVariable_set_grad")
def test_leaf__assigned_grad_is_mutated():
    x, g = leaf(1), T(10)
    x.grad = g
    assert x.grad is g
    (2 * x).sum().backward()
    assert x.grad is g and eq(g, [12.0])


@R("Assigning a .grad on another device is an error.", "RuntimeError naming both devices", "python_variable.cpp THPVariable_set_grad")
def test_leaf__assign_wrong_device():
    x = leaf(1, 2)
    with err("device"):
        x.grad = torch.ones(2, dtype=torch.float64, device="meta")


@R("Assigning a non-tensor to .grad is a TypeError.", "TypeError: assigned grad expected to be a Tensor or None but got grad of type", "python_variable.cpp")
def test_leaf__assign_non_tensor():
    x = leaf(1)
    with err("assigned grad expected to be a Tensor or None", TypeError):
        x.grad = 1.0


@R("A tensor cannot be its own gradient.", "RuntimeError: can't assign Variable as its own grad", "python_variable.cpp")
def test_leaf__assign_self():
    x = leaf(1)
    with err("can't assign Variable as its own grad"):
        x.grad = x


@R("Assigning None and deleting both reset .grad.", "None", "python_variable.cpp")
def test_leaf__reset_grad():
    x = leaf(1); x.sum().backward(); x.grad = None
    assert x.grad is None
    x.sum().backward(); del x.grad
    assert x.grad is None


@R("In-place edits of .grad between backwards (clipping, zeroing) persist: the next backward adds to the edited value.", "0 + 2 = 2", "accumulate_grad.h")
def test_leaf__user_edit_between():
    x = leaf(1); (2 * x).sum().backward(); x.grad.zero_(); (2 * x).sum().backward()
    assert eq(x.grad, [2.0])


@R("zero_grad(set_to_none=False) zeroes the same tensor in place, and cuts its graph if it has one.", "same object, zeros, no grad_fn", "torch/nn/modules/module.py zero_grad")
def test_leaf__zero_grad_in_place():
    m = torch.nn.Linear(1, 1, bias=False)
    with no_warn():
        (m(torch.ones(1, 1)) ** 2).sum().backward(create_graph=True)
    g = m.weight.grad
    assert g.requires_grad
    m.zero_grad(set_to_none=False)
    assert m.weight.grad is g and not g.requires_grad and g.item() == 0


@R("Reading .grad of a non-leaf that does not retain grad gives None and a UserWarning.", "UserWarning: The .grad attribute of a Tensor that is not a leaf Tensor is being accessed", "TensorBody.h grad(); python_variable.cpp")
def test_leaf__nonleaf_grad_warns():
    y = leaf(1) * 2
    y.sum().backward()
    with pytest.warns(UserWarning, match="grad attribute of a Tensor that is not a leaf Tensor is being accessed"):
        assert y.grad is None


@R("Gradients of non-leaves are not kept: the gradient tensor that flowed through an intermediate dies with the backward call.", "weakref dead", "engine.cpp (grads moved node to node)")
def test_leaf__nonleaf_grads_not_stored():
    x, refs = leaf(1, 2), []
    y = x * 2; z = (y * 3).sum()
    y.register_hook(lambda g: refs.append(weakref.ref(g)) and None)
    z.backward(); gc.collect()
    assert refs[0]() is None


@R("retain_grad() makes a non-leaf keep its gradient; retains_grad reports it.", "y.grad [3.]", "variable.cpp VariableHooks::retain_grad")
def test_leaf__retain_grad():
    y = leaf(1) * 2
    assert not y.retains_grad
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.retains_grad and eq(y.grad, [3.0])


@R("retain_grad() on a leaf is a silent no-op (retains_grad stays False).", "no error", "variable.cpp retain_grad")
def test_leaf__retain_grad_on_leaf():
    x = leaf(1); x.retain_grad()
    assert x.retains_grad is False
    x.sum().backward(); assert eq(x.grad, [1.0])


@R("retain_grad() on a tensor that does not require grad is an error.", "RuntimeError: can't retain_grad on Tensor that has requires_grad=False", "variable.cpp retain_grad")
def test_leaf__retain_grad_error():
    with err("can't retain_grad on Tensor that has requires_grad=False"):
        T(1).retain_grad()


@R("retain_grad twice is idempotent, and repeated backwards accumulate into the non-leaf's .grad out of place (a new tensor each time).", "3 then 6, new object, old one unchanged", "variable.cpp retain_grad_hook: var.grad() + grad")
def test_leaf__retain_grad_accumulates_out_of_place():
    y = leaf(1) * 2
    y.retain_grad(); y.retain_grad()
    z = (y * 3).sum(); z.backward(retain_graph=True)
    g = y.grad
    z.backward()
    assert eq(y.grad, [6.0]) and y.grad is not g and eq(g, [3.0])


@R("retain_grad must be called before backward; calling it on the result of an already finished backward gives None.", "None", "hook-based")
def test_leaf__retain_grad_too_late():
    y = leaf(1) * 2
    y.sum().backward(retain_graph=True)
    y.retain_grad()
    with no_warn():
        assert y.grad is None


@R("backward(inputs=[non_leaf]) accumulates into that non-leaf's .grad and leaves the leaves untouched.", "y.grad [3.], x.grad None", "engine.cpp captures; python_engine.cpp retain_grad on inputs")
def test_leaf__backward_inputs_nonleaf():
    x = leaf(1); y = x * 2
    (y * 3).sum().backward(inputs=[y])
    with no_warn():
        assert eq(y.grad, [3.0]) and x.grad is None


@R("backward(inputs=[]) is an error.", "RuntimeError: `inputs` argument to `backward()` cannot be empty.", "torch/autograd/__init__.py")
def test_leaf__backward_inputs_empty():
    with err(r"`inputs` argument to `backward\(\)` cannot be empty"):
        leaf(1).sum().backward(inputs=[])


@R("backward(inputs=[unreachable]) is silently accepted and leaves its .grad None (grad() would raise).", "None, no error", "allow_unreachable=True in backward")
def test_leaf__backward_inputs_unreachable():
    x, u = leaf(1), leaf(1)
    x.sum().backward(inputs=[u])
    assert u.grad is None and x.grad is None


@R("backward accepts a single tensor, a sequence or (2.13) a dict of named tensors as inputs; other Mapping types are refused.", "TypeError for Mapping", "torch/autograd/__init__.py backward (2.13)")
def test_leaf__backward_inputs_kinds():
    import collections
    a, b = leaf(2), leaf(3)
    (a * b).sum().backward(inputs=a); assert eq(a.grad, [3.0])
    (a * b).sum().backward(inputs={"b": b}); assert eq(b.grad, [2.0])
    with err("must be a dict", TypeError):
        (a * b).sum().backward(inputs=collections.ChainMap({"b": b}))


@R("Listing the same tensor twice in backward(inputs=) accumulates its gradient once.", "3, not 6", "exec_info keyed by node")
def test_leaf__backward_inputs_duplicate():
    a = leaf(2)
    (a * 3).sum().backward(inputs=[a, a])
    assert eq(a.grad, [3.0])


@R("AccumulateGrad is the node behind a leaf: next_functions ends in it, its .variable is the leaf, and all uses in a live graph share one node.", "same node for both uses", "functions/accumulate_grad.h; variable.cpp grad_accumulator")
def test_leaf__accumulate_grad_node():
    x = leaf(1)
    y, z = x * 2, x + 1
    n1, n2 = y.grad_fn.next_functions[0][0], z.grad_fn.next_functions[0][0]
    assert n1 is n2 and type(n1).__name__ == "AccumulateGrad" and n1.variable is x and n1.next_functions == ()


@R("backward called inside no_grad works as usual: the engine sets its own grad mode.", "x.grad set", "engine.cpp AutoGradMode(create_graph)")
def test_leaf__backward_inside_no_grad():
    x = leaf(2); y = (x * x).sum()
    with torch.no_grad():
        y.backward()
    assert eq(x.grad, [4.0])


@R("backward called inside inference_mode on a graph recorded outside works and gives an ordinary gradient value.", "x.grad [4.]", "engine thread-local state")
def test_leaf__backward_inside_inference_mode():
    x = leaf(2); y = (x * x).sum()
    with torch.inference_mode():
        y.backward()
    assert eq(x.grad.clone(), [4.0])


@R("A scalar leaf is a valid root: x.backward() gives itself gradient 1, again accumulating.", "1 then 2", "engine: root edge is AccumulateGrad")
def test_leaf__leaf_as_root():
    x = sc(5); x.backward(); assert x.grad == 1
    x.backward(); assert x.grad == 2


@R("A leaf receives its gradient in its own dtype and shape whatever happened downstream (promotion, broadcasting).", "float32, shape (3,1)", "engine.cpp validate_outputs; reduce_grad")
def test_leaf__grad_matches_leaf_meta():
    x = torch.ones(3, 1, requires_grad=True)
    (x * torch.ones(4, dtype=torch.float64)).sum().backward()
    assert x.grad.dtype == torch.float32 and x.grad.shape == (3, 1) and eq(x.grad, torch.full((3, 1), 4.0))


@R("grad_dtype (new in 2.9+) exposes the dtype .grad will have; it defaults to the tensor's dtype and can be set only on leaves.", "x.grad_dtype float32; non-leaf RuntimeError: grad_dtype can only be set on leaf tensors.", "variable.cpp set_grad_dtype; torch/_tensor_docs")
def test_leaf__grad_dtype():
    x = torch.ones(2, requires_grad=True)
    assert x.grad_dtype == torch.float32
    x.grad_dtype = torch.float64
    (x * 2).sum().backward()
    assert x.grad.dtype == torch.float64
    with err("grad_dtype can only be set on leaf tensors"):
        (x * 2).grad_dtype = torch.float64


@R("A zero-element leaf gets an empty .grad, not None.", "shape (0,)", "engine")
def test_leaf__zero_numel():
    x = torch.zeros(0, requires_grad=True)
    x.sum().backward()
    assert x.grad is not None and x.grad.shape == (0,)


@R("backward(inputs=[non_leaf]) has the side effect of turning retain_grad on for that non-leaf.", "y.retains_grad True afterwards", "python_engine.cpp THPEngine_run_backward")
def test_leaf__backward_inputs_turns_on_retain_grad():
    y = leaf(1) * 2
    (y * 3).sum().backward(inputs=[y])
    assert y.retains_grad is True


@R("A gradient produced by a backward that ran inside inference_mode is an inference tensor, so the next ordinary backward cannot accumulate into it.", "x.grad.is_inference() True; then RuntimeError: Inplace update to inference tensor outside InferenceMode", "engine runs under the caller's TLS")
def test_leaf__inference_grad_poisons_accumulation():
    x = leaf(2); y = (x * x).sum()
    with torch.inference_mode():
        y.backward()
    assert x.grad.is_inference()
    with err("Inplace update to inference tensor outside InferenceMode"):
        (x * x).sum().backward()


@R("A parameter shared by two modules is one leaf: its gradient is the sum over both uses.", "sum", "AccumulateGrad shared")
def test_leaf__shared_parameter():
    w = torch.nn.Parameter(T(3))
    (w * 2).sum().backward(); g1 = w.grad.clone(); w.grad = None
    (w * 2 + w * 5).sum().backward()
    assert eq(g1, [2.0]) and eq(w.grad, [7.0])


@R("Embedding with sparse=True gives the weight a sparse .grad; a later dense contribution makes it dense.", "is_sparse True then False", "accumulate_grad.h Case 2.1")
def test_leaf__sparse_then_dense():
    w = torch.ones(4, 2, requires_grad=True)
    F.embedding(torch.tensor([1, 1]), w, sparse=True).sum().backward()
    assert w.grad.is_sparse
    w.sum().backward()
    assert not w.grad.is_sparse and eq(w.grad[1], torch.tensor([3.0, 3.0]))


@R("Accumulation of a dense gradient followed by a sparse one stays dense and in place.", "same dense object", "accumulate_grad.h Case 2.3")
def test_leaf__dense_then_sparse():
    w = torch.ones(4, 2, requires_grad=True)
    w.sum().backward(); g = w.grad
    F.embedding(torch.tensor([1]), w, sparse=True).sum().backward()
    assert w.grad is g and eq(g[1], torch.tensor([2.0, 2.0]))


@R("Gradients are summed in the graph, so opposite uses cancel to exact zeros, not None.", "[0.]", "InputBuffer")
def test_leaf__cancelling_uses():
    x = leaf(2); (x - x).sum().backward(); assert eq(x.grad, [0.0])


@R("Assigning a .grad that itself requires grad is allowed; plain accumulation then adds into it in place even though it is a leaf.", "x.grad is g, value updated", "engine runs with grad mode off")
def test_leaf__assigned_grad_requiring_grad():
    x, g = leaf(1), leaf(10)
    x.grad = g
    (2 * x).sum().backward()
    assert x.grad is g and eq(g, [12.0]) and g.requires_grad

# =====================================================================================================
# AREA root : what may be a backward root
# =====================================================================================================


@R("A zero-element root also needs an explicit gradient (numel 0 is not 1); with an empty gradient it works and yields zeros.", "RuntimeError implicit; explicit ok", "_make_grads numel()==1")
def test_root__empty_root():
    x = leaf(1)
    y = (x * 2)[:0]
    with err(E_SCALAR):
        y.backward()
    y.backward(torch.zeros(0, dtype=torch.float64))
    assert eq(x.grad, [0.0])


@R("The explicit gradient must have exactly the root's shape; it is not broadcast, not even (1,) for ().", "RuntimeError: Mismatch in shape: grad_output[0] has a shape of torch.Size([1]) and output[0] has a shape of torch.Size([]).", "_make_grads")
def test_root__gradient_shape_mismatch():
    x = leaf(1, 2)
    with err(r"Mismatch in shape: grad_output\[0\] has a shape of torch.Size\(\[3\]\) and output\[0\] has a shape of torch.Size\(\[2\]\)"):
        (x * 2).backward(T(1, 1, 1))
    with err("Mismatch in shape"):
        (x * 2).sum().backward(T(1))
    with err("Mismatch in shape"):
        (x * 2).backward(torch.ones(1, 2, dtype=torch.float64))


@R("An explicit gradient of another real dtype is cast to the root's dtype.", "float32 gradient accepted for a float64 root, and vice versa", "engine.cpp validate_outputs (grad.to)")
def test_root__gradient_dtype_cast():
    x = leaf(1, 2)
    (x * 2).backward(torch.ones(2, dtype=torch.float32))
    assert eq(x.grad, [2.0, 2.0]) and x.grad.dtype == torch.float64
    w = torch.ones(2, requires_grad=True)
    (w * 2).backward(torch.ones(2, dtype=torch.float64))
    assert w.grad.dtype == torch.float32


@R("An integer explicit gradient is accepted and cast.", "grad 2*3", "engine.cpp validate_outputs")
def test_root__gradient_int():
    x = leaf(1, 2)
    (x * 2).backward(torch.tensor([3, 4]))
    assert eq(x.grad, [6.0, 8.0])


@R("Real and complex must match between root and gradient.", "RuntimeError: For complex Tensors, both grad_output and output are required to have the same dtype", "_make_grads")
def test_root__gradient_complex_mismatch():
    x = leaf(1)
    with err("For complex Tensors, both grad_output and output are required to have the same dtype"):
        (x * 2).backward(torch.ones(1, dtype=torch.complex128))


@R("A root that does not require grad is an error.", "RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn", "python_engine.cpp THPEngine_run_backward")
def test_root__not_requiring_grad():
    with err(E_NOGRAD):
        T(1).sum().backward()
    with err(E_NOGRAD):
        (leaf(1) * 2).detach().sum().backward()


@R("With several roots the error names the first offending position.", "element 1 of tensors does not require grad", "python_engine.cpp")
def test_root__second_root_constant():
    with err("element 1 of tensors does not require grad"):
        torch.autograd.backward([leaf(1).sum(), T(1).sum()])


@R("Several roots are summed: backward([y, z]) equals (y+z).backward().", "2 + 3", "engine.cpp GraphRoot")
def test_root__multiple_roots_sum():
    x = leaf(1)
    torch.autograd.backward([(2 * x).sum(), (3 * x).sum()])
    assert eq(x.grad, [5.0])


@R("backward of an empty list of roots is accepted and does nothing.", "no error", "engine: no roots")
def test_root__empty_list():
    assert torch.autograd.backward([]) is None


@R("backward returns None.", "None", "torch/_tensor.py")
def test_root__returns_none():
    assert leaf(1).sum().backward() is None


@R("The explicit gradient tensor is never modified.", "unchanged, version unchanged", "engine")
def test_root__gradient_not_modified():
    x, g = leaf(1, 2), T(1, 1)
    v = g._version
    y = x * 2; z = y + x
    z.backward(g)
    assert eq(g, [1.0, 1.0]) and g._version == v


@R("A view may be a root; gradients of the untouched part are zero.", "[0, 2]", "select backward")
def test_root__view_root():
    x = leaf(1, 2); (2 * x)[1].backward(); assert eq(x.grad, [0.0, 2.0])


@R("A root whose whole graph is a no-op still works: the root may be the leaf's alias, clone or view.", "ones", "engine")
def test_root__trivial_graphs():
    for f in (lambda t: t.clone(), lambda t: t.view(1), lambda t: t.expand(1), lambda t: t[...]):
        x = leaf(1); f(x).backward(); assert eq(x.grad, [1.0])


@R("A GradientEdge can stand for a root or an input.", "x.grad / gradient equal to using the tensor", "torch/autograd/graph.py get_gradient_edge")
def test_root__gradient_edge():
    x = leaf(2); y = x * x; s = y.sum()
    e = get_gradient_edge(s)
    g, = grad(e, x, retain_graph=True)
    assert eq(g, [4.0])
    gy, = grad(s, get_gradient_edge(y), retain_graph=True)
    assert eq(gy, [1.0])
    torch.autograd.backward(e); assert eq(x.grad, [4.0])


@R("get_gradient_edge of a tensor that does not require grad is an error.", "RuntimeError: It is not possible to get the gradient edge for a Tensor that does not require gradients", "torch/autograd/graph.py")
def test_root__gradient_edge_error():
    with err("not possible to get the gradient edge"):
        get_gradient_edge(T(1))


@R("Tensor.backward and autograd.backward inside a functorch transform are refused.", "RuntimeError: backward() called inside a functorch transform", "torch/autograd/__init__.py")
def test_root__inside_functorch():
    def f(t):
        y = (t * t).sum(); y.backward(); return y
    with err("backward\\(\\) called inside a functorch transform"):
        torch.func.grad(f)(T(1))


@R("An explicit stride-0 (expanded) gradient is accepted and .grad is dense.", "dense", "layout contract")
def test_root__expanded_gradient():
    x = leaf(1, 2, 3)
    x.backward(T(1).expand(3))
    assert eq(x.grad, [1.0, 1.0, 1.0]) and x.grad.stride() == (1,)


@R("If y is modified in place after z was computed from it, z remains a valid root of the old history while y is a root of the new one.", "dz/dx=2 (old y), dy/dx=3*2", "grad_fn replaced on the tensor, not in the graph")
def test_root__root_after_inplace():
    x = leaf(1); y = x * 2; z = y + 0
    y.mul_(3)
    assert eq(grad(z.sum(), x, retain_graph=True)[0], [2.0]) and eq(grad(y.sum(), x)[0], [6.0])

# =====================================================================================================
# AREA life : graph lifetime and buffer freeing
# =====================================================================================================


@R("A graph whose nodes saved no tensors can be differentiated twice without retain_graph.", "add, sub, neg, sum, mean, view, t, cat, stack, clone, expand, slice: no error", "derivatives.yaml: formulas without saved tensors")
def test_life__nothing_saved_twice_ok():
    a, b = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    y = torch.cat([(a + b - a).neg().t().contiguous().view(4), torch.stack([a, b]).reshape(8)[1:].clone()]).mean()
    y.backward(); y.backward()


@R("Dividing by a Python scalar likewise saves the divisor; neg, sum, mean, expand and shape ops do not save tensors.", "x/2 twice raises; -x twice fine", "derivatives.yaml div.Tensor")
def test_life__scalar_div_not_twice():
    x = leaf(1); y = (x / 2).sum(); y.backward()
    with err(E_FREED):
        y.backward()
    z = (-x).mean(); z.backward(); z.backward()


@R("create_graph=True with retain_graph=False frees the forward graph's buffers, so the double backward that needs them fails.", "RuntimeError on second-order grad if its formula needs freed buffers; else fine", "engine.cpp")
def test_life__create_graph_without_retain():
    x = leaf(2); y = (x ** 3).sum()
    g, = grad(y, x, create_graph=True, retain_graph=False)
    assert eq(grad(g.sum(), x)[0], [12.0])
    with err(E_FREED):
        grad(y, x)


@R("Only executed nodes are freed: two heads on a shared trunk; the first backward frees the trunk, so the second head fails.", "RuntimeError", "engine.cpp release_variables per executed node")
def test_life__shared_trunk_freed():
    x = leaf(2); h = x * x; a, b = (h * 2).sum(), (h * 3).sum()
    a.backward()
    with err(E_FREED):
        b.backward()


@R("If the shared trunk saved nothing, both heads can be run separately.", "x.grad 5", "no buffers to free")
def test_life__shared_trunk_saving_nothing():
    x = leaf(2); h = x + 1; a, b = (h * 2).sum(), (h * 3).sum()
    a.backward(); b.backward()
    assert eq(x.grad, [5.0])


@R("grad(z, a) frees only nodes on the path to a: the branch to b still has its buffers afterwards.", "b-branch node's saved tensor still readable; a-branch's not", "engine.cpp exec_info needed_")
def test_life__path_only_freeing():
    a, b = leaf(2), leaf(3)
    fa, fb = a * a, b * b
    z = (fa + fb).sum()
    grad(z, a)
    with err(E_FREED):
        fa.grad_fn._saved_self
    assert eq(fb.grad_fn._saved_self, [3.0])
    assert eq(grad(z, b)[0], [6.0])


@R("A failed second backward leaves already accumulated gradients untouched.", "x.grad stays 4", "exception before AccumulateGrad")
def test_life__failed_second_keeps_grad():
    x = leaf(2); y = (x * x).sum(); y.backward()
    with err(E_FREED):
        y.backward()
    assert eq(x.grad, [4.0])


@R("Backward drops the graph's reference to saved intermediates while the loss stays alive.", "weakref to h dies", "release_variables")
def test_life__saved_intermediate_released():
    x = leaf(2); h = x * 2; y = (h * h).sum()
    r = weakref.ref(h); del h; gc.collect()
    assert r() is not None
    y.backward(); gc.collect()
    assert r() is None


@R("With retain_graph=True the saved intermediate stays alive until the graph itself dies.", "alive, then dead after del y", "keep_graph")
def test_life__retained_intermediate():
    x = leaf(2); h = x * 2; y = (h * h).sum()
    r = weakref.ref(h); del h
    y.backward(retain_graph=True); gc.collect()
    assert r() is not None
    del y; gc.collect()
    assert r() is None


@R("An intermediate that no node saved is freed as soon as the user drops it, before backward.", "dead immediately", "nodes hold no tensors they do not need")
def test_life__unsaved_intermediate_not_kept():
    x = leaf(2); h = x * 2; y = (h + 1).sum()
    r = weakref.ref(h); del h; gc.collect()
    assert r() is None
    y.backward(); assert eq(x.grad, [2.0])


@R("Holding only y.grad_fn keeps the whole upstream graph and its saved tensors alive.", "alive until fn deleted", "Node ownership")
def test_life__grad_fn_keeps_graph():
    x = leaf(2); h = x * 2; y = h * h; fn = y.grad_fn
    r = weakref.ref(h); del h, y; gc.collect()
    assert r() is not None
    del fn; gc.collect()
    assert r() is None


@R("Accumulating a loss tensor across iterations keeps every iteration's graph alive; accumulating loss.item() or loss.detach() does not.", "weakref alive vs dead", "graph chain")
def test_life__running_loss_leak():
    x = leaf(2); refs = []
    total = 0
    for _ in range(2):
        h = x * 2; refs.append(weakref.ref(h)); total = total + (h * h).sum(); del h
    gc.collect(); assert all(r() is not None for r in refs)
    refs.clear(); total = 0.0
    for _ in range(2):
        h = x * 2; refs.append(weakref.ref(h)); total += (h * h).sum().item(); del h
    gc.collect(); assert all(r() is None for r in refs)


@R("backward that raises (a hook error) has already freed the nodes executed before the error: a retry reports the freed graph.", "ValueError, then RuntimeError E_FREED", "engine.cpp")
def test_life__exception_frees_executed_nodes():
    x = leaf(2); h = x * 3; y = (h * h).sum()

    def bad(g):
        raise ValueError("boom")
    hd = h.register_hook(bad)
    with pytest.raises(ValueError, match="boom"):
        y.backward()
    hd.remove()
    with err(E_FREED):
        y.backward()
    assert x.grad is None


@R("A 50 000-node chain neither overflows the stack on backward nor on destruction.", "works", "engine uses a heap queue; function.cpp deleteNode")
def test_life__deep_chain():
    x = leaf(1); y = x
    for _ in range(50_000):
        y = y + 0
    y.sum().backward(); assert eq(x.grad, [1.0])
    z = x
    for _ in range(50_000):
        z = z * 1.0
    del z


@R("A custom Function that only stashes tensors as ctx attributes can be run twice, and keeps them alive.", "no error", "python_function.cpp: only saved_variables are released")
def test_life__ctx_attributes_not_freed():
    class Sq(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.x * g
    x = leaf(2); y = Sq.apply(x); s = y.sum(); s.backward(); s.backward()
    assert eq(x.grad, [8.0])


@R("The version check and the freed check happen at unpack time: a version error on the first pass leaves the buffers in place (the node was not run).", "same version error twice, not the freed error", "saved_variable.cpp unpack before release")
def test_life__version_error_does_not_free():
    x = leaf(2); h = x * 1; y = (h * h).sum(); h.add_(1)
    for _ in range(2):
        with err(E_VER):
            y.backward()


@R("next_functions exposes the graph: one (node, output_nr) pair per tensor input, with (None, 0) for inputs that need no gradient.", "((AccumulateGrad,0),(None,0))", "python_cpp_function.cpp next_functions")
def test_life__next_functions():
    x = leaf(1); y = x * T(2)
    nf = y.grad_fn.next_functions
    assert type(nf[0][0]).__name__ == "AccumulateGrad" and nf[1] == (None, 0)


@R("The leaf, not the node, is the lasting target: each new graph's AccumulateGrad node has .variable is x, and gradients of successive graphs add up in x.grad.", "x.grad 4 after two graphs", "grad_accumulator_ weak_ptr")
def test_life__new_graph_same_target():
    x = leaf(1)
    for _ in range(2):
        y = (x * 2).sum(); assert y.grad_fn.next_functions[0][0].next_functions[0][0].variable is x
        y.backward(); del y; gc.collect()
    assert eq(x.grad, [4.0])


@R("metadata: every node has a dict .metadata and a name(); _sequence_nr increases with creation order in a thread.", "later node has larger number", "node.h sequence_nr; python_cpp_function.cpp")
def test_life__node_metadata():
    x = leaf(1); a = x * 2; b = a * 3
    assert a.grad_fn._sequence_nr() < b.grad_fn._sequence_nr()
    a.grad_fn.metadata["k"] = 1
    assert a.grad_fn.metadata["k"] == 1 and isinstance(a.grad_fn, Node)


@R("Autograd Node subclasses report op names with a disambiguating digit per overload/formula.", "MulBackward0, SumBackward0 / SumBackward1, PowBackward0/1", "gen_autograd_functions naming")
def test_life__node_names():
    x = torch.ones(2, 2, requires_grad=True)
    assert (x * x).grad_fn.name() == "MulBackward0" and x.sum().grad_fn.name() == "SumBackward0"
    assert x.sum(0).grad_fn.name() == "SumBackward1" and (x ** 2).grad_fn.name() == "PowBackward0" and (x ** x).grad_fn.name() == "PowBackward1"

# =====================================================================================================
# AREA detach : detach, detach_, .data
# =====================================================================================================


@R(".data shares storage but not the version counter: writes through it are invisible to x._version, and each .data access starts a counter at 0.", "x._version 0; x.data._version 0", "variable.cpp variable_data(version_counter=0)")
def test_detach__data_has_own_counter():
    x = T(1); d = x.data; d.add_(1)
    assert eq(x, [2.0]) and x._version == 0 and d._version == 1 and x.data._version == 0


@R("Writing in place through a detached alias of a saved tensor is caught at backward.", "RuntimeError version error", "saved_variable.cpp unpack")
def test_detach__inplace_on_detached_caught():
    x = leaf(2); y = (x * x).sum()
    x.detach().add_(1)
    with err(E_VER):
        y.backward()


@R("Writing through .data of a saved tensor is not caught: backward silently uses the new value.", "grad 2*3=6 instead of 4, no error", "version counter not shared")
def test_detach__data_write_silent_wrong():
    x = leaf(2); y = (x * x).sum()
    x.data.add_(1)
    y.backward()
    assert eq(x.grad, [6.0])


@R("A detached tensor is not a tracked view: _is_view() is False and _base is None, although it aliases.", "False, None", "non-differentiable view")
def test_detach__is_not_a_view():
    d = (leaf(1, 2) * 2).detach()
    assert not d._is_view() and d._base is None


@R("Views of a detached tensor have the detached tensor as base, so gradient writes into them do not reach the original's history.", "v._base is d; y.grad_fn unchanged", "as_view")
def test_detach__view_of_detached():
    y = leaf(1, 2) * 2; d = y.detach(); v = d[0]
    fn = y.grad_fn
    v.copy_(sc(9))
    assert v._base is d and d.requires_grad and y.grad_fn is fn and eq(y, [9.0, 4.0])


@R("detach_() turns a non-leaf into a leaf in place and drops its graph; aliases made earlier keep their own history.", "is_leaf, no grad, same object; children recorded before still differentiate", "VariableTypeManual.cpp detach_")
def test_detach__detach_inplace():
    x = leaf(2); y = x * 3; z = (y * 2).sum()
    assert y.detach_() is y and y.is_leaf and not y.requires_grad
    z.backward(); assert eq(x.grad, [6.0])


@R("detach_() on a leaf that requires grad just clears the flag.", "requires_grad False", "VariableTypeManual.cpp detach_")
def test_detach__detach_inplace_leaf():
    x = leaf(1); x.detach_(); assert not x.requires_grad


@R("detach_() on a tensor that another node saved as input makes that node's backward fail.", "RuntimeError: Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()", "saved_variable.cpp unpack")
def test_detach__detach_inplace_on_saved():
    x = leaf(2); h = x * 3; y = (h * h).sum(); h.detach_()
    with err("saved tensor that has been detached in-place"):
        y.backward()


@R("detach_() does not bump the version counter.", "unchanged", "no data written")
def test_detach__detach_inplace_no_bump():
    y = leaf(1) * 2; v = y._version; y.detach_(); assert y._version == v


@R("x.data of a saved tensor replaced wholesale is not noticed either: backward sees the new data if the node saved x itself.", "grad 2*10", "SavedVariable saved_original_ holds the same impl")
def test_detach__set_data_silent():
    x = leaf(2); y = (x * x).sum(); x.data = T(10)
    y.backward(); assert eq(x.grad, [20.0])


@R("Changing an output through detach() is caught when the op saved its output (sigmoid), and harmless when it saved nothing (add).", "error for sigmoid, fine for add", "shared counter")
def test_detach__inplace_on_detached_output():
    x = leaf(1); s = torch.sigmoid(x); s.detach().zero_()
    with err(E_VER):
        s.sum().backward()
    a = x + 1; a.detach().zero_(); a.sum().backward(); assert eq(x.grad, [1.0])


@R("Writing through numpy (x.detach().numpy()) shares memory and is invisible to the version counter.", "silent wrong gradient", "no bump outside dispatcher")
def test_detach__numpy_write_silent():
    x = leaf(2); y = (x * x).sum(); x.detach().numpy()[0] = 5
    assert x._version == 0
    y.backward(); assert eq(x.grad, [10.0])


@R("from_numpy tensors share memory with the array; array writes are invisible.", "silent", "no bump")
def test_detach__from_numpy_write_silent():
    a = np.array([2.0]); c = torch.from_numpy(a); x = leaf(3); y = (c * x).sum(); a[0] = 7
    y.backward(); assert eq(x.grad, [7.0]) and c._version == 0


@R("A DLPack import shares memory but not the version counter.", "x._version 0 after write", "from_dlpack creates a fresh tensor")
def test_detach__dlpack_write_silent():
    x = T(2); d = torch.from_dlpack(x); d.add_(1)
    assert eq(x, [3.0]) and x._version == 0


@R("Storage-level writes do not bump versions.", "0", "storage API")
def test_detach__storage_write_silent():
    x = T(2); x.untyped_storage().fill_(0); assert x._version == 0 and eq(x, [0.0])


@R("set_() that repoints the storage bumps the version.", "+1", "set_ is in-place op")
def test_detach__set_source_bumps():
    x = T(1); v = x._version; x.set_(T(5)); assert x._version == v + 1


@R("detach() shares with a view's base: detaching a view keeps the counter of the whole family.", "base counter bumped", "shared counter")
def test_detach__detach_of_view_shares_family_counter():
    b = T(1, 2); d = b[0].detach(); d.add_(1); assert b._version == 1


@R("Detaching inside the graph between two stages lets them be differentiated separately by hand (grad of the cut tensor fed back).", "same gradient as the uncut graph", "manual pipeline cut")
def test_detach__manual_cut():
    x = leaf(2); h = x * x; d = h.detach().requires_grad_(); (d * 3).sum().backward(); h.backward(d.grad)
    assert eq(x.grad, [12.0])


@R("detach() and .data also drop the forward-mode tangent (contrary to the note in variable.h that calls detach a forward view).", "tangent None", "observed in 2.13; cf. variable.h NOTE [ Autograd View Variables ]")
def test_detach__drops_forward_tangent():
    with fwAD.dual_level():
        a = fwAD.make_dual(T(1), T(5))
        assert fwAD.unpack_dual(a.detach()).tangent is None and fwAD.unpack_dual(a.data).tangent is None


# =====================================================================================================
# AREA ver : version counters and saved tensors
# =====================================================================================================

def saved_hit(fn, ins, k, outs=False):
    """True if bumping the version of ins[k] (or output k) after fn makes backward raise the version error."""
    xs = [t.clone() if t.requires_grad else t.detach().clone() for t in ins]
    y = fn(*xs)
    ys = [y] if isinstance(y, torch.Tensor) else list(y)
    increment_version(ys[k] if outs else xs[k])
    ys = [t for t in ys if t.requires_grad]
    try:
        torch.autograd.backward(ys, [torch.ones_like(t) for t in ys])
        return False
    except RuntimeError as e:
        assert "modified by an inplace operation" in str(e), e
        return True


@R("t[i] += v bumps the counter more than once: the in-place op on the view and the write-back are separate.", "+2", "getitem view, iadd, setitem copy")
def test_ver__indexed_augmented_assignment():
    t = T(1, 2, 3); t[0] += 1
    assert t._version == 2


@R("Metadata-only in-place ops (t_, transpose_, squeeze_, unsqueeze_, swapaxes_) also bump the version.", "+1 although no data changed", "inplace view kernels increment_version")
def test_ver__inplace_view_ops_bump():
    for op in (lambda t: t.t_(), lambda t: t.transpose_(0, 1), lambda t: t.unsqueeze_(0), lambda t: t.squeeze_(), lambda t: t.swapaxes_(0, 1)):
        t = torch.ones(2, 3); op(t); assert t._version == 1


@R("out= writes bump the destination's version.", "+1", "out kernels")
def test_ver__out_bumps():
    o = T(0); torch.add(T(1), T(2), out=o); assert o._version == 1


@R("no_grad does not suppress version bumps.", "+1", "ADInplaceOrView key is active under no_grad")
def test_ver__no_grad_still_bumps():
    x = leaf(1)
    with torch.no_grad():
        x.add_(1)
    assert x._version == 1


@R("The source of a copy_ is not bumped.", "0", "only written tensors")
def test_ver__copy_source_unchanged():
    s = T(1); T(0).copy_(s); assert s._version == 0


@R("An in-place op that changes nothing (add 0, copy of itself, empty tensor, all-False mask) bumps all the same.", "+1", "bump is unconditional")
def test_ver__noop_write_bumps():
    t = T(1); t.add_(0); t.copy_(t.clone()); t.masked_fill_(torch.tensor([False]), 9); assert t._version == 3
    e = torch.zeros(0); e.add_(1); assert e._version == 1


@R("Optimizer steps write parameters in place and bump them; the exact count differs by algorithm (SGD 1).", "SGD 1; others >= 1", "torch/optim")
def test_ver__optimizer_step_bumps():
    for cls in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad):
        p = torch.nn.Parameter(T(1)); p.grad = T(1); cls([p], lr=0.1).step()
        assert p._version >= 1
        if cls is torch.optim.SGD:
            assert p._version == 1


@R("load_state_dict and nn.init write with copy_/fill_ and bump parameters.", "+1", "torch/nn/modules/module.py; init.py")
def test_ver__load_state_dict_and_init_bump():
    m = torch.nn.Linear(1, 1); v = m.weight._version
    m.load_state_dict(m.state_dict()); assert m.weight._version == v + 1
    torch.nn.init.zeros_(m.weight); assert m.weight._version == v + 2


@R("torch.autograd.graph.increment_version bumps by one without touching data; it accepts one tensor or several.", "+1", "torch/autograd/graph.py increment_version")
def test_ver__increment_version_api():
    a, b = T(1), T(2); increment_version(a); increment_version([a, b]); assert (a._version, b._version) == (2, 1)


@R("_unsafe_set_version_counter can move the counter anywhere; a LOWER version is also a mismatch, although the docs say 'greater than'.", "version error with 'is at version 0; expected version 1'", "saved_variable.cpp: saved_version_ != current_version")
def test_ver__lower_version_is_mismatch():
    x = leaf(2); h = x * 1; h.add_(0); y = (h * h).sum()
    torch._C._autograd._unsafe_set_version_counter((h,), (0,))
    with err("is at version 0; expected version 1"):
        y.backward()


@R("_unsafe_preserve_version_counter hides writes made inside it.", "no error, gradient from new data", "torch/autograd/grad_mode.py")
def test_ver__preserve_version_counter():
    x = leaf(2); h = x * 1; y = (h * h).sum()
    with torch.autograd._unsafe_preserve_version_counter(h), torch.no_grad():
        h.fill_(10)
    y.backward(); assert eq(x.grad, [20.0])


@R("Error text for a leaf has no 'which is output' clause.", "[torch.DoubleTensor [1]] is at version 1; expected version 0 instead", "saved_variable.cpp unpack")
def test_ver__error_text_leaf():
    x = leaf(2); y = (x * x).sum()
    with torch.no_grad():
        x.add_(1)
    with err(r"\[torch.DoubleTensor \[1\]\] is at version 1; expected version 0 instead"):
        y.backward()


@R("For a saved output the error names the node that saved it.", "output 0 of Exp", "saved_variable.cpp saved_for")
def test_ver__error_names_saving_node_for_output():
    x = leaf(2); e = x.exp(); s = e.sum(); e.add_(1)
    with err("which is output 0 of Exp(Backward0)?, is at version 1; expected version 0"):
        s.backward()


@R("The check happens in backward when the node unpacks, never at the in-place write.", "write succeeds; backward raises", "saved_variable.cpp unpack")
def test_ver__check_is_at_backward():
    x = leaf(2); h = x * 1; y = (h * h).sum(); h.add_(1)
    with err(E_VER):
        y.backward()


@R("A node outside the executed part of the graph is not checked.", "grad through the untouched branch works", "engine.cpp exec_info")
def test_ver__unused_branch_not_checked():
    a, b = leaf(2), leaf(3); fa, hb = a * a, b * 1; fb = hb * hb; z = (fa + fb).sum(); hb.add_(1)
    assert eq(grad(z, a, retain_graph=True)[0], [4.0])
    with err(E_VER):
        grad(z, b)


@R("Inside one executed node every saved tensor is checked, even those needed only for an input whose gradient nobody asked for.", "grad(y, a) of a*b raises after a was modified, though d/da needs only b", "generated Functions.cpp unpacks all SavedVariables first")
def test_ver__eager_unpack_within_node():
    a, b = leaf(2), leaf(3); ha, hb = a * 1, b * 1; y = (ha * hb).sum(); ha.add_(1)
    with err(E_VER):
        grad(y, a)


@R("The check is per counter, not per element: writing one slice invalidates a saved disjoint slice of the same base.", "error although memory does not overlap", "shared counter is coarse")
def test_ver__disjoint_slices_still_error():
    x = leaf(1, 2, 3, 4); h = x * 1; y = (h[:2] * h[:2]).sum(); h[3] = 0
    with err(E_VER):
        y.backward()


@R("Pieces obtained by clone/contiguous-copy/advanced indexing have their own counters and are unaffected.", "no error", "new storage")
def test_ver__copies_are_independent():
    x = leaf(1, 2, 3, 4); h = x * 1; c = h[[0, 1]]; y = (c * c).sum()
    with torch.no_grad():
        h[3] = 0
    y.backward(); assert eq(x.grad, [2.0, 4.0, 0.0, 0.0])


@R("Ops that save their input: log, sin, cos, abs, square, pow, clamp, gelu, silu, softplus, elu, erf, var.", "bumping the input raises, bumping the output does not", "derivatives.yaml; saved_tensors.tsv")
def test_ver__input_savers():
    x = leaf(0.5, 0.7)
    for f in (torch.log, torch.sin, torch.cos, torch.abs, torch.square, lambda t: t ** 3, lambda t: t.clamp(0, 1), F.gelu, F.silu, F.softplus, F.elu, torch.erf, torch.var):
        assert saved_hit(f, [x], 0) and not saved_hit(f, [x], 0, outs=True)


@R("Ops that save both input and output: prod, cumprod, std, norm, logsumexp, max() and min() without dim, amax.", "both raise", "derivatives.yaml; saved_tensors.tsv")
def test_ver__both_savers():
    x = leaf(0.5, 0.7)
    for f in (torch.prod, lambda t: t.cumprod(0), torch.std, torch.norm, lambda t: t.logsumexp(0), torch.max, torch.min, lambda t: t.amax(0)):
        assert saved_hit(f, [x], 0) and saved_hit(f, [x], 0, outs=True)


@R("div always saves the divisor; it saves the dividend only if the divisor requires grad.", "as stated", "saved_tensors.tsv")
def test_ver__div_conditional_saving():
    a, b, c, d = leaf(2), leaf(3), T(2), T(3)
    f = torch.div
    assert [saved_hit(f, [a, d], 0), saved_hit(f, [a, d], 1)] == [False, True]
    assert [saved_hit(f, [c, b], 0), saved_hit(f, [c, b], 1)] == [True, True]


@R("matmul, mm, bmm, mv, dot, outer save like mul: each operand only for the other's gradient.", "as stated", "saved_tensors.tsv")
def test_ver__matmul_conditional_saving():
    A, B = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2)
    for f in (torch.mm, torch.matmul):
        assert [saved_hit(f, [A, B], 0), saved_hit(f, [A, B], 1)] == [False, True]
        assert [saved_hit(f, [B, A], 0), saved_hit(f, [B, A], 1)] == [True, False]


@R("Not all binary ops are conditional: pow, maximum, minimum, atan2, logaddexp save BOTH operands even if only one requires grad.", "both raise", "saved_tensors.tsv")
def test_ver__unconditional_binary_savers():
    a, d = leaf(2), T(3)
    for f in (torch.pow, torch.maximum, torch.minimum, torch.atan2, torch.logaddexp):
        assert saved_hit(f, [a, d], 0) and saved_hit(f, [a, d], 1)


@R("where and masked_fill save the condition/mask: editing it afterwards is an error.", "error", "saved_tensors.tsv")
def test_ver__mask_is_saved():
    x, m = leaf(1, 2), torch.tensor([True, False])
    assert saved_hit(lambda a, c: torch.where(c, a, a), [x, m], 1) and saved_hit(lambda a, c: a.masked_fill(c, 0.0), [x, m], 1)


@R("Index tensors are saved: editing an index after x[i], index_select, gather or embedding is an error.", "error", "saved_tensors.tsv")
def test_ver__index_is_saved():
    x, i = leaf(1, 2, 3), torch.tensor([0, 2])
    for f in (lambda a, k: a[k], lambda a, k: a.index_select(0, k), lambda a, k: a.gather(0, k), lambda a, k: a.take(k)):
        assert saved_hit(f, [x, i], 1)
    w = torch.ones(3, 2, requires_grad=True)
    assert saved_hit(lambda a, k: F.embedding(k, a), [w, i], 1)


@R("x*x saves x; x**2 saves x; torch.square(x) saves x: none of the spellings escapes the check.", "error for all", "saved_tensors.tsv")
def test_ver__square_spellings():
    x = leaf(2)
    assert all(saved_hit(f, [x], 0) for f in (lambda t: t * t, lambda t: t ** 2, torch.square))


@R("mse_loss saves both operands; l1_loss saves neither (it saves the difference's sign source internally).", "mse: both; l1: none", "saved_tensors.tsv")
def test_ver__loss_saving():
    a, b = leaf(1), T(2)
    assert saved_hit(F.mse_loss, [a, b], 0) and saved_hit(F.mse_loss, [a, b], 1)
    assert not saved_hit(F.l1_loss, [a, b], 0) and not saved_hit(F.l1_loss, [a, b], 1)


@R("Scalars and sizes are saved by value: changing the Python variable later has no effect.", "grad 2", "saved scalars")
def test_ver__scalars_saved_by_value():
    k = 2.0; x = leaf(3); y = (x * k).sum(); k = 100.0; y.backward(); assert eq(x.grad, [2.0])


@R("Editing the constant operand (requires_grad False) of mul between forward and backward is caught just as for a requires-grad one.", "error", "SavedVariable on any tensor")
def test_ver__constant_operand_checked():
    c, x = T(2), leaf(3); y = (c * x).sum(); c.add_(1)
    with err(E_VER):
        y.backward()


@R("Under saved_tensors_hooks the version check is off: if pack returns the tensor itself, a later write gives a silent wrong gradient.", "grad 2*10", "saved_variable.cpp 'Only check version counter in the case without hooks'")
def test_ver__hooks_disable_check():
    x = leaf(2); h = x * 1
    with saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
        y = (h * h).sum()
    h.detach().fill_(10); y.backward(); assert eq(x.grad, [20.0])


@R("If pack clones, the graph is immune to later writes: gradient of the old values, no error.", "grad 4", "saved_variable.cpp hooks")
def test_ver__cloning_hooks_give_immunity():
    x = leaf(2); h = x * 1
    with saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = (h * h).sum()
    h.detach().fill_(10); y.backward(); assert eq(x.grad, [4.0])


@R("Accumulating into .grad bumps the version of .grad, so a graph that used .grad as an operand is invalidated.", "error", "accumulate_grad.h += ")
def test_ver__grad_tensor_version():
    x, w = leaf(2), leaf(3); (2 * x).sum().backward(); y = (x.grad * w).sum(); (2 * x).sum().backward()
    with err(E_VER):
        y.backward()


@R("clip_grad_norm_ and zero_grad(set_to_none=False) bump the version of .grad.", ">=1", "torch/nn/utils/clip_grad.py")
def test_ver__clip_bumps_grad():
    p = torch.nn.Parameter(T(3)); p.grad = T(10); torch.nn.utils.clip_grad_norm_([p], 1.0); assert p.grad._version >= 1


@R("Recurrent state: rebinding h = f(h) is fine; writing each new state into the same buffer invalidates the previous steps' saved tensors.", "rebind: gradient; h.copy_(...): version error", "idiom")
def test_ver__recurrent_overwrite():
    w = leaf(0.5); h = T(1)
    for _ in range(3):
        h = torch.tanh(h * w)
    h.sum().backward(); assert w.grad is not None
    w = leaf(0.5); h = T(1) * w
    for _ in range(3):
        h.copy_(torch.tanh(h * w))
    with err(E_VER):
        h.sum().backward()


@R("Saving is decided when the op runs: tensors that did not require grad then are not saved for a gradient nobody can ask for.", "y has no saved tensors at all", "should_compute_output guards")
def test_ver__nothing_saved_without_grad():
    a, b = T(2), T(3); y = a * b; assert y.grad_fn is None
    a.add_(1)


@R("Under no_grad nothing is saved, so later writes are harmless.", "no error", "grad mode")
def test_ver__no_grad_saves_nothing():
    x = leaf(2)
    with torch.no_grad():
        c = x * x
    y = (c * x).sum()
    y.backward(); assert eq(x.grad, [4.0])


@R("A saved leaf is returned by identity from grad_fn._saved_self; a saved output comes back as another object on the same storage.", "is x; is not y but same data_ptr", "saved_variable.cpp saved_original_; autograd.rst Saved tensors")
def test_ver__saved_identity():
    x = leaf(1); assert (x ** 2).grad_fn._saved_self is x
    y = x.exp(); s = y.grad_fn._saved_result; assert s is not y and s.data_ptr() == y.data_ptr() and s.grad_fn is y.grad_fn


@R("A tensor unpacked from a saved view is not a view any more.", "_is_view False", "saved_variable.cpp NB: saved views are unpacked as normal Variables")
def test_ver__unpacked_output_view_is_not_view():
    x = leaf(1, 2); y = x.exp(); assert not y.grad_fn._saved_result._is_view()


@R("Version errors are raised for the whole backward: leaves reached before the failing node keep their partial gradients.", "a.grad set, b.grad None", "engine order")
def test_ver__partial_gradients_before_error():
    a, b = leaf(1), leaf(2); hb = b * 1; q = hb * hb; p = a * 3; z = (p + q).sum(); hb.add_(1)
    with err(E_VER):
        z.backward()
    assert eq(a.grad, [3.0]) and b.grad is None


@R("Double backward re-checks: tensors saved by the gradient graph are guarded too.", "error in second-order pass", "create_graph graph also uses SavedVariable")
def test_ver__double_backward_checked():
    x = leaf(2); h = x * 1; y = (h ** 3).sum(); g, = grad(y, h, create_graph=True)
    h.detach().add_(1)
    with err(E_VER):
        grad(g.sum(), h)


@R("Index-put style scatter writes into a base bump it once per statement, not per element.", "+1", "one kernel")
def test_ver__one_bump_per_statement():
    t = torch.zeros(100); t[torch.arange(50)] = 1.0; assert t._version == 1


@R("logical and comparison in-place ops on a float non-leaf bump the version, but logical_not_ leaves the old history attached: gradient flows as if nothing happened.", "lt_ gives LtBackward (zero grad); logical_not_ keeps CloneBackward0 (identity grad)", "derivatives.yaml lt_ zeros; logical_not_ has no derivative entry")
def test_ver__logical_inplace_keeps_history():
    x = leaf(2); y = x.clone(); y.lt_(5.0); assert eq(grad(y.sum(), x)[0], [0.0])
    y = x.clone(); y.logical_not_(); assert y._version == 1 and y.grad_fn.name() == "CloneBackward0" and eq(grad(y.sum(), x)[0], [1.0])


@R("A wrong version is reported even for tensors whose value the formula would not have needed (gather's source, avg_pool's input, max_pool's input: only shapes are used).", "error", "saved_tensors.tsv")
def test_ver__needlessly_saved_inputs():
    x = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert saved_hit(lambda t: F.avg_pool2d(t, 2), [x], 0) and saved_hit(lambda t: F.max_pool2d(t, 2), [x], 0) and saved_hit(lambda t: F.pad(t, (1, 1, 1, 1), mode="reflect"), [x], 0) and saved_hit(lambda t: torch.fft.fft(t).abs(), [x], 0)


@R("torch.kron is a hole in the check: it saves _unsafe_view aliases of its operands whose counters are not shared, so overwriting an operand is NOT caught and gives a silently wrong gradient.", "b.grad [200,200] instead of [3,3], no error", "observed; composite kron uses _unsafe_view; saved_tensors.tsv vs _saved_* pointer check")
def test_ver__kron_silent_wrong_gradient():
    a, b = leaf(1, 2), leaf(3, 4); ha = a * 1; y = torch.kron(ha, b).sum(); ha.detach().fill_(100); y.backward(); assert eq(b.grad, [200.0, 200.0])

# =====================================================================================================
# AREA inp : in-place operations and the graph
# =====================================================================================================


@R("In-place on a view of a requires-grad leaf is an error.", "RuntimeError: a view of a leaf Variable that requires grad is being used in an in-place operation.", "VariableTypeUtils.h check_inplace")
def test_inp__view_of_leaf_error():
    for v in (lambda x: x[0], lambda x: x.view(2), lambda x: x[:1], lambda x: x.unsqueeze(0)[0]):
        with err(E_VLEAF):
            v(leaf(1, 2)).mul_(2)


@R("The failing in-place op has no effect: neither data nor version changed.", "value and version intact", "check_inplace runs before the kernel")
def test_inp__failed_inplace_has_no_effect():
    x = leaf(1)
    with err(E_LEAF):
        x.add_(1)
    assert eq(x, [1.0]) and x._version == 0


@R("Under no_grad the same writes to a leaf (or its views) are allowed; the leaf stays a leaf that requires grad.", "ok", "check_inplace GradMode")
def test_inp__leaf_under_no_grad():
    x = leaf(1, 2)
    with torch.no_grad():
        x.add_(1); x[0] = 9
    assert x.is_leaf and x.requires_grad and eq(x, [9.0, 3.0])


@R("In-place on a leaf that does not require grad is free, even while other graphs use it (subject to the version check).", "ok", "check_inplace")
def test_inp__constant_leaf_free():
    c = T(1); c.add_(1); x = leaf(2); y = (c + x).sum(); c.add_(1); y.backward(); assert eq(x.grad, [1.0])


@R("In-place with a requires-grad operand on a requires_grad=False view of a plain base is recorded on the base.", "base becomes non-leaf", "rebase_history CopySlices")
def test_inp__plain_base_gains_history_via_view():
    b = torch.zeros(3, dtype=torch.float64); v = b[1]; v.add_(sc(5))
    assert b.requires_grad and type(b.grad_fn).__name__ == "CopySlices" and v.requires_grad


@R("An in-place op on a non-leaf replaces its grad_fn; gradient includes the in-place step.", "grad_fn changes; d(2x*3)=6", "rebase_history")
def test_inp__rebases_grad_fn():
    x = leaf(1); y = x * 2; f = y.grad_fn; r = y.mul_(3)
    assert r is y and y.grad_fn is not f and y.grad_fn.next_functions[0][0] is f
    assert eq(grad(y.sum(), x)[0], [6.0])


@R("In-place on a slice of a non-leaf: the base's grad_fn becomes CopySlices and the gradient is right for touched and untouched parts.", "[6, 2]", "functions/tensor.cpp CopySlices")
def test_inp__copy_slices_gradient():
    x = leaf(1, 1); y = x * 2; y[0].mul_(3)
    assert type(y.grad_fn).__name__ == "CopySlices" and eq(grad(y.sum(), x)[0], [6.0, 2.0])


@R("Assigning a constant to a slice cuts the gradient there only.", "[0, 2]", "CopySlices")
def test_inp__slice_constant_assignment():
    x = leaf(1, 1); y = x * 2; y[0] = 5.0; assert eq(grad(y.sum(), x)[0], [0.0, 2.0])


@R("After the base is modified in place, an existing view regenerates its grad_fn on next access, and gradient through the view includes the base's modification.", "v.grad_fn changes; dv/dx = 6", "variable.cpp VariableHooks::grad_fn")
def test_inp__view_regenerates_after_base_write():
    x = leaf(1, 1); y = x * 2; v = y[0]; f = v.grad_fn; y.mul_(3)
    assert v.grad_fn is not f and eq(grad(v, x)[0], [6.0, 0.0])


@R("A chain of views may be written through; the base's gradient is still exact.", "as out-of-place", "view_fn / as_strided chain")
def test_inp__view_chain():
    x = torch.arange(6.0, dtype=torch.float64).requires_grad_(); y = x * 1
    y.view(2, 3).t()[1].mul_(5)
    assert eq(grad(y.sum(), x)[0], [1.0, 5.0, 1.0, 1.0, 5.0, 1.0])


@R("diagonal(), T, narrow, unfold-free strided views can all be written with correct gradients.", "as expected", "CopySlices as_strided")
def test_inp__diagonal_write():
    x = torch.ones(2, 2, dtype=torch.float64, requires_grad=True); y = x * 1; y.diagonal().mul_(3); y.T[0].add_(1)
    assert eq(grad(y.sum(), x)[0], torch.tensor([[3.0, 1.0], [1.0, 3.0]]))


@R("Outputs of multi-view functions (split, chunk, unbind, tensor_split) may not be modified in place.", "RuntimeError: Output 0 of Unbind is a view and is being modified inplace. This view is the output of a function that returns multiple views. Such functions do not allow the output views to be modified inplace.", "variable.cpp handle_view_on_rebase MULTI_OUTPUT_NODE")
def test_inp__multi_output_view_error():
    for f in (lambda t: t.split(1), lambda t: t.chunk(2), lambda t: t.unbind(0)):
        y = leaf(1, 2) * 1
        with err("is a view and is being modified inplace. This view is the output of a function that returns multiple views"):
            f(y)[0].mul_(2)


@R("Modifying the base of multi-output views makes the existing pieces unusable in the graph: the error comes when a piece's grad_fn is next needed.", "RuntimeError: Output 0 of Unbind is a view and its base or another view of its base has been modified inplace", "handle_view_on_rebase(indirect=true)")
def test_inp__multi_output_base_write():
    y = leaf(1, 2) * 1; p = y.unbind(0); y.mul_(2)
    assert eq(p[0], 2.0)
    with err("is a view and its base or another view of its base has been modified inplace"):
        p[0] * 1


@R("unbind pieces of a plain base may be written with plain values.", "no error", "check_inplace only when grad needed")
def test_inp__multi_output_plain_ok():
    b = T(1, 2); b.unbind(0)[0].mul_(5); assert eq(b, [5.0, 2.0])


@R("A view made under no_grad may not be written with gradient outside.", "RuntimeError: A view was created in no_grad mode and is being modified inplace with grad mode enabled", "handle_view_on_rebase NO_GRAD_MODE")
def test_inp__no_grad_view_error():
    y = leaf(1, 2) * 1
    with torch.no_grad():
        v = y[0]
    with err("A view was created in no_grad mode and is being modified inplace with grad mode enabled"):
        v.mul_(2)


@R("... but a no_grad view may be written when no gradient is involved.", "ok", "handle_view_on_rebase")
def test_inp__no_grad_view_plain_ok():
    b = T(1, 2)
    with torch.no_grad():
        v = b[0]
    v.mul_(2); assert eq(b, [2.0, 2.0])


@R("An in-place op under no_grad on a non-leaf changes its value but not its history: the gradient silently ignores it.", "value 6, gradient 2", "GradMode off")
def test_inp__no_grad_inplace_on_nonleaf_silent():
    x = leaf(1); y = x * 2
    with torch.no_grad():
        y.mul_(3)
    assert eq(y, [6.0]) and eq(grad(y.sum(), x)[0], [2.0])


@R("Every in-place unary op gives the out-of-place gradient even if its formula needs the old value: the old value is cloned internally (log_, sin_, square_, abs_, pow_).", "equal gradients, no version error", "gen_variable_type: original self saved as clone; inplace_ops.tsv")
def test_inp__self_savers_work_in_place():
    for n in ("log", "sin", "cos", "abs", "square", "lgamma", "erf", "atan", "neg"):
        x = leaf(0.5, 0.7); y = x.clone(); getattr(y, n + "_")()
        assert close(grad(y.sum(), x)[0], grad(getattr(x, n)().sum(), x)[0]), n
    x = leaf(2); y = x.clone().pow_(3); assert eq(grad(y.sum(), x)[0], [12.0])


@R("After an op that saved its output, any later in-place op on that output is an error at backward: exp then add_, sigmoid then mul_, relu then relu_.", "version error", "saved result")
def test_inp__write_to_saved_output():
    for f, g in ((torch.exp, lambda t: t.add_(1)), (torch.sigmoid, lambda t: t.mul_(2)), (torch.relu, lambda t: t.relu_()), (torch.tanh, lambda t: t.zero_()), (torch.sqrt, lambda t: t.neg_())):
        y = f(leaf(0.5)); g(y)
        with err(E_VER):
            y.sum().backward()


@R("Applying an output-saving in-place op twice to the same tensor fails (relu_ relu_, exp_ exp_); input-saving ones may be repeated (sin_ sin_, log_ log_).", "relu_ twice: version error; sin_ twice: fine", "inplace_ops.tsv column applied_twice")
def test_inp__repeat_inplace():
    y = leaf(0.5).clone(); y.relu_(); y.relu_()
    with err(E_VER):
        y.sum().backward()
    x = leaf(0.5); y = x.clone(); y.sin_(); y.sin_(); y.sum().backward()
    assert close(x.grad, [math.cos(math.sin(0.5)) * math.cos(0.5)])


@R("linear -> relu(inplace) -> linear trains without error, because relu_ saves its own output and the next layer saves the same version.", "no error", "versions agree")
def test_inp__linear_relu_inplace_chain():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 1))
    net(torch.ones(4, 2)).sum().backward()


@R("sigmoid -> relu(inplace) raises at backward; residual x + relu_(x) on a saved x raises only if someone saved x.", "sigmoid: error", "saved result")
def test_inp__sigmoid_relu_inplace():
    y = F.relu(torch.sigmoid(leaf(0.5)), inplace=True)
    with err(E_VER):
        y.sum().backward()


@R("y.add_(y) and y.sub_(y) are legal, but y.mul_(y), y.div_(y), y.pow_(y) run forward and then raise at backward: the operand was saved before the write.", "add_: grad 2; mul_: version error", "gen_variable_type clones only `self`, not an operand that happens to be self")
def test_inp__self_operand():
    x = leaf(2); y = x.clone(); y.add_(y); assert eq(grad(y.sum(), x)[0], [2.0])
    for op in ("mul_", "div_", "pow_"):
        y = leaf(2).clone(); getattr(y, op)(y)
        with err(E_VER):
            y.sum().backward()


@R("copy_ from a smaller shape broadcasts, and the source's gradient is the sum over the broadcast.", "3", "CopyBackwards sum_to_size")
def test_inp__copy_broadcast_gradient():
    s = sc(1); y = torch.zeros(3, dtype=torch.float64); y.copy_(s); assert grad(y.sum(), s)[0] == 3


@R("copy_ from another dtype gives the source a gradient in its own dtype.", "float32", "CopyBackwards to src options")
def test_inp__copy_dtype_gradient():
    s = torch.ones(2, requires_grad=True); y = torch.zeros(2, dtype=torch.float64).copy_(s); assert grad(y.sum(), s)[0].dtype == torch.float32


@R("reshape/flatten may alias: writing to the result changes the source exactly when it was a view.", "contiguous source: aliased; transposed source: not", "aten reshape")
def test_inp__reshape_aliasing():
    y = torch.zeros(2, 2); y.reshape(4).fill_(1); assert y.sum() == 4
    y = torch.zeros(2, 3); y.t().reshape(6).fill_(1); assert y.sum() == 0


@R("resize_ is refused on a tensor that requires grad.", "RuntimeError: cannot resize variables that require grad", "VariableTypeManual.cpp resize_")
def test_inp__resize_error():
    with err("cannot resize variables that require grad"):
        (leaf(1) * 1).resize_(3)
    with err("cannot resize variables that require grad"):
        leaf(1).resize_(3)


@R("A detached alias of the base does not flip.", "False", "non-differentiable view")
def test_inp__detached_alias_does_not_flip():
    b = torch.zeros(3, dtype=torch.float64); d = b.detach(); b[0] = sc(1); assert not d.requires_grad and b.requires_grad


@R("After retain_grad, an in-place op moves the retention to the new value: .grad is the gradient of the tensor's final value.", "y.grad is d/d(new y) = 1, not 3", "variable.cpp update_tensor_hooks_on_new_gradfn")
def test_inp__retain_grad_follows_inplace():
    x = leaf(1); y = x * 2; y.retain_grad(); y.mul_(3); y.sum().backward(); assert eq(y.grad, [1.0]) and eq(x.grad, [6.0])


@R("transpose_/squeeze_/unsqueeze_ on a non-leaf are differentiable; on a requires-grad leaf they are refused like any in-place op.", "gradient in the leaf's layout; leaf error", "inplace view functions")
def test_inp__inplace_view_ops():
    x = torch.arange(6.0, dtype=torch.float64).view(2, 3).requires_grad_(); y = x * 1; y.t_(); w = torch.arange(6.0, dtype=torch.float64).view(3, 2)
    assert eq(grad((y * w).sum(), x)[0], w.t())
    with err(E_LEAF):
        leaf(1, 2).unsqueeze_(0)


@R("In-place view ops on a view are allowed and keep the base relation.", "v._base is y", "as_view chain")
def test_inp__inplace_view_op_on_view():
    y = torch.ones(2, 3, dtype=torch.float64, requires_grad=True) * 1; v = y[:, :2]; v.t_(); assert v.shape == (2, 2) and v._base is y
    v.mul_(3); assert eq(y[:, 0], [3.0, 3.0])


@R("set_() / .data on a non-leaf is invisible to its history.", "grad_fn unchanged; gradient from old graph", "set_data")
def test_inp__data_assignment_keeps_history():
    x = leaf(1); y = x * 2; y.data = T(100); assert eq(y, [100.0]) and eq(grad(y.sum(), x)[0], [2.0])


@R("Complex views are writable with gradient: z.real.mul_(2) scales only the real part.", "gradient 2 on real, 1 on imag", "real/imag are views")
def test_inp__complex_part_write():
    z = torch.tensor([1 + 1j], dtype=torch.complex128, requires_grad=True); y = z * 1; y.real.mul_(2)
    g, = grad(torch.view_as_real(y).sum(), z); assert eq(torch.view_as_real(g), torch.tensor([[2.0, 1.0]]))


@R("as_strided views of a non-leaf may be written; overlapping as_strided windows are read-only for in-place.", "overlap error", "MemoryOverlap")
def test_inp__as_strided():
    x = leaf(1, 2, 3); y = x * 1; y.as_strided((2,), (2,)).mul_(5); assert eq(grad(y.sum(), x)[0], [5.0, 1.0, 5.0])
    with err("refers to a single memory location"):
        (x * 1).as_strided((2, 2), (0, 1)).mul_(5)


@R("masked_fill_ and tril_ zero the gradient exactly where they overwrote.", "masked", "derivatives.yaml")
def test_inp__masked_fill_gradient():
    x = leaf(1, 2); y = x * 3; y.masked_fill_(torch.tensor([True, False]), 7.0); assert eq(grad(y.sum(), x)[0], [0.0, 3.0])


@R("Swapping two slices with temporaries needs a clone: y[0], y[1] = y[1], y[0] aliases, as in NumPy.", "both end up equal", "slices are views")
def test_inp__slice_swap_aliasing():
    y = torch.tensor([[1.0], [2.0]]); a, b = y[1], y[0]; y[0] = a; y[1] = b; assert y.flatten().tolist() == [2.0, 2.0]


@R("An in-place write through one view after another view was saved is caught, because both share the base's counter.", "version error", "shared counter")
def test_inp__write_through_other_view_caught():
    x = leaf(1, 2); y = x * 1; v = y.view(2); s = (v * v).sum(); y.view(1, 2).mul_(2)
    with err(E_VER):
        s.backward()


@R("grad(out, y) after y was modified in place refers to the NEW y: outputs computed from the old y are then 'unused'.", "RuntimeError unused; grad wrt new works", "gradient_edge taken at call time")
def test_inp__grad_wrt_modified_tensor():
    x = leaf(1); y = x * 2; old = (y * 1.5).sum(); y.add_(1); new = (y * 4).sum()
    assert eq(grad(new, y, retain_graph=True)[0], [4.0])
    with err(E_UNUSED):
        grad(old, y)


@R("In-place modification of a tensor inside the graph does not disturb hooks registered before: they stay on the old value's node.", "hook sees gradient wrt the old value", "autograd.rst Behavior of Tensor hooks when Tensor is modified in-place")
def test_inp__old_hook_stays_with_old_value():
    got = []; x = leaf(1); y = x * 2; y.register_hook(lambda g: got.append(("old", g.item()))); y.mul_(3); y.register_hook(lambda g: got.append(("new", g.item()))); y.sum().backward()
    assert got == [("new", 1.0), ("old", 3.0)]


@R("apply_ and map_ refuse tensors that require grad.", "RuntimeError: Can't call apply_() on Variable that requires grad", "python_variable_methods.cpp")
def test_inp__apply_refused():
    with err(r"Can't call apply_\(\) on Variable that requires grad"):
        leaf(1).apply_(lambda v: v)


@R("swap of a parameter's storage by load_state_dict(assign=True) replaces the leaf object; the old graph still feeds the old leaf.", "new Parameter has no grad", "torch/nn/modules/module.py assign=True")
def test_inp__load_state_dict_assign():
    m = torch.nn.Linear(1, 1, bias=False); old = m.weight; y = m(torch.ones(1, 1)).sum(); m.load_state_dict({"weight": torch.zeros(1, 1)}, assign=True); y.backward()
    assert m.weight is not old and old.grad is not None and m.weight.grad is None

# =====================================================================================================
# AREA view : which results alias, ._base, chains
# =====================================================================================================

VIEW_OPS = {
    "x[0]": lambda x: x[0], "x[:]": lambda x: x[:], "x[...]": lambda x: x[...], "x[None]": lambda x: x[None], "x[:,::2]": lambda x: x[:, ::2],
    "view": lambda x: x.view(6), "view_as": lambda x: x.view_as(x), "reshape(contig)": lambda x: x.reshape(6), "flatten(contig)": lambda x: x.flatten(), "ravel": lambda x: x.ravel(),
    "t": lambda x: x.t(), "T": lambda x: x.T, "mT": lambda x: x.mT, "transpose": lambda x: x.transpose(0, 1), "permute": lambda x: x.permute(1, 0), "movedim": lambda x: x.movedim(0, 1), "swapaxes": lambda x: x.swapaxes(0, 1),
    "expand": lambda x: x.expand(2, 2, 3), "expand_as": lambda x: x.expand_as(torch.zeros(2, 2, 3)), "broadcast_to": lambda x: torch.broadcast_to(x, (2, 2, 3)), "broadcast_tensors": lambda x: torch.broadcast_tensors(x, torch.zeros(2, 2, 3))[0],
    "squeeze": lambda x: x.squeeze(), "unsqueeze": lambda x: x.unsqueeze(0), "unflatten": lambda x: x.unflatten(1, (3, 1)), "narrow": lambda x: x.narrow(0, 0, 1), "select": lambda x: x.select(0, 1), "diagonal": lambda x: x.diagonal(), "unfold": lambda x: x.unfold(1, 2, 1), "as_strided": lambda x: x.as_strided((2,), (1,)),
    "split": lambda x: x.split(1)[0], "chunk": lambda x: x.chunk(2)[0], "unbind": lambda x: x.unbind(0)[0], "tensor_split": lambda x: x.tensor_split(2)[0], "hsplit": lambda x: x.hsplit(3)[0], "vsplit": lambda x: x.vsplit(2)[0], "atleast_3d": lambda x: torch.atleast_3d(x),
    "einsum(diag)": lambda x: torch.einsum("ij->ji", x), "swapdims": lambda x: x.swapdims(0, 1), "positive": lambda x: torch.positive(x), "resolve_conj": lambda x: x.resolve_conj(),
}
COPY_OPS = {
    "clone": lambda x: x.clone(), "index list": lambda x: x[[0]], "bool mask": lambda x: x[x > 0], "index_select": lambda x: x.index_select(0, torch.tensor([0])), "gather": lambda x: x.gather(0, torch.zeros(1, 3, dtype=torch.int64)), "take": lambda x: x.take(torch.tensor([0])),
    "flip": lambda x: x.flip(0), "roll": lambda x: x.roll(1, 0), "rot90": lambda x: x.rot90(), "repeat": lambda x: x.repeat(1, 1), "tile": lambda x: x.tile(1), "repeat_interleave": lambda x: x.repeat_interleave(1, 0), "reshape(noncontig)": lambda x: x.t().reshape(6), "flatten(noncontig)": lambda x: x.t().flatten(), "contiguous(noncontig)": lambda x: x.t().contiguous(),
    "cat of one": lambda x: torch.cat([x]), "stack of one": lambda x: torch.stack([x]), "tril": lambda x: x.tril(), "neg": lambda x: -x, "add 0": lambda x: x + 0, "to float32": lambda x: x.float(), "diag_embed": lambda x: x.diag_embed(), "masked_select": lambda x: x.masked_select(x > 0), "sum over unit dim": lambda x: x.unsqueeze(0).sum(0), "fliplr": lambda x: x.fliplr(), "trunc": lambda x: x.trunc(), "block_diag": lambda x: torch.block_diag(x), "hstack of one": lambda x: torch.hstack([x]),
}


@R("Every view of a requires-grad tensor is differentiable: gradient w.r.t. the source is right for all of the above.", "gradcheck-like: sum of all view elements' multiplicity", "derivatives.yaml")
def test_view__views_differentiable():
    for n, f in {**VIEW_OPS, **COPY_OPS}.items():
        x = (torch.arange(6.0, dtype=torch.float64).view(2, 3) + 1).requires_grad_()
        v = f(x); g, = grad(v.double().sum(), x)
        cnt = torch.zeros(6, dtype=torch.float64)
        ids = f(torch.arange(6.0, dtype=torch.float64).view(2, 3) + 1)
        for k in ids.double().flatten().tolist():
            if n not in ("neg",) and 0 < abs(k) <= 6:
                cnt[int(abs(k)) - 1] += 1
        if n == "neg":
            cnt = -torch.ones(6, dtype=torch.float64)
        if n == "trunc":
            cnt = torch.zeros(6, dtype=torch.float64)
        assert eq(g.flatten(), cnt), n


@R("._base of any view in a chain is the root, not the immediate parent.", "v2._base is x", "variable.h ViewInfo base_ is never a view")
def test_view__base_is_root():
    x = T(1, 2, 3, 4) * 1; v = x.view(2, 2); w = v.t()[0]; assert v._base is x and w._base is x


@R("_base of a non-view is None.", "None", "python_variable.cpp THPVariable_get_base")
def test_view__base_of_non_view():
    assert T(1)._base is None and (leaf(1) * 2)._base is None


@R("An identity slice x[...] or x[:] is a new tensor object that is a view; only no-op conversions (.to, .contiguous, .float) return the same object.", "x[...] is not x", "alias op")
def test_view__identity_slice_is_new_object():
    x = T(1); assert x[...] is not x and x[...]._base is x and x[:] is not x and x.to(torch.float64) is x


@R("torch.positive, resolve_conj and real of a real tensor return the input itself or an alias; they never copy.", "same storage", "aten")
def test_view__identity_functions():
    x = T(1); assert torch.positive(x).data_ptr() == x.data_ptr() and x.resolve_conj() is x and torch.real(x).data_ptr() == x.data_ptr()


@R("conj() of a complex tensor is a lazy view; writing through it writes the original (conjugated).", "aliased", "aten conj -> _conj view")
def test_view__conj_is_lazy_view():
    z = torch.tensor([1 + 2j]); c = z.conj(); assert c.is_conj() and c._is_view() and c.data_ptr() == z.data_ptr()
    c.fill_(3 + 4j); assert z.item() == 3 - 4j


@R("view(dtype) is never differentiable: even x.view(x.dtype) silently leaves the graph (requires_grad False), although view_as and reshape do not.", "requires_grad False for view(float64) of float64", "derivatives.yaml: view.dtype output_differentiability [False]")
def test_view__dtype_view_cuts_graph():
    x = leaf(1)
    assert not x.view(torch.float64).requires_grad and not x.view(torch.float32).requires_grad and x.view(1).requires_grad


@R("Overlapping windows (unfold, overlapping as_strided) accumulate gradient per occurrence.", "[1,2,1]; as_strided [2,2]", "unfold_backward; as_strided_backward")
def test_view__overlapping_gradients():
    x = leaf(1, 2, 3); assert eq(grad(x.unfold(0, 2, 1).sum(), x)[0], [1.0, 2.0, 1.0])
    y = leaf(1, 2); assert eq(grad(y.as_strided((2, 2), (0, 1)).sum(), y)[0], [2.0, 2.0])


@R("as_strided with an explicit offset is absolute in the storage, not relative to the view it is called on.", "x[1:].as_strided((1,),(1,),0) is x[0]", "aten as_strided")
def test_view__as_strided_is_absolute():
    x = leaf(10, 20); v = x[1:].as_strided((1,), (1,), 0); assert eq(v, [10.0])


@R("diagonal's gradient is a matrix with the gradient on the diagonal; unbind/split scatter back to their slots.", "identity pattern", "derivatives.yaml")
def test_view__scatter_backs():
    x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True); assert eq(grad(x.diagonal().sum(), x)[0], torch.eye(2))
    assert eq(grad(x.unbind(0)[1].sum(), x)[0], torch.tensor([[0.0, 0.0], [1.0, 1.0]]))


@R("A view keeps its base's storage alive, and the graph of the base if it has one.", "weakref to base alive", "ViewInfo holds base_")
def test_view__view_keeps_base_alive():
    b = T(1, 2) * 1; r = weakref.ref(b); v = b[0]; del b; gc.collect(); assert r() is not None and v._base is r()


@R("contiguous() on a non-contiguous view copies and leaves the family.", "own counter", "clone")
def test_view__contiguous_copy_leaves_family():
    x = torch.zeros(2, 3); c = x.t().contiguous(); x.add_(1); assert c._version == 0 and c._base is None


@R("F.dropout in eval mode, nn.Identity and F.pad with zero padding: the first two return the input (same storage), so in-place on the result hits the source.", "dropout eval aliases", "aten dropout returns input; Identity returns input")
def test_view__pass_through_modules():
    x = T(1, 2); assert torch.nn.Identity()(x) is x and F.dropout(x, 0.5, training=False).data_ptr() == x.data_ptr()


@R("A transposed or expanded gradient input is handled by stride-agnostic formulas: x.t() used twice accumulates in x's layout.", "values right", "AccumulateGrad layout contract")
def test_view__gradient_through_transposes():
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True); w = torch.arange(6.0, dtype=torch.float64).view(3, 2); ((x.t() * w).sum() + (x * w.t()).sum()).backward(); assert eq(x.grad, 2 * w.t()) and x.grad.stride() == x.stride()

# =====================================================================================================
# AREA ho : autograd.grad and higher order
# =====================================================================================================

@R("grad() returns gradients and touches no .grad at all, not even of leaves on the path.", ".grad None", "torch/autograd/__init__.py grad; engine accumulate_grad=False")
def test_ho__grad_does_not_accumulate():
    x, w = leaf(2), leaf(3); g, = grad((x * w).sum(), x); assert eq(g, [3.0]) and x.grad is None and w.grad is None


@R("grad() always returns a tuple for tensor or sequence inputs, and (2.13) a dict for dict inputs.", "tuple len 1; dict", "torch/autograd/__init__.py")
def test_ho__grad_return_type():
    x = leaf(2); y = (x * x).sum()
    r = grad(y, x, retain_graph=True); assert isinstance(r, tuple) and len(r) == 1
    d = grad(y, {"a": x}); assert isinstance(d, dict) and eq(d["a"], [4.0])


@R("An input that y does not depend on is an error by default; the 2.13 text names its index.", "RuntimeError: The differentiated Tensor at index 1 appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.", "python_engine.cpp")
def test_ho__unused_error():
    x, u = leaf(1), leaf(1)
    with err("index 1 appears to not have been used in the graph. Set allow_unused=True"):
        grad((x * 2).sum(), (x, u))


@R("materialize_grads=True returns zeros instead of None; with create_graph the zeros require grad.", "zeros; requires_grad follows create_graph", "torch/autograd/__init__.py")
def test_ho__materialize_grads():
    x, u = leaf(1), leaf(1); y = (x * 2).sum()
    _, z = grad(y, (x, u), materialize_grads=True, retain_graph=True); assert eq(z, [0.0]) and not z.requires_grad
    _, z = grad(y, (x, u), materialize_grads=True, create_graph=True); assert z.requires_grad


@R("materialize_grads=True with allow_unused=False is a contradiction.", "ValueError: Expected allow_unused to be True or not passed when materialize_grads=True", "torch/autograd/__init__.py")
def test_ho__materialize_contradiction():
    x = leaf(1)
    with err("Expected allow_unused to be True or not passed", ValueError):
        grad(x.sum(), x, materialize_grads=True, allow_unused=False)


@R("A used input with a mathematically zero derivative gets zeros, not None: usedness is about the graph.", "zeros", "graph reachability")
def test_ho__zero_is_not_unused():
    x = leaf(1); assert eq(grad((x * 0).sum(), x)[0], [0.0]) and eq(grad(torch.floor(x).sum(), x)[0], [0.0])


@R("An input that does not require grad is an error even with allow_unused=True.", "RuntimeError: One of the differentiated Tensors does not require grad", "python_engine.cpp")
def test_ho__input_without_grad():
    x, c = leaf(1), T(1)
    with err("One of the differentiated Tensors does not require grad"):
        grad((x * c).sum(), (x, c), allow_unused=True)


@R("Empty inputs are an error.", "RuntimeError: `inputs` argument to `grad()` cannot be empty.", "torch/autograd/__init__.py")
def test_ho__empty_inputs():
    with err(r"`inputs` argument to `grad\(\)` cannot be empty"):
        grad(leaf(1).sum(), [])


@R("Non-leaf inputs are fine, and asking for a node and its descendant at once gives each its own gradient.", "(6, 3)", "captures")
def test_ho__nonleaf_and_leaf_inputs():
    x = leaf(1); y = x * 2; z = (y * 3).sum(); gx, gy = grad(z, (x, y)); assert eq(gx, [6.0]) and eq(gy, [3.0])


@R("A duplicated input gets the full gradient at both positions.", "(2, 2)", "captures per output index")
def test_ho__duplicate_inputs():
    x = leaf(1); a, b = grad((x * 2).sum(), (x, x)); assert eq(a, [2.0]) and eq(b, [2.0])


@R("create_graph=True makes results that require grad and have a grad_fn; powers differentiate to any order.", "x^4 at 2: 32, 48, 48, 24, 0", "autograd docs")
def test_ho__repeated_derivatives():
    x = sc(2); y = x ** 4; out = []
    for _ in range(4):
        y, = grad(y, x, create_graph=True); out.append(y.item())
    assert out == [32.0, 48.0, 48.0, 24.0] and y.requires_grad


@R("Without create_graph the result carries no graph: differentiating it again raises.", "RuntimeError element 0 of tensors does not require grad", "GradMode off in backward")
def test_ho__no_create_graph_no_second():
    x = sc(2); g, = grad(x ** 3, x); assert not g.requires_grad
    with err(E_NOGRAD):
        grad(g, x)


@R("The first derivative of a function linear in x does not require grad even with create_graph=True; taking a second derivative raises rather than giving 0.", "g.requires_grad False; RuntimeError", "formula uses no tensor that requires grad")
def test_ho__linear_function_second_derivative():
    x = sc(2); g, = grad(2 * x + 1, x, create_graph=True); assert not g.requires_grad
    with err(E_NOGRAD):
        grad(g, x)


@R("If only part of the sum is linear the second derivative exists and counts the rest.", "d2(x^2+5x)=2", "sum of graphs")
def test_ho__mixed_linear():
    x = sc(2); g, = grad(x * x + 5 * x, x, create_graph=True); assert grad(g, x)[0] == 2


@R("relu(x)*x at 2 has second derivative 2: the relu factor contributes through its own value.", "4, then 2", "threshold_backward")
def test_ho__relu_product_second_derivative():
    x = sc(2); g, = grad(torch.relu(x) * x, x, create_graph=True); assert g.item() == 4.0 and grad(g, x)[0] == 2


@R("Piecewise-linear ops split in two groups: for relu, abs, leaky_relu, hardtanh, x**1 the first derivative requires grad and the second derivative is a proper 0; for clamp, maximum, max, where, sign, floor, sum, x*1, x**0 the first derivative does not require grad, and differentiating it raises.", "0 vs RuntimeError E_NOGRAD", "whether the backward formula touches a saved tensor that requires grad")
def test_ho__piecewise_linear_second_derivative():
    for f in (torch.relu, torch.abs, F.leaky_relu, F.hardtanh, lambda t: t ** 1):
        x = sc(2); g, = grad(f(x), x, create_graph=True)
        assert g.requires_grad and grad(g, x)[0] == 0
    for f in (lambda t: t.clamp(0, 1), lambda t: torch.maximum(t, torch.zeros_like(t)), torch.max, lambda t: torch.where(t > 0, t, 0 * t), torch.sign, torch.floor, torch.sum, lambda t: t * 1, lambda t: t ** 0):
        x = sc(2); g, = grad(f(x), x, create_graph=True)
        assert not g.requires_grad
        with err(E_NOGRAD):
            grad(g, x)


@R("Gradient penalty: backward through ||grad||^2 gives the analytic value.", "f=x^3: d/dx (3x^2)^2 = 36 x^3 -> 288", "double backward")
def test_ho__gradient_penalty():
    x = sc(2); g, = grad(x ** 3, x, create_graph=True); (g ** 2).backward(); assert x.grad == 288


@R("backward(create_graph=True) puts differentiable gradients into .grad; a second backward of them accumulates on top.", "x.grad 12 then 12+12", "accumulate_grad Case 3")
def test_ho__backward_create_graph():
    x = sc(2)
    with no_warn():
        (x ** 3).backward(create_graph=True)
    g = x.grad; assert g.item() == 12.0 and g.requires_grad
    g.backward(); assert x.grad.item() == 24.0


@R("Double-backward trick: forward-mode products come from differentiating the vjp with respect to its vector.", "jvp = J t", "torch/autograd/functional.py jvp")
def test_ho__double_backward_trick():
    x, v = leaf(1, 2), torch.zeros(2, dtype=torch.float64, requires_grad=True); y = x ** 2
    g, = grad(y, x, v, create_graph=True); jt, = grad(g, v, T(1, 10)); assert eq(jt, [2.0, 40.0])


@R("Second-order through softmax/logsumexp equals the analytic Hessian diag(p)-pp^T.", "match", "double backward formulas")
def test_ho__logsumexp_hessian():
    x = leaf(0.1, 0.5, -0.3); g, = grad(x.logsumexp(0), x, create_graph=True); H = torch.stack([grad(g[i], x, retain_graph=True)[0] for i in range(3)])
    p = x.detach().softmax(0); assert close(H, torch.diag(p) - torch.outer(p, p))


@R("Ops whose backward is itself not differentiable raise only at second order (e.g. ctc_loss, or once_differentiable functions).", "RuntimeError at second order", "derivatives.yaml not_differentiable backward; once_differentiable")
def test_ho__second_order_not_implemented():
    lp = torch.randn(4, 1, 3, dtype=torch.float64).log_softmax(2).requires_grad_()
    l = F.ctc_loss(lp, torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2])); g, = grad(l, lp, create_graph=True)
    with err("not implemented|not differentiable"):
        grad(g.sum(), lp)


@R("grad_outputs may be None per output when that output is a one-element real tensor.", "mix of None and tensor", "_make_grads")
def test_ho__mixed_none_grad_outputs():
    x = leaf(1, 2); g, = grad([x.sum(), x * 2], x, [None, T(1, 10)]); assert eq(g, [3.0, 21.0])


@R("grad(y, leaf) runs tensor hooks of that leaf (their return value replaces the result) but never post-accumulate hooks or AccumulateGrad node hooks.", "hooked value returned", "engine captures run tensor_pre_hooks")
def test_ho__hooks_under_grad():
    x, n = leaf(1), []; x.register_hook(lambda g: g * 10); x.register_post_accumulate_grad_hook(lambda t: n.append(1))
    assert eq(grad((x * 2).sum(), x)[0], [20.0]) and n == []


# =====================================================================================================
# AREA hook : tensor hooks, node hooks, post-accumulate hooks, multi-grad hooks, saved-tensor hooks
# =====================================================================================================

@R("A tensor hook sees the gradient w.r.t. its tensor once per backward, fully accumulated over all uses.", "one call with 5", "engine: pre-hook of the node on the summed input")
def test_hook__sees_total_gradient():
    got = []; x = leaf(1); y = x * 1; y.register_hook(lambda g: got.append(g.item())); (y * 2 + y * 3).sum().backward(); assert got == [5.0]


@R("A hook's non-None return replaces the gradient, for leaves and non-leaves alike; None leaves it.", "x.grad 20", "python_hook.cpp")
def test_hook__replaces_gradient():
    x = leaf(1); x.register_hook(lambda g: g * 10); (x * 2).sum().backward(); assert eq(x.grad, [20.0])
    x = leaf(1); y = x * 2; y.register_hook(lambda g: g * 10); y.sum().backward(); assert eq(x.grad, [20.0])


@R("Several hooks on one tensor run in registration order, each seeing the previous one's result.", "(g+1)*2", "OrderedDict of hooks")
def test_hook__order_and_chaining():
    x = leaf(1); x.register_hook(lambda g: g + 1); x.register_hook(lambda g: g * 2); x.sum().backward(); assert eq(x.grad, [4.0])


@R("A leaf hook fires before accumulation and on every backward.", ".grad is None inside the first call", "AccumulateGrad tensor_pre_hooks")
def test_hook__leaf_hook_before_accumulation():
    seen = []; x = leaf(1); x.register_hook(lambda g: seen.append(x.grad is None)); x.sum().backward(); x.sum().backward(); assert seen == [True, False]


@R("Returning a gradient of another dtype is an error.", "RuntimeError: hook has changed the type of value", "check_variable_result")
def test_hook__dtype_change_error():
    x = leaf(1); x.register_hook(lambda g: g.float())
    with err("has changed the type of value"):
        x.sum().backward()


@R("Returning a non-tensor is a TypeError.", "TypeError: expected Variable, but hook returned 'int'", "python_hook.cpp check_single_result")
def test_hook__non_tensor_return():
    x = leaf(1); x.register_hook(lambda g: 3)
    with err("hook returned", TypeError):
        x.sum().backward()


@R("An exception in a hook propagates unchanged out of backward.", "ValueError", "python engine persists the Python error")
def test_hook__exception_propagates():
    x = leaf(1)

    def bad(g): raise ValueError("mine")
    x.register_hook(bad)
    with pytest.raises(ValueError, match="mine"):
        x.sum().backward()


@R("Mutating the gradient in place inside a hook is discouraged but acts on the flowing gradient.", "x.grad 20", "docs: hook should not modify its argument")
def test_hook__inplace_in_hook():
    x = leaf(1)

    def h(g): g.mul_(10)
    x.register_hook(h); (x * 2).sum().backward(); assert eq(x.grad, [20.0])


@R("retain_grad stores the gradient after all tensor hooks, even hooks registered after retain_grad was called.", "y.grad is the hooked value", "retains_grad_hooks run last")
def test_hook__retain_grad_after_hooks():
    x = leaf(1); y = x * 2; y.retain_grad(); y.register_hook(lambda g: g * 10); y.sum().backward(); assert eq(y.grad, [10.0])


@R("A hook registered on a tensor stays with the gradient slot of the value it had then: after in-place modification it still refers to the old value.", "old hook sees 3, new hook sees 1", "autograd.rst; update_tensor_hooks_on_new_gradfn")
def test_hook__bound_to_old_value_after_inplace():
    got = {}; x = leaf(1); y = x * 2
    y.register_hook(lambda g: got.update(old=g.item())); y.mul_(3); y.register_hook(lambda g: got.update(new=g.item())); y.sum().backward(); assert got == {"old": 3.0, "new": 1.0}


@R("A hook on a tensor passed in grad(inputs=...) fires even though its grad_fn node does not execute; node hooks on that node do not.", "tensor hook yes, node hook no", "autograd.rst Whether a particular hook will be fired")
def test_hook__tensor_vs_node_hook_under_grad():
    n = []; x = leaf(1); y = x * 2; y.register_hook(lambda g: n.append("tensor")); y.grad_fn.register_hook(lambda gi, go: n.append("node")); y.grad_fn.register_prehook(lambda go: n.append("pre"))
    grad((y * 3).sum(), y); assert n == ["tensor"]


@R("Under backward(inputs=[y]) the node of y IS executed, so its node hooks fire.", "tensor, pre, node", "autograd.rst")
def test_hook__node_hook_under_backward_inputs():
    n = []; x = leaf(1); y = x * 2; y.register_hook(lambda g: n.append("tensor")); y.grad_fn.register_hook(lambda gi, go: n.append("node")); y.grad_fn.register_prehook(lambda go: n.append("pre"))
    (y * 3).sum().backward(inputs=[y]); assert n == ["tensor", "pre", "node"]


@R("Node.register_hook gets (grad_inputs, grad_outputs) and may replace grad_inputs.", "x.grad 14", "torch/autograd/graph.py Node.register_hook")
def test_hook__node_hook_replaces():
    x = leaf(1); y = x * 2; y.grad_fn.register_hook(lambda gi, go: (gi[0] * 7, None)); y.sum().backward(); assert eq(x.grad, [14.0])


@R("register_post_accumulate_grad_hook is for leaves that require grad only.", "RuntimeError: post accumulate grad hooks cannot be registered on non-leaf tensors / doesn't require gradient", "torch/_tensor.py")
def test_hook__post_accumulate_nonleaf_error():
    with err("post accumulate grad hooks cannot be registered on non-leaf tensors"):
        (leaf(1) * 2).register_post_accumulate_grad_hook(lambda t: None)
    with err("doesn't require gradient"):
        T(1).register_post_accumulate_grad_hook(lambda t: None)


@R("Hooks on a leaf persist over graphs (they live on the tensor), unlike hooks on its AccumulateGrad node.", "2 calls", "hooks dict on the tensor")
def test_hook__leaf_hooks_persist():
    n = []; x = leaf(1); x.register_hook(lambda g: n.append(1))
    for _ in range(2): x.sum().backward()
    assert n == [1, 1]


@R("Hooks run in the grad mode of the backward: off normally, on with create_graph.", "False, True", "engine")
def test_hook__grad_mode():
    seen = []; x = leaf(2); x.register_hook(lambda g: seen.append(torch.is_grad_enabled())); y = (x ** 2).sum(); grad(y, x, retain_graph=True); grad(y, x, create_graph=True); assert seen == [False, True]


@R("saved_tensors_hooks: pack is called once per saved tensor at forward, unpack once per use at backward.", "pack 2 / unpack 2 for a*b", "torch/autograd/graph.py saved_tensors_hooks")
def test_hook__pack_unpack_counts():
    p, u = [], []; a, b = leaf(2), leaf(3)
    with saved_tensors_hooks(lambda t: p.append(1) or t.detach(), lambda t: u.append(1) or t):
        y = (a * b).sum()
    assert (len(p), len(u)) == (2, 0); y.backward(); assert (len(p), len(u)) == (2, 2) and eq(a.grad, [3.0])


@R("unpack must return a tensor.", "TypeError: Output of saved tensor unpack_hook expected to be a Tensor", "python_saved_variable_hooks.cpp")
def test_hook__unpack_non_tensor():
    a = leaf(2)
    with saved_tensors_hooks(lambda t: t.detach(), lambda t: 3):
        y = (a * a).sum()
    with err("unpack_hook expected to be a Tensor", TypeError):
        y.backward()


@R("pack must not modify its argument in place.", "RuntimeError: A saved tensor pack hook is modifying its input in place.", "saved_variable.cpp set_hooks_and_pack_data")
def test_hook__pack_inplace_error():
    a = leaf(2)
    with err("A saved tensor pack hook is modifying its input in place"):
        with saved_tensors_hooks(lambda t: t.detach().mul_(2), lambda t: t):
            y = (a * 1) * a


@R("Nested saved_tensors_hooks: only the innermost pair applies.", "outer not called", "graph.py warning")
def test_hook__nested_hooks_innermost():
    n = []; a = leaf(2)
    with saved_tensors_hooks(lambda t: n.append("outer") or t.detach(), lambda t: t):
        with saved_tensors_hooks(lambda t: n.append("inner") or t.detach(), lambda t: t):
            y = a * a
    assert set(n) == {"inner"}


@R("Hooks can be put on one saved tensor through grad_fn._raw_saved_*; only one pair, and not after freeing.", "RuntimeError on second registration / after backward", "saved_variable.cpp register_hooks")
def test_hook__raw_saved():
    a = leaf(2); y = a ** 2; y.grad_fn._raw_saved_self.register_hooks(lambda t: t.detach() * 10, lambda t: t); y.sum().backward(); assert eq(a.grad, [40.0])
    y = a ** 2; y.grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)
    with err("hooks have already been set"):
        y.grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)
    y = a ** 2; r = y.grad_fn._raw_saved_self; y.sum().backward()
    with err("after it has been freed"):
        r.register_hooks(lambda t: t, lambda t: t)


@R("Python scalars that an op saved are not passed to pack hooks.", "pack called for x only (0 or 1 times for 2*x)", "saved_variable.cpp is_wrapped_number")
def test_hook__wrapped_numbers_not_packed():
    p = []; a = leaf(2)
    with saved_tensors_hooks(lambda t: p.append(t) or t.detach(), lambda t: t):
        (a * 2).sum()
    assert p == []


@R("save_on_cpu is such a pair; on CPU tensors it changes nothing except that the version check is off.", "same gradient", "graph.py save_on_cpu")
def test_hook__save_on_cpu():
    a = leaf(2)
    with save_on_cpu():
        y = (a * a).sum()
    y.backward(); assert eq(a.grad, [4.0])


@R("A hook may itself run a backward, but must enable grad mode first: hooks run with grad mode off.", "without enable_grad: E_NOGRAD; with: works", "engine reentrancy")
def test_hook__reentrant_backward():
    a, b = leaf(1), leaf(2)

    def h(g):
        with torch.enable_grad():
            (b * b).sum().backward()
    a.register_hook(h); (a * 3).sum().backward(); assert eq(b.grad, [4.0]) and eq(a.grad, [3.0])

    def bad(g): (b * b).sum().backward()
    a = leaf(1); a.register_hook(bad)
    with err(E_NOGRAD):
        (a * 3).sum().backward()


@R("Tensor hooks see the gradient of exactly their output in a multi-output node; other outputs' gradients are separate.", "hook on values of sort", "output_nr")
def test_hook__multi_output():
    got = []; x = leaf(3, 1); a, b = (x * 1).unbind(0); a.register_hook(lambda g: got.append(("a", g.item()))); b.register_hook(lambda g: got.append(("b", g.item()))); (a * 2 + b * 3).backward(); assert sorted(got) == [("a", 2.0), ("b", 3.0)]


@R("Module full backward hooks receive (grad_input, grad_output) and may replace grad_input.", "grad doubled", "torch/nn/modules/module.py register_full_backward_hook")
def test_hook__module_full_backward_hook():
    m = torch.nn.Identity(); x = leaf(1); m.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 2,)); m(x * 1).sum().backward(); assert eq(x.grad, [2.0])


# =====================================================================================================
# AREA cf : custom autograd.Function
# =====================================================================================================

class _Mul(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return (g * b if ctx.needs_input_grad[0] else None), (g * a if ctx.needs_input_grad[1] else None)


def simple(fwd, bwd, **attrs):
    """Make a Function from plain callables fwd(ctx,*a), bwd(ctx,*g)."""
    return type("Fn", (Function,), dict(forward=staticmethod(fwd), backward=staticmethod(bwd), **attrs))


@R("forward runs with grad mode off; its outputs get one grad_fn named <Class>Backward.", "False; FnBackward", "python_function.cpp THPFunction_apply")
def test_cf__forward_grad_mode_and_node():
    seen = []
    Fn = simple(lambda ctx, x: seen.append(torch.is_grad_enabled()) or x * 2, lambda ctx, g: g * 2)
    y = Fn.apply(leaf(1)); assert seen == [False] and y.requires_grad and y.grad_fn.name() == "FnBackward"


@R("If no tensor input requires grad (or grad mode is off) the output has no grad_fn and backward is never called.", "grad_fn None", "python_function.cpp is_executable")
def test_cf__no_grad_inputs():
    Fn = simple(lambda ctx, x: x * 2, lambda ctx, g: 1 / 0)
    assert Fn.apply(T(1)).grad_fn is None
    with torch.no_grad():
        assert not Fn.apply(leaf(1)).requires_grad


@R("Whatever backward returns is taken as the gradient: it defines the derivative, right or wrong.", "x.grad 42", "engine trusts formulas")
def test_cf__backward_defines_gradient():
    Fn = simple(lambda ctx, x: x.clone(), lambda ctx, g: torch.full_like(g, 42)); x = leaf(1); Fn.apply(x).sum().backward(); assert eq(x.grad, [42.0])


@R("ctx.needs_input_grad has one bool per forward argument, False for non-tensors.", "(True, False, False)", "python_function.cpp")
def test_cf__needs_input_grad():
    got = []
    Fn = simple(lambda ctx, a, b, k: a * b * k, lambda ctx, g: got.append(ctx.needs_input_grad) or (g, None, None)); Fn.apply(leaf(1), T(1), 3).sum().backward(); assert got == [(True, False, False)]


@R("ctx.needs_input_grad of a Python Function is fixed at forward time: grad(y, a) still shows True for b (built-in nodes, by contrast, skip b's work).", "(True, True) both times", "python_function.cpp needs_input_grad attribute")
def test_cf__needs_input_grad_is_static():
    got = []
    Fn = simple(lambda ctx, a, b: a * b, lambda ctx, g: got.append(ctx.needs_input_grad) or (g, g)); a, b = leaf(1), leaf(1); y = Fn.apply(a, b).sum(); grad(y, a, retain_graph=True); y.backward(); assert got == [(True, True), (True, True)]


@R("Surplus trailing gradients are tolerated only if they are None.", "None ok; tensor: RuntimeError", "PyNode::apply trailing None removal")
def test_cf__too_many_gradients():
    Fn = simple(lambda ctx, a: a * 2, lambda ctx, g: (g * 2, None, None)); x = leaf(1); Fn.apply(x).sum().backward(); assert eq(x.grad, [2.0])
    Fn = simple(lambda ctx, a: a * 2, lambda ctx, g: (g * 2, g))
    with err(r"returned an incorrect number of gradients \(expected 1, got 2\)"):
        Fn.apply(leaf(1)).sum().backward()


@R("A gradient whose shape reduces to the input's by broadcasting rules is silently summed down.", "(2,3) gradient for a (3,) input -> summed over rows", "input_metadata.cpp reduce_grad sum_to_size")
def test_cf__expandable_gradient_is_reduced():
    Fn = simple(lambda ctx, a: a * 2, lambda ctx, g: torch.ones(2, 3, dtype=torch.float64)); x = leaf(1, 2, 3); Fn.apply(x).sum().backward(); assert eq(x.grad, [2.0, 2.0, 2.0])


@R("A smaller gradient is not expanded up: () for (2,) is an error.", "RuntimeError invalid gradient", "is_expandable_to_shape direction")
def test_cf__smaller_gradient_error():
    Fn = simple(lambda ctx, a: a * 2, lambda ctx, g: torch.tensor(1.0, dtype=torch.float64))
    with err("returned an invalid gradient at index 0"):
        Fn.apply(leaf(1, 2)).sum().backward()


@R("A non-tensor gradient is an error.", "RuntimeError: expected Variable or None (got float)", "PyNode::apply unpack")
def test_cf__non_tensor_gradient():
    Fn = simple(lambda ctx, a: a * 2, lambda ctx, g: 2.0)
    with err("expected Variable or None"):
        Fn.apply(leaf(1)).sum().backward()


@R("A gradient returned for an input that does not need one is ignored, whatever it is.", "no error even with a wrong shape", "edges without function are skipped")
def test_cf__gradient_for_constant_ignored():
    Fn = simple(lambda ctx, a, b: a * b, lambda ctx, g: (g, torch.zeros(99))); x = leaf(1); Fn.apply(x, T(1)).sum().backward(); assert eq(x.grad, [1.0])


@R("Unused outputs give zero gradients to backward by default, None after set_materialize_grads(False).", "zeros / None", "FunctionCtx.set_materialize_grads")
def test_cf__materialize_grads():
    for flag in (True, False):
        got = []

        def fwd(ctx, x):
            ctx.set_materialize_grads(flag); return x * 1, x * 2

        def bwd(ctx, g1, g2):
            got.append(g2); return g1
        Fn = simple(fwd, bwd); Fn.apply(leaf(1))[0].sum().backward()
        assert (got[0] is None) is (not flag)


@R("mark_non_differentiable outputs do not require grad; backward still gets a zero (materialised) gradient for them.", "requires_grad False; zeros", "python_function.cpp; FunctionCtx.mark_non_differentiable")
def test_cf__mark_non_differentiable():
    got = []

    def fwd(ctx, x):
        a, b = x * 1, x * 2; ctx.mark_non_differentiable(b); return a, b

    def bwd(ctx, g1, g2): got.append(g2); return g1
    a, b = simple(fwd, bwd).apply(leaf(1)); assert a.requires_grad and not b.requires_grad; a.sum().backward(); assert eq(got[0], [0.0])


@R("Integer outputs of a custom Function are non-differentiable automatically.", "requires_grad False", "isDifferentiableType")
def test_cf__integer_output():
    Fn = simple(lambda ctx, x: (x * 1, x.long()), lambda ctx, g1, g2: g1); a, i = Fn.apply(leaf(1)); assert a.requires_grad and not i.requires_grad


@R("mark_dirty must be used for inputs modified in place and they must be returned; then the same object comes back with the new grad_fn and its version bumped.", "out is x, _version +1", "custom_function.cpp is_modified")
def test_cf__mark_dirty():
    def fwd(ctx, x): x.mul_(3); ctx.mark_dirty(x); return x
    Fn = simple(fwd, lambda ctx, g: g * 3); x = leaf(1); y = x * 1; v = y._version; z = Fn.apply(y); assert z is y and y._version > v and y.grad_fn.name() == "FnBackward" and eq(grad(y.sum(), x)[0], [3.0])


@R("Dirty but not returned is an error.", "RuntimeError: Some elements marked as dirty during the forward method were not returned as output.", "custom_function.cpp")
def test_cf__dirty_not_returned():
    def fwd(ctx, x): x.mul_(3); ctx.mark_dirty(x); return x + 1
    with err("Some elements marked as dirty during the forward method were not returned as output"):
        simple(fwd, lambda ctx, g: g).apply(leaf(1) * 1)


@R("Without mark_dirty an in-place change inside forward still bumps the version (the op itself did), but the history is not rewritten: returning the input gives a view-like new output.", "output is not the input object; backward identity on the old node", "custom_function.cpp is_input && !is_modified")
def test_cf__inplace_without_mark_dirty():
    def fwd(ctx, x): x.mul_(3); return x
    x = leaf(1); y = x * 1; z = simple(fwd, lambda ctx, g: g * 3).apply(y); assert z is not y and eq(z, [3.0]) and y._version == 1 and y.grad_fn.name() == "MulBackward0"


@R("A dirty input that is a view allows only a single output.", "RuntimeError: If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more than one Tensor.", "custom_function.cpp")
def test_cf__dirty_view_single_output():
    def fwd(ctx, x): x.mul_(2); ctx.mark_dirty(x); return x, x + 1
    with err("your Function cannot return more than one Tensor"):
        simple(fwd, lambda ctx, g, h: g).apply((leaf(1, 2) * 1)[0:1])


@R("save_for_backward takes tensors or None only.", "TypeError: save_for_backward can only save variables, but argument 0 is of type int", "python_function.cpp _save_variables")
def test_cf__save_non_tensor():
    def fwd(ctx, x): ctx.save_for_backward(3); return x * 1
    with err("save_for_backward can only save variables", TypeError):
        simple(fwd, lambda ctx, g: g).apply(leaf(1))


@R("save_for_backward may hold None and comes back in order; calling it twice keeps the last call only.", "(x, None)", "python_function.cpp")
def test_cf__save_none_and_twice():
    got = []

    def fwd(ctx, x): ctx.save_for_backward(x, x); ctx.save_for_backward(x, None); return x * 1

    def bwd(ctx, g): got.append([t is None for t in ctx.saved_tensors]); return g
    simple(fwd, bwd).apply(leaf(1)).sum().backward(); assert got == [[False, True]]


@R("A saved output is returned as a tensor with this node as grad_fn, so double backward through it works.", "exp: second derivative e^x", "SavedVariable is_output")
def test_cf__saved_output_double_backward():
    def fwd(ctx, x): y = x.exp(); ctx.save_for_backward(y); return y
    x = sc(0); g, = grad(simple(fwd, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x), x, create_graph=True); assert grad(g, x)[0] == 1


@R("once_differentiable only marks the result when an incoming gradient requires grad: for a first-order linear chain the result is plain and grad-of-grad fails with the generic text.", "g.requires_grad False", "once_differentiable wrapper: any(arg.requires_grad for args)")
def test_cf__once_differentiable_plain_case():
    Fn = simple(lambda ctx, x: x * 2, torch.autograd.function.once_differentiable(lambda ctx, g: g * 2)); x = leaf(1)
    g, = grad(Fn.apply(x).sum(), x, create_graph=True); assert not g.requires_grad


@R("Backward may be called several times under retain_graph with the same ctx: ctx attributes persist between calls.", "counter 2", "ctx lives with the node")
def test_cf__ctx_persists_between_backwards():
    seen = []

    def fwd(ctx, x): ctx.n = 0; return x * 1

    def bwd(ctx, g): ctx.n += 1; seen.append(ctx.n); return g
    y = simple(fwd, bwd).apply(leaf(1)).sum(); y.backward(retain_graph=True); y.backward(); assert seen == [1, 2]


@R("Each apply gets its own ctx.", "different ctx", "one node per call")
def test_cf__ctx_per_apply():
    ids = []
    Fn = simple(lambda ctx, x: ids.append(ctx) or x * 1, lambda ctx, g: g); x = leaf(1); a, b = Fn.apply(x), Fn.apply(x); assert ids[0] is not ids[1] and a.grad_fn is ids[0]


@R("The same tensor passed twice gets both gradients summed.", "x.grad 2", "two edges to one node")
def test_cf__same_input_twice():
    x = leaf(3); _Mul.apply(x, x).sum().backward(); assert eq(x.grad, [6.0])


@R("backward must return one gradient per argument actually passed: a default argument left out needs none, one given by position or keyword does.", "1 vs 2 gradients", "python_function.cpp counts inputs of the call")
def test_cf__gradient_count_follows_call():
    Fn = simple(lambda ctx, x, k=2: x * k, lambda ctx, g: g * 7); x = leaf(1)
    grad(Fn.apply(x).sum(), x)
    for call in (lambda: Fn.apply(x, 3), lambda: Fn.apply(x, k=3)):
        with err(r"incorrect number of gradients \(expected 2, got 1\)"):
            grad(call().sum(), x)


@R("With setup_context, forward has no ctx and default arguments are filled in before setup_context sees inputs.", "inputs == (x, 2)", "function.py bind_default_args")
def test_cf__setup_context():
    got = []

    class Sc(Function):
        @staticmethod
        def forward(x, k=2): return x * k

        @staticmethod
        def setup_context(ctx, inputs, output): got.append((inputs[1], output.requires_grad)); ctx.save_for_backward(inputs[0])

        @staticmethod
        def backward(ctx, g): return g * 2, None
    Sc.apply(leaf(1)); assert got[0][0] == 2


@R("backward and vjp are synonyms; defining both is an error at backward time.", "RuntimeError: Implementing both 'backward' and 'vjp' for a custom Function is not allowed.", "function.py BackwardCFunction._get_user_fn")
def test_cf__vjp_alias():
    V = type("V", (Function,), dict(forward=staticmethod(lambda ctx, x: x * 2), vjp=staticmethod(lambda ctx, g: g * 2))); x = leaf(1); V.apply(x).sum().backward(); assert eq(x.grad, [2.0])
    B = type("B", (Function,), dict(forward=staticmethod(lambda ctx, x: x * 2), vjp=staticmethod(lambda ctx, g: g), backward=staticmethod(lambda ctx, g: g)))
    with err("Implementing both 'backward' and 'vjp'"):
        B.apply(leaf(1)).sum().backward()


@R("Under functorch transforms a Function needs setup_context.", "RuntimeError: In order to use an autograd.Function with functorch transforms ... it must override the setup_context staticmethod", "function.py apply")
def test_cf__functorch_needs_setup_context():
    Fn = simple(lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    with err("it must override the setup_context"):
        torch.func.grad(lambda t: Fn.apply(t).sum())(T(1))


@R("Returning a fresh tensor that requires grad from forward does not leak that flag: outputs are re-tagged by the Function.", "output grad_fn is the Function", "set_history")
def test_cf__output_flag_retagged():
    inner = leaf(5); z = simple(lambda ctx, x: inner * 1 + x, lambda ctx, g: g).apply(leaf(1)); assert z.grad_fn.name() == "FnBackward"; z.sum().backward(); assert inner.grad is None


# =====================================================================================================
# AREA num : gradient conventions at non-smooth and singular points
# =====================================================================================================


@R("abs'(0) = 0, sign' = 0 everywhere, abs'(-0.0) = 0.", "0", "derivatives.yaml abs: grad * self.sgn()")
def test_num__abs_at_zero():
    assert vgrad(torch.abs, -2, 0, -0.0, 3) == [-1, 0, 0, 1]


@R("elu'(0) = 1 (takes the positive branch's limit: alpha=1 both), selu'(0) = lambda*alpha, softshrink'(±λ) = 0, hardshrink'(±λ) = 0, threshold at its threshold = 0.", "as stated", "derivatives.yaml elu_backward etc.")
def test_num__other_activations_at_kinks():
    assert vgrad(F.elu, 0) == [1] and vgrad(lambda t: F.softshrink(t, 0.5), -0.5, 0.5, 1) == [0, 0, 1] and vgrad(lambda t: F.hardshrink(t, 0.5), -0.5, 0.5, 1) == [0, 0, 1]
    assert vgrad(lambda t: F.threshold(t, 0.5, 0.0), 0.5, 0.6) == [0, 1]
    assert close(T(*vgrad(F.selu, 0)), [1.0507009873554805 * 1.6732632423543772])


@R("clamp: gradient 1 inside AND at both bounds, 0 outside; clamp_min/clamp_max alike.", "[0,1,1,1,0]", "derivatives.yaml clamp: where(self >= min && self <= max)")
def test_num__clamp_bounds():
    assert vgrad(lambda t: t.clamp(-1, 1), -2, -1, 0, 1, 2) == [0, 1, 1, 1, 0] and vgrad(lambda t: t.clamp_min(0), 0, -1) == [1, 0] and vgrad(lambda t: t.clamp_max(0), 0, 1) == [1, 0]


@R("clamp with min > max returns max everywhere, with gradient 0 to self.", "0", "clamp docs")
def test_num__clamp_crossed():
    assert vgrad(lambda t: t.clamp(2, 1), 0, 1.5, 3) == [0, 0, 0]


@R("maximum/minimum split a tie in half; fmax/fmin and max(x, y) built on where do not.", "maximum: 1/2,1/2; fmax: 1,0", "derivatives.yaml maximum: grad/2 at equality; fmax: masked_fill")
def test_num__binary_max_ties():
    assert dgrad(torch.maximum, 2, 2) == [0.5, 0.5] and dgrad(torch.minimum, 2, 2) == [0.5, 0.5]
    assert dgrad(torch.fmax, 2, 2) == [1, 0] and dgrad(torch.fmin, 2, 2) == [1, 0]


@R("aminmax also spreads ties evenly; max_pool gives everything to the first maximal element; adaptive_max_pool too.", "[.5,.5]; one-hot first", "derivatives.yaml aminmax; max_pool indices")
def test_num__pool_ties():
    assert vgrad(lambda t: torch.aminmax(t, dim=0).max, 3, 1, 3) == [0.5, 0, 0.5]
    assert vgrad(lambda t: F.max_pool1d(t.view(1, 1, 3), 3), 3, 1, 3) == [1, 0, 0]


@R("median() and nanmedian() without dim spread a tie evenly, median(dim) picks one index; even-length median is the lower of the two middles, no averaging.", "values and one-hot", "derivatives.yaml evenly_distribute_backward for median()")
def test_num__median():
    assert vgrad(torch.median, 1, 2, 2) == [0, 0.5, 0.5] and sorted(vgrad(lambda t: t.median(0).values, 1, 2, 2)) == [0, 0, 1] and vgrad(torch.median, 1, 2, 3, 4) == [0, 1, 0, 0]


@R("cummax at ties moves on to the later index: [2,2,1] sends 1 to the first and 2 to the second element.", "[1,2,0]", "cummax indices: >= comparison")
def test_num__cummax_ties():
    assert vgrad(lambda t: t.cummax(0).values, 2, 2, 1) == [1, 2, 0]


@R("sqrt'(0) = +inf; sqrt of a negative is NaN with NaN gradient; a zero upstream gradient times inf gives NaN.", "inf; nan; 0*inf = nan", "derivatives.yaml sqrt: grad/(2*result)")
def test_num__sqrt_at_zero():
    assert vgrad(torch.sqrt, 0) == [INF] and math.isnan(vgrad(torch.sqrt, -1)[0]) and math.isnan(vgrad(lambda t: 0 * torch.sqrt(t), 0)[0])


@R("rsqrt'(0) = -inf, reciprocal'(0) = -inf, log'(0) = inf, log'(-1) = -1 (finite, though log(-1) is NaN).", "as stated", "autograd.rst rule 5; derivatives.yaml log: grad/self")
def test_num__poles():
    assert vgrad(torch.rsqrt, 0) == [-INF] and vgrad(torch.reciprocal, 0) == [-INF] and vgrad(torch.log, 0, -1) == [INF, -1] and vgrad(torch.log1p, -1) == [INF]


@R("x/0: gradient for x is inf, for the divisor -inf (x>0) or NaN (0/0).", "[inf,-inf]; [inf,nan]", "derivatives.yaml div")
def test_num__division_by_zero():
    assert dgrad(torch.div, 1, 0) == [INF, -INF]
    a, b = dgrad(torch.div, 0, 0); assert a == INF and math.isnan(b)


@R("inf-norm spreads the gradient evenly over all maximal |x|.", "[.5,-.5]", "norm_backward")
def test_num__norm_inf_ties():
    assert vgrad(lambda t: t.norm(INF), 3, -3) == [0.5, -0.5]


@R("The 0-norm requires grad but its backward returns an undefined gradient: .grad stays None and grad() calls x unused (floor, sign etc. give zeros instead).", "x.grad None; unused error", "FunctionsManual norm_backward: p == 0 returns {}")
def test_num__zero_norm_undefined_gradient():
    x = leaf(3, -3); y = x.norm(0); assert y.requires_grad; y.backward(); assert x.grad is None
    with err(E_UNUSED):
        grad(x.norm(0), x)


@R("dist, cdist and pairwise distances at coincident points: dist/cdist(2) give 0; F.pairwise_distance adds eps so it is finite non-zero.", "0", "dist = norm(x-y); cdist_backward")
def test_num__distance_at_zero():
    assert dgrad(lambda a, b: torch.dist(a, b), 1, 1) == [0, 0]
    a, b = torch.ones(1, 2, dtype=torch.float64, requires_grad=True), torch.ones(1, 2, dtype=torch.float64); assert eq(grad(torch.cdist(a, b).sum(), a)[0], torch.zeros(1, 2))


@R("pow with tensor exponent: d/db of 0**b is 0 for b >= 0 (the log term is masked), NaN-free; base gradient at 0**0 is 0.", "[0, 0] at (0,0); (0,2): [0,0]", "pow_backward_exponent masks self==0 && exponent>=0")
def test_num__pow_tensor_exponent():
    assert dgrad(torch.pow, 0, 0) == [0, 0] and dgrad(torch.pow, 0, 2) == [0, 0] and math.isnan(dgrad(torch.pow, -2, 2)[1])


@R("cumprod handles zeros exactly as well.", "d sum(cumprod)", "FunctionsManual cumprod_backward")
def test_num__cumprod_zeros():
    # cumprod([a,b,c]) sums to a+ab+abc ; at (2,0,3): da=1+0+0, db=2+2*3, dc=0
    assert vgrad(lambda t: t.cumprod(0), 2, 0, 3) == [1, 8, 0]


@R("nan_to_num passes 1 for finite values and 0 for NaN and ±inf; nansum ignores NaN entries with gradient 0; masked_fill cuts exactly the filled entries.", "[1,0,0,0]", "derivatives.yaml nan_to_num; nansum")
def test_num__nan_masking():
    assert vgrad(torch.nan_to_num, 1, NAN, INF, -INF) == [1, 0, 0, 0] and vgrad(torch.nansum, 1, NAN, 2) == [1, 0, 1]


@R("With a NaN in the input max() and max(dim) give the whole gradient to the NaN element, but amax gives NaN to every element.", "[0,1,0]; [nan,nan,nan]", "evenly_distribute_backward has an isnan branch; scale_grad_by_count divides by a zero count")
def test_num__max_with_nan():
    assert vgrad(torch.max, 1, NAN, 2) == [0, 1, 0] and vgrad(lambda t: t.max(0).values, 1, NAN, 2) == [0, 1, 0]
    assert all(math.isnan(v) for v in vgrad(lambda t: t.amax(0), 1, NAN, 2))


@R("maximum with one NaN operand gives gradient 1 to BOTH operands; fmax gives it to the non-NaN operand only.", "maximum(nan,1): [1,1]; fmax(nan,1): [0,1]", "derivatives.yaml maximum: masked_fill_(self < other, 0): NaN compares false")
def test_num__binary_nan():
    assert dgrad(torch.fmax, NAN, 1) == [0, 1] and dgrad(torch.fmax, 1, NAN) == [1, 0]
    assert dgrad(torch.maximum, NAN, 1) == [1, 1] and dgrad(torch.maximum, 1, NAN) == [1, 1]


@R("std of equal values: unbiased std gradient at zero spread is 0 (masked), var gradient is 0; of a single element both value and gradient are NaN.", "[0,0]; nan", "FunctionsManual std_backward masked_fill(result == 0)")
def test_num__std():
    assert vgrad(torch.std, 2, 2) == [0, 0] and vgrad(torch.var, 2, 2) == [0, 0]
    with no_warn():
        assert math.isnan(vgrad(torch.std, 2)[0]) and math.isnan(vgrad(torch.var, 2)[0])
    assert vgrad(lambda t: t.var(unbiased=False), 2) == [0]


@R("atan2 at (0,0) has gradient (0,0) (masked), hypot at (0,0) has (NaN,NaN), while norm of the same zero vector has 0.", "[0,0]; [nan,nan]", "FunctionsManual atan2_backward masked_fill(recip inf)")
def test_num__atan2_hypot_at_origin():
    assert dgrad(torch.atan2, 0, 0) == [0, 0]
    assert all(math.isnan(v) for v in dgrad(torch.hypot, 0, 0))


@R("floor/ceil/round/trunc/sign have gradient 0; frac has 1; fmod and remainder: 1 for the dividend, -trunc(a/b) / -floor(a/b) for the divisor.", "fmod(-7,3): [1,2]; remainder(-7,3): [1,3]", "derivatives.yaml fmod/remainder")
def test_num__modulo():
    assert vgrad(torch.frac, 1.5) == [1] and dgrad(torch.fmod, -7, 3) == [1, 2] and dgrad(torch.remainder, -7, 3) == [1, 3]


@R("torch.div(rounding_mode='floor'|'trunc') has zero gradient, floor_divide has none at all (backward raises).", "0; RuntimeError", "derivatives.yaml div.Tensor_mode; floor_divide not implemented")
def test_num__floor_division():
    assert dgrad(lambda a, b: torch.div(a, b, rounding_mode="floor"), 7, 2) == [0, 0]
    with err("derivative for aten::floor_divide is not implemented"):
        dgrad(torch.floor_divide, 7, 2)


@R("sinc'(0) = 0, xlogy(0, y) gradient w.r.t. x at x=0 is log(y), w.r.t. y is 0; at (0,0) the value is 0 and the gradients are (0, NaN).", "0; log y; [0, nan]", "derivatives.yaml sinc_backward, xlogy")
def test_num__sinc_xlogy():
    assert vgrad(torch.sinc, 0) == [0]
    g = dgrad(torch.xlogy, 0, 2); assert close(T(g[0]), [math.log(2)]) and g[1] == 0
    a, b = dgrad(torch.xlogy, 0, 0); assert a == 0 and math.isnan(b)


@R("logsumexp over all -inf has value -inf and NaN gradients; with a +inf entry the gradient is NaN there and 0 elsewhere; softmax over all -inf is NaN throughout.", "[nan,nan]; [nan,0]", "logsumexp_backward exp(self - result) with inf - inf")
def test_num__logsumexp_infinities():
    assert eq(T(*vgrad(lambda t: t.logsumexp(0), -INF, -INF)), [NAN, NAN]) and eq(T(*vgrad(lambda t: t.logsumexp(0), INF, 0)), [NAN, 0.0])
    assert all(math.isnan(v) for v in vgrad(lambda t: t.softmax(0)[0], -INF, -INF))


@R("l1_loss and smooth_l1 at zero difference have gradient 0; huber at the knee delta is ±delta continuous.", "0", "sign(0)=0")
def test_num__losses_at_kinks():
    assert dgrad(F.l1_loss, 1, 1) == [0, 0] and dgrad(lambda a: F.smooth_l1_loss(a, T(1)[0]), 1) == [0] and dgrad(lambda a: F.huber_loss(a, T(0)[0]), 1) == [1]


@R("sigmoid and tanh saturate to exact zero gradient in float64 at |x| large; softplus is exact 1 above its threshold 20.", "0; 1", "threshold=20")
def test_num__saturation():
    assert vgrad(torch.sigmoid, 800) == [0] and vgrad(torch.tanh, 400) == [0] and vgrad(F.softplus, 21) == [1]


@R("index, gather, take and index_select with repeated indices accumulate gradient per occurrence; index_add/scatter_add pass gradients to every source.", "counts", "index_put accumulate=True backward")
def test_num__repeated_indices():
    i = torch.tensor([0, 0, 2])
    for f in (lambda t: t[i], lambda t: t.index_select(0, i), lambda t: t.gather(0, i), lambda t: t.take(i)):
        assert vgrad(f, 1, 2, 3) == [2, 0, 1]


@R("scatter_reduce amax/amin split ties evenly among source and self; prod handles zeros.", "1/3 each", "FunctionsManual scatter_reduce_backward")
def test_num__scatter_reduce_ties():
    s, d = leaf(5, 5), leaf(5); gs, gd = grad(d.scatter_reduce(0, torch.tensor([0, 0]), s, "amax").sum(), (s, d)); assert close(gs, [1 / 3, 1 / 3]) and close(gd, [1 / 3])


@R("mode(dim) gives the gradient to the returned index; kthvalue likewise.", "one-hot", "value_selecting_reduction_backward")
def test_num__mode_kthvalue():
    assert sum(vgrad(lambda t: t.mode(0).values, 2, 2, 1)) == 1 and vgrad(lambda t: t.kthvalue(2).values, 3, 1, 2) == [0, 0, 1]


@R("det of an exactly singular matrix: with create_graph=False the gradient is all zeros, with create_graph=True it is the (correct) cofactor matrix. The value of a first derivative depends on a flag.", "[[0,0],[0,0]] vs [[0,0],[0,1]] for diag(1,0)", "FunctionsManual linalg_det_backward branches on GradMode")
def test_num__det_singular_depends_on_create_graph():
    A = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    assert eq(grad(torch.linalg.det(A), A)[0], torch.zeros(2, 2))
    assert close(grad(torch.linalg.det(A), A, create_graph=True)[0], torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 1e-6)


@R("softmax of a row containing -inf has exact zero gradient there; log_softmax's is -p*sum.", "0 at masked", "softmax_backward")
def test_num__softmax_masked():
    x = leaf(0, -INF); g, = grad((x.softmax(0) * T(1, 5)).sum(), x); assert eq(g, [0.0, 0.0])


@R("cosine_similarity and normalize at the zero vector are finite thanks to eps clamping.", "finite", "eps")
def test_num__normalize_zero():
    assert all(math.isfinite(v) for v in vgrad(lambda t: F.normalize(t, dim=0), 0, 0))


@R("polygamma/lgamma/digamma at non-positive integers give NaN/inf without raising.", "no exception", "observed")
def test_num__gamma_poles():
    vgrad(torch.lgamma, 0, -1); vgrad(torch.digamma, 0)


@R("copysign: gradient ±1 by sign agreement, 0 at x=0; none (0) for the sign source.", "[-1,0]; [0,0]", "derivatives.yaml copysign")
def test_num__copysign():
    assert dgrad(torch.copysign, 2, -1) == [-1, 0] and dgrad(torch.copysign, 0, -1) == [0, 0]


# =====================================================================================================
# AREA bc : broadcasting, shapes, zero-size, dtype promotion
# =====================================================================================================

@R("The gradient of a broadcast operand is summed over the broadcast dimensions and has the operand's exact shape.", "(3,1) and (4,) operands", "FunctionsManual / input_metadata reduce_grad")
def test_bc__sum_to_shape():
    a, b = torch.ones(3, 1, dtype=torch.float64, requires_grad=True), torch.ones(4, dtype=torch.float64, requires_grad=True)
    (a + b).sum().backward(); assert a.grad.shape == (3, 1) and eq(a.grad, torch.full((3, 1), 4.0)) and eq(b.grad, torch.full((4,), 3.0))


@R("A 0-dim operand gets a 0-dim gradient: the sum over everything.", "()", "reduce_grad")
def test_bc__zero_dim_operand():
    s = sc(2); (s * torch.ones(2, 3, dtype=torch.float64)).sum().backward(); assert s.grad.shape == () and s.grad == 6


@R("Leading singleton dimensions are kept: operand (1,3) gets (1,3), operand (3,) gets (3,).", "shapes kept", "reduce_grad")
def test_bc__leading_singletons():
    a, b = torch.ones(1, 3, requires_grad=True), torch.ones(3, requires_grad=True); (a * b * torch.ones(5, 3)).sum().backward(); assert a.grad.shape == (1, 3) and b.grad.shape == (3,)


@R("where, lerp, addcmul and clamp(Tensor) reduce gradients of every broadcast operand.", "shapes of operands", "reduce_grad")
def test_bc__ternary_broadcast():
    c, a, b = torch.tensor([[True], [False]]), sc(1), leaf(1, 2, 3); ga, gb = grad(torch.where(c, a, b).sum(), (a, b)); assert ga == 3 and eq(gb, [1.0, 1.0, 1.0])


@R("float32 with float64 promotes to float64; each operand's gradient comes back in its own dtype.", "float32 / float64", "validate_outputs / handle_r_to_c")
def test_bc__promotion_gradients():
    a, b = torch.ones(2, requires_grad=True), leaf(1, 2); y = a * b; assert y.dtype == torch.float64; y.sum().backward(); assert a.grad.dtype == torch.float32 and b.grad.dtype == torch.float64


@R("A 0-dim float64 tensor does not promote a float32 vector; the 0-dim operand still gets a float64 gradient.", "float32 result", "result_type with dimension categories")
def test_bc__zero_dim_promotion():
    a, s = torch.ones(2, requires_grad=True), sc(3); y = a * s; assert y.dtype == torch.float32; ga, gs = grad(y.sum(), (a, s)); assert ga.dtype == torch.float32 and gs.dtype == torch.float64 and gs.shape == ()


@R("Integer times float: only the float operand is differentiable; the product is float.", "gradient = integer values", "promotion")
def test_bc__int_times_float():
    x = torch.ones(2, requires_grad=True); (x * torch.tensor([2, 3])).sum().backward(); assert eq(x.grad, torch.tensor([2.0, 3.0]))


@R("half and bfloat16 promote to float32 together; gradients return as half and bfloat16.", "float16 / bfloat16", "promotion")
def test_bc__half_bfloat16():
    a, b = torch.ones(2, dtype=torch.float16, requires_grad=True), torch.ones(2, dtype=torch.bfloat16, requires_grad=True); y = a * b; assert y.dtype == torch.float32; ga, gb = grad(y.sum(), (a, b)); assert ga.dtype == torch.float16 and gb.dtype == torch.bfloat16


@R("Downcasts lose precision in both directions: gradient through .half() is rounded to half.", "grad 0.0999756 for 0.1", "_to_copy backward")
def test_bc__gradient_rounded_by_cast():
    x = torch.ones(1, requires_grad=True); g, = grad(x.half(), x, torch.tensor([0.1])); assert g.item() == torch.tensor(0.1).half().float().item() != 0.1


@R("mean divides by the reduced count, var and std by count-correction.", "1/6; 2(x-m)/(n-1)", "mean_backward / var_backward")
def test_bc__mean_var_counts():
    x = torch.arange(6.0, dtype=torch.float64).view(2, 3).requires_grad_(); assert close(grad(x.mean(), x)[0], torch.full((2, 3), 1 / 6, dtype=torch.float64)) and close(grad(x.var(), x)[0], 2 * (x - 2.5) / 5)


@R("prod of an empty tensor is 1; max of an empty tensor raises.", "1; RuntimeError", "reductions")
def test_bc__empty_prod_max():
    x = torch.zeros(0, dtype=torch.float64, requires_grad=True); x.prod().backward(); assert x.grad.shape == (0,)
    with err("max\\(\\)"):
        x.max()


@R("cat of tensors with different dtypes promotes and returns gradients in each own dtype; an empty (0,) tensor is skipped but gets an empty gradient.", "float32/float64; (0,)", "cat_tensors_backward")
def test_bc__cat():
    a, b, e = torch.ones(2, requires_grad=True), leaf(1), torch.zeros(0, dtype=torch.float64, requires_grad=True); y = torch.cat([a, b, e]); assert y.dtype == torch.float64; y.sum().backward(); assert a.grad.dtype == torch.float32 and e.grad.shape == (0,)


@R("einsum with repeated and summed indices has the expected gradients.", "trace: identity", "einsum via views and bmm")
def test_bc__einsum():
    A = torch.ones(2, 2, dtype=torch.float64, requires_grad=True); assert eq(grad(torch.einsum("ii->", A), A)[0], torch.eye(2))


@R("repeat_interleave, tile and repeat sum gradients over copies.", "counts", "derivatives.yaml repeat")
def test_bc__repeat():
    assert vgrad(lambda t: t.repeat(3), 1, 2) == [3, 3] and vgrad(lambda t: t.repeat_interleave(torch.tensor([1, 3])), 1, 2) == [1, 3]


@R("Gradients of integer powers, divisions and shapes are exact in float64 for small integers, so equality tests need no tolerance.", "exact", "IEEE")
def test_bc__exactness():
    assert vgrad(lambda t: t ** 3, 2, 3) == [12, 27]


# =====================================================================================================
# AREA cplx : complex autograd
# =====================================================================================================

def Z(v):
    return torch.tensor(v, dtype=torch.complex128, requires_grad=True)


@R("abs(z): gradient z/|z|, and 0 at z=0; angle(z): i z/|z|^2.", "0.6+0.8j; 0", "derivatives.yaml abs: grad * sgn")
def test_cplx__abs_angle():
    z = Z(3 + 4j); assert close(grad(z.abs(), z)[0].real, 0.6) and close(grad(z.abs(), z)[0].imag, 0.8)
    z0 = Z(0j); assert grad(z0.abs(), z0)[0].item() == 0
    z1 = Z(0 + 2j); assert close(torch.view_as_real(grad(z1.angle(), z1)[0]), [-0.5, 0.0])


@R("A real leaf multiplied by a complex constant gets the real part of the gradient.", "real dtype, Re(g conj(c))", "handle_r_to_c")
def test_cplx__real_leaf_complex_op():
    x = sc(2); y = (x * (1 + 2j)); g, = grad(y, x, torch.tensor(1 + 0j, dtype=torch.complex128)); assert g.dtype == torch.float64 and g.item() == 1


@R("torch.complex(re, im) splits the gradient into real and imaginary part.", "g.real, g.imag", "derivatives.yaml complex")
def test_cplx__complex_ctor():
    a, b = sc(1), sc(2); ga, gb = grad(torch.complex(a, b), (a, b), torch.tensor(3 + 5j, dtype=torch.complex128)); assert ga == 3 and gb == 5


@R("Casting complex to real drops the imaginary part of value with a warning; the gradient is real-part only.", "UserWarning; grad 1", "_to_copy")
def test_cplx__cast_to_real():
    z = Z(1 + 2j)
    with pytest.warns(UserWarning, match="Casting complex values to real discards the imaginary part"):
        y = z.double()
    with no_warn():
        assert grad(y, z)[0].item() == 1


@R("sgn(z)=z/|z| is differentiable for complex, zero at 0.", "finite", "derivatives.yaml sgn_backward")
def test_cplx__sgn():
    z = Z(3 + 4j); assert torch.isfinite(torch.view_as_real(grad(torch.sgn(z).real, z)[0])).all() and grad(torch.sgn(Z(0j)).real.sum() * 1, [Z(0j)], allow_unused=True)[0] is None


@R("In-place imaginary/real writes and view_as_real are tracked.", "gradient through view_as_real", "views")
def test_cplx__view_as_real():
    z = Z(1 + 2j); r = torch.view_as_real(z); assert grad(r[1] * 3, z)[0].item() == 3j


@R("Comparison and ordering of complex tensors is not defined (max raises), so no tie rules exist.", "RuntimeError", "aten")
def test_cplx__no_ordering():
    with pytest.raises(RuntimeError):
        Z([1 + 1j, 2j]).max()


@R("complex backward needs an explicit gradient even for |.| ** 2 kept complex; take .real first.", "E: real scalar outputs", "_make_grads")
def test_cplx__implicit_root_refused():
    z = Z(1 + 1j)
    with err("only for real scalar outputs"):
        (z * z.conj()).backward()


# =====================================================================================================
# AREA fwd : forward-mode AD
# =====================================================================================================

@R("make_dual attaches a tangent; ops propagate it; unpack_dual reads (primal, tangent).", "x^2 at 3 with t=1: 6", "torch/autograd/forward_ad.py")
def test_fwd__basic():
    with fwAD.dual_level():
        d = fwAD.make_dual(T(3), T(1)); p, t = fwAD.unpack_dual(d * d); assert eq(p, [9.0]) and eq(t, [6.0])


@R("A tensor without tangent unpacks to tangent None.", "None", "forward_ad.py")
def test_fwd__no_tangent():
    with fwAD.dual_level():
        assert fwAD.unpack_dual(T(1) * 2).tangent is None


@R("Outside any dual level make_dual is an error; tangents vanish when the level exits.", "RuntimeError; tangent None", "forward_ad.py")
def test_fwd__levels():
    with err("Trying to create a dual Tensor"):
        fwAD.make_dual(T(1), T(1))
    with fwAD.dual_level():
        d = fwAD.make_dual(T(1), T(1))
    assert fwAD.unpack_dual(d).tangent is None
    with fwAD.dual_level():
        assert fwAD.unpack_dual(d).tangent is None


@R("no_grad does not disable forward AD; inference_mode does.", "tangent kept / lost", "grad_mode.py notes")
def test_fwd__modes():
    with fwAD.dual_level():
        d = fwAD.make_dual(T(3), T(1))
        with torch.no_grad():
            assert eq(fwAD.unpack_dual(d * 2).tangent, [2.0])
        with torch.inference_mode():
            assert fwAD.unpack_dual(d * 2).tangent is None


@R("In-place ops update tangents in place; views share them.", "tangent [2*..]", "Note [Forward Grad View/inplace]")
def test_fwd__inplace_and_views():
    with fwAD.dual_level():
        d = fwAD.make_dual(T(1, 2), T(1, 10)); v = d[1]; assert fwAD.unpack_dual(v).tangent == 10
        y = d * 1; y[0] *= 5; assert eq(fwAD.unpack_dual(y).tangent, [5.0, 10.0])


@R("Forward-mode conventions at kinks equal reverse-mode ones: relu'(0)=0, abs'(0)=0, maximum tie 1/2.", "0, 0, .5", "derivatives.yaml result: auto_element_wise")
def test_fwd__kinks_agree():
    with fwAD.dual_level():
        z = fwAD.make_dual(T(0), T(1))
        assert eq(fwAD.unpack_dual(torch.relu(z)).tangent, [0.0]) and eq(fwAD.unpack_dual(z.abs()).tangent, [0.0]) and eq(fwAD.unpack_dual(torch.maximum(z, T(0))).tangent, [0.5])


@R("functorch jvp equals forward AD by hand and works on nested transforms.", "(9, 6)", "torch/func")
def test_fwd__func_jvp():
    p, t = torch.func.jvp(lambda v: v * v, (T(3),), (T(1),)); assert eq(p, [9.0]) and eq(t, [6.0])


# =====================================================================================================
# AREA func : functional API
# =====================================================================================================


@R("jacobian has shape output.shape + input.shape; hessian input.shape + input.shape for scalar functions only.", "(3,2); (2,2); RuntimeError", "functional.py")
def test_func__jacobian_hessian_shapes():
    J = torch.autograd.functional.jacobian(lambda x: torch.stack([x[0], x[1], x.prod()]), T(2, 3)); assert eq(J, torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0]]))
    H = torch.autograd.functional.hessian(lambda x: x.prod(), T(2, 3)); assert eq(H, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    with err("should contain a single element"):
        torch.autograd.functional.hessian(lambda x: x * 2, T(1, 2))


@R("By default outputs independent of an input give zeros (strict=False); strict=True raises.", "zeros; RuntimeError", "functional.py strict")
def test_func__strict():
    f = lambda x: T(1, 2); assert eq(torch.autograd.functional.jacobian(f, T(1)), torch.zeros(2, 1))
    with err("Output 0 of the user-provided function does not require gradients"):
        torch.autograd.functional.jacobian(f, T(1), strict=True)


@R("functional.* does not touch .grad of its inputs and accepts inputs that do not require grad.", ".grad None", "functional.py copies inputs")
def test_func__no_side_effects():
    x = leaf(1, 2); torch.autograd.functional.jacobian(lambda t: t * 2, x); assert x.grad is None


@R("vectorize=True and strategy='forward-mode' give the same Jacobian.", "equal", "functional.py")
def test_func__jacobian_strategies():
    f = lambda x: torch.sin(x) * x.sum(); x = T(1, 2); J = torch.autograd.functional.jacobian(f, x); assert close(J, torch.autograd.functional.jacobian(f, x, vectorize=True)) and close(J, torch.autograd.functional.jacobian(f, x, vectorize=True, strategy="forward-mode"))


@R("torch.func.grad refuses non-scalar outputs and treats closed-over requires-grad tensors as constants.", "RuntimeError; closure not differentiated", "torch/_functorch/eager_transforms.py")
def test_func__func_grad():
    with err("Expected f\\(\\*args\\) to return a scalar Tensor"):
        torch.func.grad(lambda x: x * 2)(T(1, 2))
    w = leaf(3); g = torch.func.grad(lambda x: (w * x).sum())(T(2)); assert eq(g, [3.0]) and g.requires_grad


@R("torch.func transforms compose to any order: grad(grad(f)).", "12 at 2 for x^3", "functorch")
def test_func__compose():
    assert torch.func.grad(torch.func.grad(lambda x: x ** 3))(torch.tensor(2.0)) == 12


@R("In-place mutation of a captured tensor inside a functorch transform is refused.", "RuntimeError: During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place operation (aten::add_.Tensor) that would mutate a captured Tensor.", "functorch vmap/grad checks")
def test_func__captured_mutation():
    c = T(1)

    def f(x): c.add_(x); return (c * x).sum()
    with err("would mutate a captured Tensor"):
        torch.func.grad(f)(T(2))


# =====================================================================================================
# AREA anom : anomaly mode
# =====================================================================================================


@R("inf gradients are not reported, nor NaN values in the forward pass or in grad_outputs themselves.", "no error for sqrt'(0)=inf", "only isnan of node outputs")
def test_anom__inf_not_reported():
    x = leaf(0)
    with no_warn(), torch.autograd.detect_anomaly():
        torch.sqrt(x).sum().backward()
    assert eq(x.grad, [INF])


@R("When a node's backward raises, anomaly mode warns with the forward traceback of that node.", "UserWarning: Error detected in ... Traceback of forward call that caused the error", "python_anomaly_mode.cpp")
def test_anom__forward_traceback():
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly():
            x = leaf(2); h = x * 1; y = (h * h).sum(); h.add_(1)
            with err("Good luck!"):
                y.backward()
    assert any("Error detected in MulBackward0" in str(i.message) for i in w)


@R("The version-error hint changes in anomaly mode to 'the backtrace further above shows ... Good luck!'.", "text", "saved_variable.cpp")
def test_anom__hint_text():
    with no_warn(), torch.autograd.detect_anomaly():
        x = leaf(2); h = x * 1; y = (h * h).sum(); h.add_(1)
        with err("Hint: the backtrace further above shows the operation that failed to compute its gradient.*Good luck!"):
            y.backward()


@R("set_detect_anomaly works as a function or context and is queried with torch.is_anomaly_enabled().", "state restored", "anomaly_mode.py")
def test_anom__state():
    assert not torch.is_anomaly_enabled()
    with torch.autograd.set_detect_anomaly(True):
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()

# =====================================================================================================
# AREA ckpt : activation checkpointing
# =====================================================================================================
from torch.utils.checkpoint import checkpoint, checkpoint_sequential


@R("checkpoint gives the same gradients as the plain function, in both variants, and runs the function again during backward.", "2 calls, equal gradients", "torch/utils/checkpoint.py")
def test_ckpt__equivalence_and_recompute():
    for re in (True, False):
        n = []
        f = lambda t: n.append(1) or torch.sin(t) * t
        x = leaf(1, 2); checkpoint(f, x, use_reentrant=re).sum().backward(); g = x.grad.clone(); x.grad = None; (torch.sin(x) * x).sum().backward()
        assert eq(g, x.grad) and len(n) == 2


@R("The reentrant variant runs the first forward under no_grad, the non-reentrant one records it.", "False / True", "checkpoint.py")
def test_ckpt__grad_mode_of_first_forward():
    for re, first in ((True, False), (False, True)):
        seen = []
        f = lambda t: seen.append(torch.is_grad_enabled()) or t * 2
        checkpoint(f, leaf(1), use_reentrant=re).sum().backward(); assert seen[0] is first


@R("Non-reentrant checkpointing checks the recomputed saved tensors: fewer tensors, or another shape/dtype/device, raises CheckpointError; extra work after the needed tensors is not noticed (early stop), nor are different values.", "CheckpointError: A different number of tensors was saved during the original forward and recomputation / Recomputed values ... have different metadata", "checkpoint.py _checkpoint_without_reentrant_generator")
def test_ckpt__nondeterminism_detected():
    def varying(first, later):
        n = []
        return lambda t: (n.append(1), first(t) if len(n) == 1 else later(t))[1]
    sin, more = torch.sin, lambda t: torch.sin(torch.exp(t)) * t
    with pytest.raises(torch.utils.checkpoint.CheckpointError, match="A different number of tensors was saved"):
        checkpoint(varying(more, sin), leaf(1), use_reentrant=False).sum().backward()
    with pytest.raises(torch.utils.checkpoint.CheckpointError, match="have different metadata"):
        checkpoint(varying(torch.exp, lambda t: torch.exp(torch.cat([t, t]))), leaf(1), use_reentrant=False).sum().backward()
    checkpoint(varying(sin, more), leaf(1), use_reentrant=False).sum().backward()


@R("Values changed between forward and recomputation (an in-place edit of a captured constant) are not detected: the gradient silently uses the new value.", "grad 10, no error", "metadata check only")
def test_ckpt__stale_capture_silent():
    for re in (True, False):
        c = T(2); x = leaf(3); y = checkpoint(lambda t: t * t * c, x, use_reentrant=re).sum(); c.fill_(10); y.backward(); assert eq(x.grad, [60.0])


@R("Tensor arguments of checkpoint that are modified in place before backward raise the version error in both variants (in 2.13 the non-reentrant one saves its arguments as saved tensors too); captured tensors are not guarded.", "version error for arguments", "checkpoint.py get_inputs / SavedTensor; CheckpointFunction.save_for_backward")
def test_ckpt__modified_input():
    for re in (True, False):
        x = leaf(2); h = x * 1; y = checkpoint(lambda t: t * t, h, use_reentrant=re).sum(); h.detach().fill_(10)
        with err(E_VER):
            y.backward()


@R("The RNG state is replayed so dropout masks agree (preserve_rng_state=True).", "gradient equals mask", "checkpoint.py")
def test_ckpt__rng_preserved():
    x = torch.ones(50, dtype=torch.float64, requires_grad=True); y = checkpoint(lambda t: F.dropout(t, 0.5), x, use_reentrant=False); y.sum().backward(); assert eq(x.grad, y.detach())


@R("Under no_grad checkpoint just calls the function.", "requires_grad False, one call", "checkpoint.py")
def test_ckpt__under_no_grad():
    n = []
    with torch.no_grad():
        y = checkpoint(lambda t: n.append(1) or t * 2, leaf(1), use_reentrant=False)
    assert not y.requires_grad and n == [1]


# =====================================================================================================
# AREA eng : engine: order, reentrancy, threads
# =====================================================================================================

@R("Ready nodes run in order of decreasing sequence number: the most recently recorded op is differentiated first.", "c before b before a", "engine.cpp ReadyQueue compares sequence_nr")
def test_eng__latest_first():
    order = []; x = leaf(1)
    a, b, c = x * 1, x * 2, x * 3
    for n, t in (("a", a), ("b", b), ("c", c)): t.grad_fn.register_hook(lambda gi, go, n=n: order.append(n))
    (c + (a + b)).sum().backward(); assert order == ["c", "b", "a"]


@R("Backward order does not depend on the order of roots or of arguments, only on recording order and readiness.", "same order", "priority queue")
def test_eng__root_order_irrelevant():
    def run(flip):
        order = []; x = leaf(1); a, b = x * 2, x * 3
        for n, t in (("a", a), ("b", b)): t.grad_fn.register_hook(lambda gi, go, n=n: order.append(n))
        torch.autograd.backward([b, a] if flip else [a, b], [T(1), T(1)]); return order
    assert run(False) == run(True) == ["b", "a"]


@R("Reentrant backward (a backward started inside a backward) completes before the outer node continues.", "inner first", "engine.cpp reentrant")
def test_eng__reentrant_order():
    order = []

    def bwd(ctx, g):
        order.append("outer start")
        with torch.enable_grad():
            t = leaf(1); t.register_hook(lambda gg: order.append("inner")); (t * 2).sum().backward()
        order.append("outer end"); return g
    simple(lambda ctx, x: x * 1, bwd).apply(leaf(1)).sum().backward(); assert order == ["outer start", "inner", "outer end"]


@R("CPU nodes run in the calling thread.", "same thread id", "autograd.rst Multithreaded Autograd")
def test_eng__cpu_runs_in_caller_thread():
    ids = []; x = leaf(1); x.register_hook(lambda g: ids.append(threading.get_ident())); x.sum().backward(); assert ids == [threading.get_ident()]


@R("Independent graphs may be differentiated concurrently; a shared leaf then accumulates all contributions (serialised per node, order unspecified).", "sum over threads", "AccumulateGrad mutex")
def test_eng__threads_shared_leaf():
    x = leaf(0)
    ths = [threading.Thread(target=lambda: (x * 1).sum().backward()) for _ in range(8)]
    [t.start() for t in ths]; [t.join() for t in ths]; assert eq(x.grad, [8.0])


@R("The floating-point order of accumulation follows execution order (latest consumer first), so results are reproducible run to run on CPU.", "bitwise equal repeats", "deterministic queue in one thread")
def test_eng__bitwise_reproducible():
    def run():
        torch.manual_seed(0); x = torch.rand(64, requires_grad=True); ys = [torch.sin(x * k) for k in (0.1, 1e4, 3.7, 1e-3)]; sum(ys).sum().backward(); return x.grad
    assert torch.equal(run(), run())


@R("queue_callback runs a function at the very end of the current backward, and only inside one.", "called after leaves; RuntimeError outside", "engine.cpp queue_callback")
def test_eng__final_callback():
    order = []; x = leaf(1); E = torch.autograd.Variable._execution_engine
    x.register_hook(lambda g: E.queue_callback(lambda: order.append("final"))); x.register_post_accumulate_grad_hook(lambda t: order.append("leaf")); x.sum().backward(); assert order == ["leaf", "final"]
    with err("Final callbacks can only be installed during backward pass"):
        E.queue_callback(lambda: None)


@R("torch.autograd.set_multithreading_enabled(False) does not change CPU results.", "same", "grad_mode.py")
def test_eng__multithreading_flag():
    x = leaf(2)
    with torch.autograd.set_multithreading_enabled(False):
        (x * x).sum().backward()
    assert eq(x.grad, [4.0])


@R("An exception in one branch stops the backward; nodes not yet run stay unrun and unfreed.", "other branch's saved tensors readable", "engine set_exception")
def test_eng__exception_stops():
    a, b = leaf(2), leaf(3); qa = a * a          # earlier: would run last
    qb = b * b

    def bad(g): raise ValueError("x")
    qb.register_hook(bad)
    with pytest.raises(ValueError):
        (qa + qb).sum().backward()
    assert eq(qa.grad_fn._saved_self, [2.0])


@R("A diamond with unequal depths is handled by dependency counts, not depth.", "exact", "topological order")
def test_eng__diamond():
    x = leaf(2); a = x * 3; b = a
    for _ in range(10): b = b + a
    (b * a).sum().backward(); assert eq(x.grad, [2 * 11 * 9 * 2.0])


@R("Every op is an independent node: a chain of n ops yields n nodes, no fusion or algebraic simplification.", "walk finds 3 Mul nodes", "eager autograd")
def test_eng__one_node_per_op():
    x = leaf(1); y = x * 1 * 1 * 1; n, f = 0, y.grad_fn
    while f.name().startswith("MulBackward"): n += 1; f = f.next_functions[0][0]
    assert n == 3


# =====================================================================================================
# AREA pipe : pipeline-style training, optimizers
# =====================================================================================================

class _Stage:
    """two-layer bias-free net in float64 whose second layer's weight is saved by the graph"""

    def __init__(self):
        self.w1, self.w2 = torch.nn.Parameter(T(2)), torch.nn.Parameter(T(3))

    def __call__(self, x):
        return (x * self.w1) * self.w2


@R("Two microbatches in flight with an optimizer step in between: the second backward raises the version error, because the step wrote weights its graph had saved.", "version error on microbatch 2", "seed note; autograd.rst in-place correctness checks")
def test_pipe__step_between_microbatches():
    m = _Stage(); opt = torch.optim.SGD([m.w1, m.w2], 0.1); y1, y2 = m(T(1)).sum(), m(T(5)).sum()
    y1.backward(); opt.step()
    with err(E_VER):
        y2.backward()


@R("With a single layer y = x*w (x a constant) the same schedule raises nothing: d/dw needs only x, so w was never saved.", "no error, gradient of the old graph", "conditional saving")
def test_pipe__single_layer_escapes():
    w = torch.nn.Parameter(T(2)); opt = torch.optim.SGD([w], 0.1); y1, y2 = (T(1) * w).sum(), (T(5) * w).sum(); y1.backward(); opt.step(); w.grad = None; y2.backward(); assert eq(w.grad, [5.0])


@R("Weight stashing (forward with a clone of the weights per microbatch) removes the error and yields gradients w.r.t. the stashed version; they reach the parameter through clone.", "grad for old weights", "PipeDream-style")
def test_pipe__weight_stashing():
    w = torch.nn.Parameter(T(2)); opt = torch.optim.SGD([w], 0.1)
    f = lambda x, w: ((x * w) * w).sum()
    y1, y2 = f(T(1), w.clone()), f(T(5), w.clone()); y1.backward(); opt.step(); w.grad = None; y2.backward(); assert eq(w.grad, [20.0])


@R("An optimizer step is executed under no_grad: parameters stay leaves that require grad and keep their identity.", "is_leaf, same object", "torch/optim/optimizer.py _use_grad_for_differentiable")
def test_pipe__step_keeps_leaf():
    w = torch.nn.Parameter(T(2)); i = id(w); w.grad = T(1); torch.optim.SGD([w], 0.5).step(); assert id(w) == i and w.is_leaf and w.requires_grad and w.grad_fn is None and eq(w, [1.5])


@R("A parameter whose .grad is None is skipped by the optimizer; a zero .grad is not (momentum and weight decay still move it).", "unchanged vs changed", "torch/optim")
def test_pipe__none_vs_zero_grad_step():
    a, b = torch.nn.Parameter(T(1)), torch.nn.Parameter(T(1)); b.grad = T(0); torch.optim.SGD([a, b], 0.1, weight_decay=1.0).step(); assert eq(a, [1.0]) and eq(b, [0.9]) and a._version == 0


@R("The step does not consume .grad: without zero_grad the next backward adds to it.", "grad persists", "torch/optim")
def test_pipe__step_keeps_grad():
    w = torch.nn.Parameter(T(2)); (3 * w).sum().backward(); torch.optim.SGD([w], 0.0).step(); (3 * w).sum().backward(); assert eq(w.grad, [6.0])


@R("Truncated backpropagation: detaching the carried state between segments frees the earlier graph and bounds the gradient.", "grad only from last segment", "detach")
def test_pipe__truncated_bptt():
    w = leaf(2); h = T(1)
    for _ in range(3): h = (h.detach() * w)
    h.sum().backward(); assert eq(w.grad, [4.0])


@R("EMA/target-network updates under no_grad with copy_ or lerp_ bump the target's version: graphs that saved the target are invalidated.", "version error", "no_grad bumps")
def test_pipe__ema_update():
    t, w = T(2), leaf(3); y = (t * w).sum()
    with torch.no_grad():
        t.lerp_(w, 0.5)
    with err(E_VER):
        y.backward()


@R("Train-mode batch_norm writes running_mean/running_var in place WITHOUT bumping their version counters (instance_norm does bump).", "batch_norm 0, instance_norm 1, values changed", "native_batch_norm schema has no (a!) on the stats; pytorch issues #13402, #120622 (open)")
def test_pipe__batchnorm_stats_do_not_bump():
    rm, rv = torch.zeros(2), torch.ones(2); F.batch_norm(torch.randn(3, 2), rm, rv, training=True); assert rm._version == 0 and rv._version == 0 and not eq(rm, torch.zeros(2))
    rm, rv = torch.zeros(2), torch.ones(2); F.instance_norm(torch.randn(3, 2, 4), rm, rv, use_input_stats=True); assert rm._version == 1


@R("Hence an eval-mode batch_norm graph whose running_var is later rewritten by a train-mode forward gives a silently wrong gradient.", "no error; gradient differs from the true one", "same hole")
def test_pipe__batchnorm_silent_wrong_gradient():
    x = torch.tensor([[1.0], [2.0]], dtype=torch.float64, requires_grad=True); rm, rv = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    y = F.batch_norm(x, rm, rv, training=False, eps=0.0).sum()
    F.batch_norm(torch.tensor([[-3.0], [3.0]], dtype=torch.float64), rm, rv, training=True, momentum=1.0)
    y.backward(); assert rv.item() == 18.0 and close(x.grad, torch.full((2, 1), 18.0 ** -0.5, dtype=torch.float64))


@R("So the classic pipeline error disappears with a fused optimizer and becomes a silently wrong gradient: the in-flight microbatch mixes old activations with new weights.", "no error; w1.grad 14 (new w2) instead of 15", "same hole")
def test_pipe__fused_step_silent_wrong_gradient():
    w1, w2 = torch.nn.Parameter(T(2)), torch.nn.Parameter(T(3)); opt = torch.optim.SGD([w1, w2], 0.1, fused=True); f = lambda x: ((x * w1) * w2).sum()
    y1, y2 = f(T(1)), f(T(5)); y1.backward(); opt.step(); opt.zero_grad(); y2.backward()
    assert close(w1.grad, [14.0]) and close(w2.grad, [10.0])


@R("AdamW bumps each parameter twice per step (decay, then update), SGD and Adam once.", "2, 1, 1", "torch/optim")
def test_pipe__bumps_per_step():
    got = []
    for cls in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD):
        p = torch.nn.Parameter(torch.ones(3)); p.grad = torch.ones(3); cls([p], lr=0.1).step(); got.append(p._version)
    assert got == [2, 1, 1]


@R("vector_to_parameters writes through .data, so it is invisible to the version counter.", "0", "torch/nn/utils/convert_parameters.py")
def test_pipe__vector_to_parameters_invisible():
    w = torch.nn.Parameter(torch.ones(3)); torch.nn.utils.vector_to_parameters(torch.zeros(3), [w]); assert w._version == 0 and eq(w, torch.zeros(3))


@R("F.embedding with max_norm renormalises the weight rows in place at forward (version +1), so two lookups before one backward can raise.", "bump 1 per call", "embedding_renorm_")
def test_pipe__embedding_max_norm_bumps():
    w = torch.full((3, 2), 5.0); F.embedding(torch.tensor([0]), w, max_norm=1.0); assert w._version == 1
