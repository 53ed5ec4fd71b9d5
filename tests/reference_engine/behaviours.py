"""Small programs whose outcome is the same on torch and on the reference engine; executed once on each.

Every function without a leading underscore is one. What it returns is compared: values, flags, the order of calls, and of an
error its class and the beginning of its text.
"""

# Lambdas are run at once, and the names are those of the formulas.
# ruff: noqa: B023, E741, E742

import contextlib
import warnings

import torch
import torch.autograd.forward_ad as fwAD
import torch.nn.functional as F
import torch.optim as O
from torch import nn
from torch.autograd import Function, grad
from torch.autograd.graph import (
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    get_gradient_edge,
    increment_version,
    register_multi_grad_hook,
    saved_tensors_hooks,
)
from torch.utils.checkpoint import checkpoint

TF, AF = torch.func, torch.autograd.functional
f64 = torch.float64
c128 = torch.complex128
INF, NAN = float("inf"), float("nan")
P = (-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, INF, NAN)
V = (-2.0, -0.5, 0.0, 0.5, 2.0, INF, NAN)
REDUCED = {
    "ties": (1.0, 3.0, 3.0, 2.0),
    "one": (2.0,),
    "nan": (1.0, NAN, 2.0),
    "nan2": (NAN, NAN, 1.0),
    "inf": (INF, 1.0, INF),
    "-inf": (-INF, 1.0, -INF),
    "zeros": (0.0, 0.0, 0.0),
    "z1": (2.0, 0.0, 3.0),
    "z2": (2.0, 0.0, 0.0),
    "neg": (-3.0, 3.0, -1.0),
}


def _leaf(*v, dtype=torch.float64):
    return torch.tensor([float(a) for a in v], dtype=dtype, requires_grad=True)


def _sc(v, dtype=torch.float64):
    return torch.tensor(float(v), dtype=dtype, requires_grad=True)


def _const(*v, dtype=torch.float64):
    return torch.tensor([float(a) for a in v], dtype=dtype)


def _z(v):
    return torch.tensor(v, dtype=torch.complex128, requires_grad=True)


def _er(f):
    try:
        r = f()
    except Exception as e:
        return "{}: {}".format(type(e).__name__, str(e).split("\n")[0][:45])
    return ("ok", r) if isinstance(r, (int, float, str, bool, torch.Tensor, tuple, list, type(None))) else "ok"


def _simple(fwd, bwd, **attrs):
    return type("Fn", (Function,), dict(forward=staticmethod(fwd), backward=staticmethod(bwd), **attrs))


def _dgrad(f, *vals):
    xs = [_sc(v) for v in vals]
    out = f(*xs)
    return [None if g is None else float(g) for g in grad(out.sum(), xs, allow_unused=True)]


def _vgrad(f, *vals):
    x = _leaf(*vals)
    return grad(f(x).sum(), x)[0].tolist()


def _warned(f):
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        f()
    return sorted({f"{i.category.__name__}: {str(i.message)[:80]}" for i in w})


class _Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


def _tab(cases):
    out = {}
    for k, (f, vals) in cases.items():
        try:
            out[k] = [round(v, 6) if v == v and abs(v) != INF else str(v) for v in _vgrad(f, *vals)]
        except Exception as e:
            out[k] = f"{type(e).__name__}: {str(e)[:100]}"
    return out


def _tab2(cases):
    out = {}
    for k, (f, vals) in cases.items():
        try:
            out[k] = [None if v is None else round(v, 6) if v == v and abs(v) != INF else str(v) for v in _dgrad(f, *vals)]
        except Exception as e:
            out[k] = f"{type(e).__name__}: {str(e)[:100]}"
    return out


def _red(f):
    return _tab({k: (f, v) for k, v in REDUCED.items()})


def _bin(f):
    o = {}
    for a in V:
        for b in V:
            o[f"{a},{b}"] = _tab2({"x": (f, (a, b))})["x"]
    return o


def _num(v):
    if isinstance(v, float):
        return "nan" if v != v else str(v) if abs(v) == INF else round(v, 8)
    return v


def _opt(mk, n=3, **k):
    w = torch.nn.Parameter(_const(1.0, -2.0))
    v0 = w._version
    o = mk([w], **k)
    out = []
    for _i in range(n):
        o.zero_grad()
        (w**2).sum().backward()
        o.step()
        out.append(w.tolist())
    return [[round(x, 7) for x in r] for r in out], w._version - v0, w.is_leaf, w.requires_grad


def _zg(f, *v, g=None):
    z = _z(list(v))
    o = f(z)
    if g is None:
        o = o * torch.arange(1.0, o.numel() + 1, dtype=f64).view(o.shape)
        o = (o.real + 2 * o.imag).sum() if o.is_complex() else o.sum()
    return grad(o, z)[0]


def grad_batched():
    x = _leaf(1, 2, 3)
    y = x**2
    v = torch.eye(3, dtype=f64)
    (g,) = grad(y, x, v, is_grads_batched=True)
    return g


def grad_batched_multi():
    x, w = _leaf(1, 2, 3), _leaf(4, 5, 6)
    y = x * w
    z = (x + w).sum()
    return grad([y, z], [x, w], [torch.ones(2, 3, dtype=f64), torch.arange(2.0, dtype=f64)], is_grads_batched=True)


def grad_batched_create():
    x = _leaf(1, 2)
    y = x**3
    (g,) = grad(y, x, torch.eye(2, dtype=f64), is_grads_batched=True, create_graph=True)
    return g, g.requires_grad, grad(g.sum(), x)


def grad_batched_unused():
    x, u = _leaf(1, 2), _leaf(3)
    y = x**3
    return grad(y, (x, u), torch.eye(2, dtype=f64), is_grads_batched=True, allow_unused=True)


def grad_batched_mat():
    x, u = _leaf(1, 2), _leaf(3)
    y = x**3
    return grad(y, (x, u), torch.eye(2, dtype=f64), is_grads_batched=True, materialize_grads=True)


def grad_batched_noout():
    x = _leaf(1, 2)
    y = x.sum()
    return _er(lambda: grad(y, x, is_grads_batched=True))


def grad_batched_shape():
    x = _leaf(1, 2)
    y = x * 2
    return _er(lambda: grad(y, x, torch.ones(2, 3, dtype=f64), is_grads_batched=True))


def grad_batched_single():
    x = _leaf(1, 2)
    y = x * 2
    return _er(lambda: grad(y, x, torch.ones(2, dtype=f64), is_grads_batched=True))


def grad_batched_matmul():
    x = torch.arange(6.0, dtype=f64).view(2, 3).requires_grad_()
    w = torch.arange(12.0, dtype=f64).view(3, 4).requires_grad_()
    y = (x @ w).tanh().sum(1)
    return grad(y, (x, w), torch.eye(2, dtype=f64), is_grads_batched=True)


def grad_batched_fn():
    Fn = _simple(lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    x = _leaf(1, 2)
    return _er(lambda: grad(Fn.apply(x), x, torch.eye(2, dtype=f64), is_grads_batched=True))


def grad_batched_retain():
    x = _leaf(1, 2)
    y = x**2
    grad(y, x, torch.eye(2, dtype=f64), is_grads_batched=True)
    return _er(lambda: grad(y.sum(), x))


def grad_only_inputs():
    x = _leaf(1)
    return _warned(lambda: grad(x.sum(), x, only_inputs=False))


def grad_in_not_tensor2():
    x = _leaf(1)
    return _er(lambda: grad(x.sum(), [3.0]))


def grad_go_is_result():
    x = _leaf(1, 2)
    go = _const(3, 4)
    (g,) = grad(x, x, go)
    return g is go, g.data_ptr() == go.data_ptr()


def grad_edge_mat():
    x = _leaf(2)
    y = x * 3
    w = x * 5
    return _er(lambda: grad(y.sum(), get_gradient_edge(w), materialize_grads=True))


def backward_inputs_norg():
    x = _leaf(2)
    c = _const(1)
    return _er(lambda: (x * c).sum().backward(inputs=[c]))


def backward_gradvars_both():
    x = _leaf(2, 3)
    return _er(lambda: torch.autograd.backward([x * 2], [_const(1, 1)], grad_variables=[_const(1, 1)]))


def grad_dict_out():
    x = _leaf(1)
    return _er(lambda: grad({"a": x.sum()}, x))


def grad_dup_nonleaf():
    x = _leaf(1)
    y = x * 2
    a, b = grad((y * 3).sum(), (y, y))
    return a, b, a is b


def grad_same_object():
    x = _leaf(1)
    a, b = grad((x * 3).sum(), (x, x))
    return a is b, a.data_ptr() == b.data_ptr()


def backward_gradient_list():
    x = _leaf(1, 2)
    y = x * 2
    return _er(lambda: y.backward([_const(1, 2)]))


def hooks_size():
    x = _leaf(1, 2)
    x.register_hook(lambda g: g[:1])
    return _er(lambda: x.sum().backward())


def hooks_named():
    x = _leaf(1)

    def myhook(g):
        return g.float()

    x.register_hook(myhook)
    return _er(lambda: x.sum().backward())


def hooks_post_acc_ret():
    x = _leaf(1)
    x.register_post_accumulate_grad_hook(lambda p: 3)
    return _er(lambda: x.sum().backward())


def hooks_node_ret_single():
    a = _leaf(2)
    y = a * 3
    y.grad_fn.register_hook(lambda gi, go: gi[0] * 2)
    return _er(lambda: y.sum().backward()), a.grad


def hooks_node_ret_list():
    a = _leaf(2)
    y = a.exp()
    y.grad_fn.register_hook(lambda gi, go: [gi[0] * 2])
    return _er(lambda: y.sum().backward()), a.grad


def hooks_node_ret_count():
    a = _leaf(2)
    y = a * a
    y.grad_fn.register_hook(lambda gi, go: (gi[0],))
    return _er(lambda: y.sum().backward()), a.grad


def hooks_node_ret_count3():
    a = _leaf(2)
    y = a * a
    y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0], gi[0]))
    return _er(lambda: y.sum().backward())


def hooks_node_ret_dtype():
    a = _leaf(2)
    y = a.exp()
    y.grad_fn.register_hook(lambda gi, go: (gi[0].float(),))
    return _er(lambda: y.sum().backward()), a.grad


def hooks_node_for_none():
    a, b = _leaf(2), _const(3)
    y = a * b
    y.grad_fn.register_hook(lambda gi, go: (gi[0], torch.ones(1, dtype=f64)))
    return _er(lambda: y.sum().backward()), a.grad


def hooks_pre_replace_single():
    a = _leaf(2)
    y = a * 3
    y.grad_fn.register_prehook(lambda go: go[0] * 7)
    return _er(lambda: y.sum().backward()), a.grad


def hooks_pre_count():
    a = _leaf(2)
    y = a * 3
    y.grad_fn.register_prehook(lambda go: (go[0], go[0]))
    return _er(lambda: y.sum().backward()), a.grad


def hooks_multi_with():
    n = []
    a = _leaf(1)
    with register_multi_grad_hook([a], lambda g: n.append(1)):
        a.sum().backward()
    a.sum().backward()
    return n


def hooks_multi_norg_all():
    a = _leaf(1)
    return _er(lambda: register_multi_grad_hook([a, _const(1)], lambda g: 0))


def hooks_order_all():
    n = []
    a = _leaf(2)
    y = a * 3
    y.grad_fn.register_hook(lambda gi, go: n.append("post1"))
    y.grad_fn.register_prehook(lambda go: n.append("pre1"))
    y.register_hook(lambda g: n.append("t1"))
    y.grad_fn.register_prehook(lambda go: n.append("pre2"))
    y.register_hook(lambda g: n.append("t2"))
    y.grad_fn.register_hook(lambda gi, go: n.append("post2"))
    y.retain_grad()
    y.sum().backward()
    return n


def hooks_post_acc_order():
    n = []
    x = _leaf(1)
    x.register_hook(lambda g: n.append("t"))
    x.register_post_accumulate_grad_hook(lambda p: n.append("p1"))
    x.register_post_accumulate_grad_hook(lambda p: n.append("p2"))
    y = x * 1
    a = y.grad_fn.next_functions[0][0]
    a.register_hook(lambda gi, go: n.append("n"))
    a.register_prehook(lambda go: n.append("pre"))
    y.sum().backward()
    return n


def hooks_multi_all():
    n = []
    a, b, c = _leaf(1), _leaf(2), _leaf(3)
    h = register_multi_grad_hook([a, b, c], lambda gs: n.append([None if g is None else g.item() for g in gs]))
    (a * b).sum().backward()
    (a * b * c).sum().backward()
    h.remove()
    (a * b).sum().backward()
    return n


def hooks_multi_raise():
    n = []
    a, b = _leaf(1), _leaf(2)

    def h(gs):
        n.append(1)
        raise ValueError("x")

    register_multi_grad_hook((a, b), h)
    r = _er(lambda: (a * b).sum().backward())
    return r, n, _er(lambda: (a * b).sum().backward()), n


def saved_unpack_none():
    a = _leaf(2)
    with saved_tensors_hooks(lambda t: t, lambda p: None):
        y = a.exp()
    return _er(lambda: y.sum().backward())


def saved_disable_decor():
    @disable_saved_tensors_hooks("zz")
    def f():
        with saved_tensors_hooks(lambda t: t, lambda t: t):
            return 1

    return _er(f)


def saved_raw_data():
    a = _leaf(2)
    y = a.exp()
    r = y.grad_fn._raw_saved_result
    return _er(lambda: r.data), _er(lambda: r.unpack_hook)


def saved_allow_mut_outside():
    with allow_mutation_on_saved_tensors():
        a = _leaf(2, 3)
        b = a.clone()
        out = (b**2).sum()
        b.sin_()
    return _er(lambda: out.backward()), a.grad


def saved_allow_mut_nested():
    def f():
        with allow_mutation_on_saved_tensors(), allow_mutation_on_saved_tensors():
            pass

    return _er(f)


def saved_allow_mut_clear():
    with allow_mutation_on_saved_tensors() as ctx:
        a = _leaf(2, 3)
        b = a.clone()
        out = (b**2).sum()
        ctx.clear()
        b.sin_()
        r = _er(lambda: out.backward())
    return r


def saved_allow_mut_view():
    with allow_mutation_on_saved_tensors():
        a = _leaf(2, 3)
        b = a.clone()
        v = b[0]
        out = (b**2).sum()
        v.mul_(10)
        out.backward()
    return a.grad


def saved_increment_inf():
    with torch.inference_mode():
        t = _const(1)
    return _er(lambda: increment_version(t))


def numbers_saved_attrs():
    x = _leaf(1, 2)
    y = x.sum(0)
    z = x.clamp(0, 1)
    v = x[0:1]
    return [
        sorted(k for k in dir(t.grad_fn) if k.startswith("_saved"))
        for t in (y, z, v, x**2, x.exp(), x * x, x.view(2, 1), x.softmax(0), x / 3)
    ]


def current_node():
    r = []
    x = _leaf(1)
    y = x * 2
    y.register_hook(lambda g: r.append(torch._C._current_autograd_node() is y.grad_fn))
    y.sum().backward()
    return r


def global_hook():
    n = []
    h = torch.nn.modules.module.register_module_forward_hook(lambda m, i, o: n.append(type(m).__name__))
    torch.nn.Identity()(_const(1))
    h.remove()
    torch.nn.Identity()(_const(1))
    return n


def hooks_backward_hooks_attr():
    x = _leaf(1)
    r = [x._backward_hooks]
    x.register_hook(lambda g: g)
    r.append(len(x._backward_hooks))
    return r


def hooks_post_hooks_attr():
    x = _leaf(1)
    r = [x._post_accumulate_grad_hooks]
    x.register_post_accumulate_grad_hook(lambda g: None)
    r.append(len(x._post_accumulate_grad_hooks))
    return r


def function_old_style():
    class O(Function):
        def forward(self, x):
            return x

        def backward(self, g):
            return g

    return _er(lambda: O()(_leaf(1)))


def function_ret_none():
    return _er(lambda: _simple(lambda ctx, x: None, lambda ctx, g: g).apply(_leaf(1)))


def function_ret_mixed():
    r = _simple(lambda ctx, x: (x * 2, 3, None, "a"), lambda ctx, g, *r: g).apply(_leaf(1))
    return [type(i).__name__ for i in r]


def function_ret_list():
    r = _simple(lambda ctx, x: [x * 2, x * 3], lambda ctx, g, h: g + h).apply(_leaf(1))
    return type(r).__name__


def function_nontensor_grad_pos():
    a = _leaf(1)
    return _er(lambda: _simple(lambda ctx, k, a: a * k, lambda ctx, g: (g, g)).apply(2, a).sum().backward())


def function_ctx_to_save():
    r = []

    def fwd(ctx, x):
        r.append(ctx.to_save if hasattr(ctx, "to_save") else "no")
        ctx.save_for_backward(x)
        r.append([t is x for t in ctx.to_save])
        return x * 2

    _simple(fwd, lambda ctx, g: g).apply(_leaf(1))
    return r


def function_dirty_tensors():
    r = []

    def fwd(ctx, x):
        ctx.mark_dirty(x)
        r.append([t is x for t in ctx.dirty_tensors])
        return x.mul_(2)

    _simple(fwd, lambda ctx, g: g).apply(_leaf(1) * 1)
    return r


def function_output_saved_modified():
    def fwd(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    y = _simple(fwd, lambda ctx, g: g * ctx.saved_tensors[0]).apply(_leaf(2))
    y.mul_(2)
    try:
        y.sum().backward()
    except RuntimeError as e:
        return str(e)[:200]


def function_dirty_leaf():
    def fwd(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    x = _leaf(1)
    return _er(lambda: _simple(fwd, lambda ctx, g: g * 2).apply(x)), x


def function_setup_kwargs():
    class S(Function):
        @staticmethod
        def forward(x, *, k=2):
            return x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs

        @staticmethod
        def backward(ctx, g):
            return g

    return _er(lambda: len(S.apply(_leaf(1), k=3).grad_fn.n))


def function_jvp_view():
    class J(Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def jvp(ctx, tx):
            return tx * 1

    with fwAD.dual_level():
        return _er(lambda: fwAD.unpack_dual(J.apply(fwAD.make_dual(_const(2), _const(1)))).tangent)


def function_jvp_inplace_wrong():
    class J(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def jvp(ctx, tx):
            return tx * 2

    with fwAD.dual_level():
        return _er(lambda: fwAD.unpack_dual(J.apply(fwAD.make_dual(_const(2), _const(1)))).tangent)


def function_jvp_inplace():
    class J(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def jvp(ctx, tx):
            return tx.mul_(2)

    with fwAD.dual_level():
        return _er(lambda: fwAD.unpack_dual(J.apply(fwAD.make_dual(_const(2), _const(1)))).tangent)


def function_return_views_inplace():
    x = _leaf(1, 2)
    a, _b = _simple(lambda ctx, x: (x[0], x[1]), lambda ctx, g, h: torch.stack([g, h])).apply(x * 1)
    return a._is_view(), _er(lambda: a.mul_(2))


def function_dirty_two():
    def fwd(ctx, x, y):
        x.mul_(2)
        y.mul_(3)
        ctx.mark_dirty(x, y)
        return x, y

    x, y = _leaf(1), _leaf(2)
    a, b = x * 1, y * 1
    c, d = _simple(fwd, lambda ctx, g, h: (g * 2, h * 3)).apply(a, b)
    (c * d).sum().backward()
    return c is a, d is b, x.grad, y.grad


def function_mat_upstream_none():
    n = []

    class A(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            n.append(g)
            return g

    Nn = _simple(lambda ctx, x: x * 2, lambda ctx, g: None)
    x = _leaf(1)
    Nn.apply(A.apply(x)).sum().backward()
    return n, x.grad


def func_grad_errs():
    return (
        _er(lambda: TF.grad(lambda x: x)(_const(1, 2))),
        _er(lambda: TF.grad(lambda x: 1.0)(_const(1))),
        _er(lambda: TF.grad(lambda x: x.sum())(1.0)),
        _er(lambda: TF.grad(lambda x: x.sum())(torch.tensor([1]))),
        _er(lambda: TF.grad(lambda x: x.sum(), argnums=2)(_const(1))),
        _er(lambda: TF.grad(lambda x: x.sum(), argnums="a")(_const(1))),
        _er(lambda: TF.grad(lambda x: x.sum(), has_aux=True)(_const(1))),
        _er(lambda: TF.grad(lambda x: (x.sum(), 1), has_aux=True)(_const(1))),
        _er(lambda: TF.grad(lambda x: x.view(1))(torch.tensor(1.0))),
    )


def func_vjp_int_out():
    return _er(lambda: TF.vjp(lambda x: x.long(), _const(1))[1](torch.tensor([1])))


def func_jvp_errs():
    f = lambda x: x**2
    return (
        _er(lambda: TF.jvp(f, _const(1), _const(1))),
        _er(lambda: TF.jvp(f, (_const(1),), (_const(1, 2),))),
        _er(lambda: TF.jvp(f, (_const(1),), (_const(1), _const(1)))),
        _er(lambda: TF.jvp(f, (_const(1),), _const(1))),
        _er(lambda: TF.jvp(f, (), ())),
        _er(lambda: TF.jvp(lambda x: 3.0, (_const(1),), (_const(1),))),
        _er(lambda: TF.jvp(f, (_const(1),), (3.0,))),
        _er(lambda: TF.jvp(lambda x: _const(1), (_const(1),), (_const(1),), strict=True)),
    )


def func_jac_chunk():
    return (
        TF.jacrev(lambda x: x**2, chunk_size=1)(_const(1, 2)),
        _er(lambda: TF.jacrev(lambda x: x**2, chunk_size=0)(_const(1, 2))),
        _er(lambda: TF.jacrev(lambda x: x**2, chunk_size=0)),
    )


def func_linearize():
    o, j = TF.linearize(lambda x: x**2, _const(1, 2))
    return o, j(_const(1, 1)), j(_const(0, 3)), _er(lambda: j(_const(1)))


def func_fcall_tuple_dicts():
    m = torch.nn.Linear(2, 1)
    x = torch.ones(2)
    return TF.functional_call(m, ({"weight": torch.ones(1, 2)}, {"bias": torch.ones(1)}), (x,)), _er(
        lambda: TF.functional_call(m, ({"weight": x}, {"weight": x}), (x,))
    )


def func_over_dual():
    with fwAD.dual_level():
        return _er(lambda: TF.jvp(lambda x: x**2, (_const(1),), (_const(1),)))


def func_vmap():
    return (
        TF.vmap(lambda x: x.sum())(torch.arange(6.0).view(2, 3)),
        TF.vmap(lambda x, y: x * y, in_dims=(0, None))(_const(1, 2), _const(3, 4)),
        TF.vmap(lambda x: x, in_dims=1, out_dims=1)(torch.arange(6.0).view(2, 3)),
        TF.vmap(lambda x: (x, x.sum()))(torch.arange(6.0).view(2, 3)),
    )


def func_vmap_nested():
    return TF.vmap(TF.vmap(lambda x, y: x * y, (None, 0)), (0, None))(_const(1, 2), _const(3, 4, 5))


def func_perturb():
    f = lambda x: x * TF.grad(lambda y: x * y)(torch.tensor(1.0))
    return TF.grad(f)(torch.tensor(3.0))


def functional_jac_types():
    return (
        _er(lambda: AF.jacobian(lambda x: x, 1.0)),
        _er(lambda: AF.jacobian(lambda x: 1.0, _const(1))),
        _er(lambda: AF.jacobian(lambda x: x, [_const(1)])),
        _er(lambda: AF.jacobian(lambda x: (x, 1.0), _const(1))),
    )


def functional_hess_errs():
    return (
        _er(lambda: AF.hessian(lambda x: x * 2, _const(1, 2))),
        _er(lambda: AF.hessian(lambda x: (x.sum(), x.sum()), _const(1, 2))),
        _er(lambda: AF.hessian(lambda x: 3.0, _const(1, 2))),
        _er(lambda: AF.hessian(lambda x: x.sum(), _const(1, 2), strict=True)),
        _er(lambda: AF.hessian(lambda x: (x**2).sum(), _const(1, 2), strict=True)),
    )


def functional_jvp_errs():
    return (
        _er(lambda: AF.jvp(lambda x: x**2, _const(1, 2))),
        _er(lambda: AF.jvp(lambda x: x**2, _const(1, 2), _const(1))),
        _er(lambda: AF.jvp(lambda x: _const(1), _const(1), _const(1), strict=True)),
        _er(lambda: AF.jvp(lambda x, y: x * 2, (_const(1), _const(2)), (_const(1), _const(1)), strict=True)),
        _er(lambda: AF.jvp(lambda x: 2 * x, _const(1), _const(1), strict=True)),
    )


def numbers_norms():
    return {
        str(p): _tab({k: ((lambda p: lambda t: t.norm(p))(p), v) for k, v in REDUCED.items()})
        for p in (0, 0.5, 1, 1.5, 2, 3, INF, -INF, -1)
    }


def numbers_vnorms():
    return {
        str(p): _tab({k: ((lambda p: lambda t: torch.linalg.vector_norm(t, p))(p), v) for k, v in REDUCED.items()})
        for p in (0, 0.5, 1, 2, 3, INF, -INF)
    }


def numbers_bmax():
    return _bin(torch.maximum)


def numbers_bpow():
    return _bin(torch.pow)


def numbers_maxd():
    return _red(lambda t: t.max(0).values)


def numbers_amax():
    return _red(torch.amax)


def numbers_cumprod():
    return _red(lambda t: t.cumprod(0))


def numbers_mediand():
    return _red(lambda t: t.median(0).values)


def numbers_dd():
    o = {}
    for n, f in {
        "relu": torch.relu,
        "abs": torch.abs,
        "leaky": F.leaky_relu,
        "elu": F.elu,
        "selu": F.selu,
        "celu": F.celu,
        "softplus": F.softplus,
        "hardtanh": F.hardtanh,
        "hardswish": F.hardswish,
        "hardsig": F.hardsigmoid,
        "silu": F.silu,
        "mish": F.mish,
        "gelu": F.gelu,
        "sqrt": torch.sqrt,
        "norm": lambda x: x.view(1).norm(),
        "norm1": lambda x: x.view(1).norm(1),
        "pow2": lambda x: x**2,
        "pow0": lambda x: x**0,
        "pow1": lambda x: x**1,
        "pow15": lambda x: x**1.5,
        "clamp": lambda x: x.clamp(0, 1),
        "max": lambda x: torch.maximum(x, -x),
        "sinc": torch.sinc,
        "logsig": F.logsigmoid,
        "softsign": F.softsign,
        "softshrink": F.softshrink,
        "hardshrink": F.hardshrink,
        "tanhshrink": F.tanhshrink,
        "threshold": lambda x: F.threshold(x, 0, 0),
        "relu6": F.relu6,
        "square": torch.square,
        "cosh": torch.cosh,
        "prod": lambda x: torch.stack([x, x, x]).prod(),
        "cumprod": lambda x: torch.stack([x, x, x]).cumprod(0).sum(),
        "std": lambda x: torch.stack([x, -x]).std(),
        "xlogy": lambda x: torch.xlogy(x, x + 1),
        "smooth": lambda x: F.smooth_l1_loss(x, x * 0),
        "huber": lambda x: F.huber_loss(x, x * 0),
        "mse": lambda x: F.mse_loss(x, x * 0),
        "rec": torch.reciprocal,
        "expm1": torch.expm1,
        "atan2": lambda x: torch.atan2(x, x + 1),
        "where": lambda x: torch.where(x > 0, x * x, x),
        "sgn": lambda x: torch.sgn(x) * x,
    }.items():
        for v in (0.0, -3.0, 1.0):
            x = _sc(v)

            def run():
                (g,) = grad(f(x), x, create_graph=True)
                if not g.requires_grad:
                    return (g.item(), "norg")
                (h,) = grad(g, x, allow_unused=True)
                return (g.item(), None if h is None else h.item())

            o[n + str(v)] = _er(run)
    return {k: str(v) if not isinstance(v, tuple) else [_num(i) for i in v[1]] for k, v in o.items()}


def checkpoint_saved():
    n = []
    x = _leaf(1)
    with saved_tensors_hooks(lambda t: n.append(1) or t, lambda t: t):
        checkpoint(lambda t: t.exp().sin().cos(), x, use_reentrant=False)
    a = len(n)
    with saved_tensors_hooks(lambda t: n.append(1) or t, lambda t: t):
        checkpoint(lambda t: t.exp().sin().cos(), x, use_reentrant=True)
    return a, len(n)


def checkpoint_rng_after():
    torch.manual_seed(0)
    x = torch.ones(10, dtype=f64, requires_grad=True)
    y = checkpoint(lambda t: F.dropout(t, 0.5), x, use_reentrant=False)
    s = torch.get_rng_state()
    y.sum().backward()
    return torch.equal(s, torch.get_rng_state())


def checkpoint_nested():
    x = _leaf(2)
    n = []

    def inner(t):
        n.append("i")
        return t.sin()

    for re in (True, False):
        checkpoint(lambda t: n.append("o") or checkpoint(inner, t, use_reentrant=re).exp(), x, use_reentrant=re).sum().backward()
    return x.grad, n


def checkpoint_early():
    n = []

    def f(t):
        a = t.exp()
        n.append(1)
        b = a.sin()
        n.append(2)
        return b + 1

    checkpoint(f, _leaf(1), use_reentrant=False).sum().backward()
    m = list(n)
    with torch.utils.checkpoint.set_checkpoint_early_stop(False):
        checkpoint(f, _leaf(1), use_reentrant=False).sum().backward()
    return m, n


def checkpoint_context():
    n = []

    @contextlib.contextmanager
    def c(k):
        n.append("in" + k)
        yield
        n.append("out" + k)

    checkpoint(
        lambda t: n.append("f") or t.exp(), _leaf(1), use_reentrant=False, context_fn=lambda: (c("1"), c("2"))
    ).sum().backward()
    return n


def checkpoint_detnone():
    n = []

    def f(t):
        n.append(1)
        return t.exp() if len(n) == 1 else torch.cat([t, t]).exp()[:1]

    return _er(lambda: checkpoint(f, _leaf(1), use_reentrant=False, determinism_check="none").sum().backward()), _er(
        lambda: checkpoint(f, _leaf(1), use_reentrant=False).sum().backward()
    )


def engine_modes():
    r = []
    with torch.inference_mode():
        r.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
    with torch.inference_mode(False):
        r.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
    with torch.no_grad():
        with torch.enable_grad():
            r.append(torch.is_grad_enabled())
        with torch.inference_mode(False):
            r.append(torch.is_grad_enabled())
        r.append(torch.is_grad_enabled())
    with torch.inference_mode():
        with torch.enable_grad():
            r.append(torch.is_grad_enabled())
        with torch.inference_mode(False):
            r.append(torch.is_grad_enabled())
    return r


def engine_exec_engine():
    E = torch.autograd.Variable._execution_engine
    return hasattr(E, "run_backward"), hasattr(E, "queue_callback"), hasattr(E, "is_checkpoint_valid"), E.is_checkpoint_valid()


def engine_deep_reentrant():
    class R(Function):
        @staticmethod
        def forward(ctx, x, d):
            ctx.d = d
            return x * 1

        @staticmethod
        def backward(ctx, g):
            if ctx.d > 0:
                with torch.enable_grad():
                    t = _leaf(1)
                    R.apply(t, ctx.d - 1).sum().backward()
            return g, None

    x = _leaf(1)
    R.apply(x, 50).sum().backward()
    return x.grad


def engine_callback_nested():
    n = []
    x = _leaf(1)
    E = torch.autograd.Variable._execution_engine
    x.register_hook(lambda g: E.queue_callback(lambda: (n.append(1), E.queue_callback(lambda: n.append(2)))))
    return _er(lambda: x.sum().backward()), n


def anomaly_double():
    def f():
        with torch.autograd.set_detect_anomaly(True):
            x = _sc(0.0)
            (g,) = grad(x**1.5, x, create_graph=True)
            (g * 1).backward()
            return x.grad

    return _er(f)


def anomaly_states():
    r = [torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()]
    with torch.autograd.detect_anomaly(check_nan=False):
        r += [torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()]
    torch.autograd.set_detect_anomaly(True)
    r.append(torch.is_anomaly_enabled())
    torch.autograd.set_detect_anomaly(False)
    r.append(torch.is_anomaly_enabled())
    return r


def optim_nadam():
    return _opt(O.NAdam), _opt(O.NAdam, lr=0.1, weight_decay=0.1)


def optim_radam():
    return _opt(O.RAdam, n=8), _opt(O.RAdam, lr=0.1, weight_decay=0.1)


def optim_asgd():
    return _opt(O.ASGD), _opt(O.ASGD, lr=0.1)


def optim_rprop():
    return _opt(O.Rprop), _opt(O.Rprop, lr=0.1)


def optim_lbfgs():
    w = torch.nn.Parameter(_const(1.0, -2.0))
    o = O.LBFGS([w], lr=0.5)
    n = []

    def c():
        o.zero_grad()
        l = ((w - 3) ** 2).sum()
        l.backward()
        n.append(1)
        return l

    l = o.step(c)
    return l, w, len(n)


def optim_repr():
    return repr(O.SGD([torch.nn.Parameter(_const(2))], lr=0.1))


def optim_differentiable():
    w = _sc(2.0)

    def f():
        p = w.clone()
        o = O.SGD([p], lr=0.1, differentiable=True)
        p.grad = p * 3
        o.step()
        return grad(p, w)

    return _er(f)


def optim_sched():
    out = {}
    import torch.optim.lr_scheduler as S

    for n, mk in {
        "step": lambda o: S.StepLR(o, 2, 0.1),
        "exp": lambda o: S.ExponentialLR(o, 0.9),
        "multi": lambda o: S.MultiStepLR(o, [1, 3]),
        "lam": lambda o: S.LambdaLR(o, lambda e: 0.5**e),
        "cos": lambda o: S.CosineAnnealingLR(o, 4),
        "lin": lambda o: S.LinearLR(o, total_iters=3),
        "const": lambda o: S.ConstantLR(o, total_iters=2),
    }.items():
        w = torch.nn.Parameter(_const(1))
        o = O.SGD([w], lr=1.0)
        s = mk(o)
        r = []
        for _i in range(5):
            o.step()
            s.step()
            r.append(round(o.param_groups[0]["lr"], 6))
        out[n] = r
    return out


def nn_buffer():
    m = nn.Module()
    m.register_buffer("b", _const(1))
    m.register_buffer("c", _const(2), persistent=False)
    return (
        list(m.state_dict()),
        [n for n, _ in m.named_buffers()],
        _er(lambda: m.register_buffer("b.x", _const(1))),
        _er(lambda: m.register_buffer("", _const(1))),
    )


def nn_shared():
    l = nn.Linear(1, 1)
    m = nn.Sequential(l, l)
    return len(list(m.parameters())), list(m.state_dict()), len(list(m.named_parameters(remove_duplicate=False)))


def nn_load():
    m = nn.Linear(2, 1)
    w = m.weight
    v = w._version
    sd = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    r = m.load_state_dict(sd)
    return (
        str(r),
        m.weight is w,
        w._version - v,
        _er(lambda: m.load_state_dict({"weight": torch.ones(1, 2)})),
        str(m.load_state_dict({"weight": torch.ones(1, 2), "q": _const(1)}, strict=False)),
        _er(lambda: m.load_state_dict({"weight": torch.ones(1, 3), "bias": torch.zeros(1)})),
    )


def nn_list():
    l = nn.ModuleList([nn.Linear(1, 1), nn.Tanh()])
    l.append(nn.ReLU())
    l.insert(0, nn.Identity())
    return len(l), [type(m).__name__ for m in l], _er(lambda: l(_const(1)))


def nn_global():
    n = []
    hs = [
        nn.modules.module.register_module_forward_pre_hook(lambda m, i: n.append("pre")),
        nn.modules.module.register_module_forward_hook(lambda m, i, o: n.append("fwd")),
        nn.modules.module.register_module_full_backward_hook(lambda m, gi, go: n.append("bwd")),
        nn.modules.module.register_module_full_backward_pre_hook(lambda m, go: n.append("bpre")),
    ]
    x = _leaf(1)
    nn.Identity()(x * 1).sum().backward()
    [h.remove() for h in hs]
    nn.Identity()(x * 1).sum().backward()
    return n


def nn_bwd_two_in():
    class D(nn.Module):
        def forward(self, x, y):
            return x * y

    n = []
    m = D()
    m.register_full_backward_hook(lambda mod, gi, go: n.append([None if g is None else g.tolist() for g in gi]))
    m(_leaf(2), _leaf(3)).sum().backward()
    m(_leaf(2), _const(3)).sum().backward()
    return n


def nn_utils_wn():
    m = nn.utils.weight_norm(nn.Linear(2, 1))
    r = sorted(n for n, _ in m.named_parameters())
    m(torch.ones(1, 2)).sum().backward()
    return r, m.weight_g.grad is not None, hasattr(m, "weight"), isinstance(m.weight, nn.Parameter)


def nn_utils_par():
    import torch.nn.utils.parametrize as P

    class Sym(nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).transpose(-1, -2)

    m = nn.Linear(2, 2).double()
    P.register_parametrization(m, "weight", Sym())
    w = m.weight
    w.sum().backward()
    r = (
        P.is_parametrized(m),
        P.is_parametrized(m, "weight"),
        sorted(n for n, _ in m.named_parameters()),
        torch.equal(w, w.t()),
        m.parametrizations.weight.original.grad,
        w.is_leaf,
        type(m).__name__,
    )
    with P.cached():
        c = m.weight is m.weight
    P.remove_parametrizations(m, "weight")
    return r, c, m.weight is m.weight, sorted(n for n, _ in m.named_parameters()), type(m).__name__


def nn_utils_par_assign():
    import torch.nn.utils.parametrize as P

    class D(nn.Module):
        def forward(self, x):
            return x * 2

        def right_inverse(self, x):
            return x / 2

    m = nn.Linear(1, 1).double()
    P.register_parametrization(m, "weight", D())
    m.weight = torch.full((1, 1), 6.0, dtype=f64)
    return m.weight, m.parametrizations.weight.original


def nn_utils_par_remove():
    import torch.nn.utils.parametrize as P

    class D(nn.Module):
        def forward(self, x):
            return x * 2

    m = nn.Linear(1, 1).double()
    nn.init.ones_(m.weight)
    P.register_parametrization(m, "weight", D())
    P.remove_parametrizations(m, "weight", leave_parametrized=True)
    a = m.weight.detach().clone()
    P.register_parametrization(m, "weight", D())
    P.remove_parametrizations(m, "weight", leave_parametrized=False)
    return a, m.weight, _er(lambda: P.remove_parametrizations(m, "weight"))


def nn_utils_pz():
    from torch.nn.utils import parametrizations as Z

    m = Z.weight_norm(nn.Linear(2, 1))
    return sorted(n for n, _ in m.named_parameters())


def nn_utils_stateless():
    import torch.nn.utils.stateless as S

    m = nn.Linear(2, 1, bias=False)
    return S.functional_call(m, {"weight": torch.ones(1, 2)}, (torch.ones(1, 2),))


def nn_utils_rnn():
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence([_const(1, 2), _const(3)], batch_first=True)


def complex_view_as_complex():
    x = _leaf(1, 2)
    return grad(torch.view_as_complex(x).abs(), x), _er(lambda: torch.view_as_complex(_leaf(1, 2, 3)))


def complex_zero():
    return {
        n: _er(lambda: _zg(f, 0j))
        for n, f in {
            "abs": torch.abs,
            "angle": torch.angle,
            "sgn": torch.sgn,
            "sqrt": torch.sqrt,
            "log": torch.log,
            "norm": lambda z: z.norm(),
            "pow2": lambda z: z**2,
            "pow0": lambda z: z**0,
            "powh": lambda z: z**0.5,
            "rec": torch.reciprocal,
            "prod": lambda z: z.prod(),
            "mulc": lambda z: z * z.conj(),
            "powz": lambda z: z**z,
        }.items()
    }


def complex_views():
    z = _z([1 + 1j]) * 1
    return (
        z.real._is_view(),
        z.real._base is z,
        z.conj()._is_view(),
        z.conj().is_conj(),
        z.conj().conj().is_conj(),
        z.imag.dtype,
        _er(lambda: _leaf(1).imag),
        _leaf(1).real.requires_grad,
        z.conj().resolve_conj().is_conj(),
        z.mT.shape if z.dim() > 1 else None,
    )


def complex_real_cross():
    x, z = _sc(2), _z(1 + 1j)
    o = x * z
    gx, gz = grad(o, (x, z), torch.tensor(1 + 2j, dtype=c128))
    y = _sc(3)
    return (
        gx,
        gz,
        grad((y * 1j).imag, y),
        grad((y + 1j).abs(), y),
        grad(torch.complex(y, y).abs(), y),
        grad((y ** (1 + 1j)).abs(), y),
    )


def broadcast_bcast_grads():
    out = {}
    for sa, sb in (((3, 1), (1, 4)), ((), (2, 3)), ((1, 1, 2), (3, 2)), ((2, 0), (1,)), ((1,), (0,)), ((5, 1, 3), (4, 1))):
        a = torch.ones(sa, dtype=f64, requires_grad=True)
        b = torch.full(sb, 2.0, dtype=f64, requires_grad=True)
        for n, f in {
            "add": torch.add,
            "mul": torch.mul,
            "div": torch.div,
            "pow": torch.pow,
            "max": torch.maximum,
            "where": lambda x, y: torch.where(x > 1, x, y),
            "sub": torch.sub,
            "atan2": torch.atan2,
            "lerp": lambda x, y: torch.lerp(x, y, 0.5),
            "addcmul": lambda x, y: torch.addcmul(x, x, y),
            "mse": lambda x, y: (x - y) ** 2,
            "masked": lambda x, y: x.masked_fill(y > 1, 0.0),
        }.items():
            out[f"{n}{sa}{sb}"] = _er(lambda: grad(f(a, b).sum(), (a, b), allow_unused=True))
    return out


def hooks_differentiated():  # hook on intermediate returned grads under create_graph differentiates
    x = _sc(2)
    y = x**2
    y.register_hook(lambda g: g**2)
    z = y * 3
    (g,) = grad(z, x, create_graph=True)
    return g, grad(g, x)


def hooks_node_before_tensor():  # pre-hook of node modifies before tensor hooks?
    n = []
    x = _leaf(1)
    y = x * 2
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.register_hook(lambda g: n.append(g.item()))
    y.retain_grad()
    y.sum().backward()
    return n, y.grad, x.grad


def hooks_of_an_input():  # hooks see accumulated multi-path in grad(inputs=intermediate)
    n = []
    x = _leaf(1)
    y = x * 2
    y.register_hook(lambda g: n.append(g.item()) or g * 10)
    z = (y * 2 + y * 3).sum()
    return grad(z, y), n


def hooks_of_one_of_two_inputs():  # both x and y inputs with hooks on y
    x = _leaf(1)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    return grad((y * 3).sum(), (x, y))


def grad_of_a_piece():  # unused output of split
    x = _leaf(1, 2, 3)
    a, b, _c = x.split(1)
    return grad(a.sum(), x), _er(lambda: grad(a.sum(), b))


def hooks_post_accumulate_mode():  # grad mode inside hooks with retain
    r = []
    x = _leaf(1)
    x.register_post_accumulate_grad_hook(lambda p: r.append(torch.is_grad_enabled()))
    (x * 2).sum().backward()
    (x * 2).sum().backward(create_graph=True)
    return r


def function_saves_constant_output():  # save_for_backward of non-input/non-output in setup_context
    class S(Function):
        @staticmethod
        def forward(x):
            e = x.exp()
            return e * 2, e

        @staticmethod
        def setup_context(ctx, i, o):
            ctx.mark_non_differentiable(o[1])
            ctx.save_for_backward(o[1])

        @staticmethod
        def backward(ctx, g, _):
            return g * 2 * ctx.saved_tensors[0]

    x = _leaf(0.0)
    y, e = S.apply(x)
    y.sum().backward()
    return x.grad, e.requires_grad


def function_in_transforms():  # functional call of torch.func.grad over Function
    class S(Function):
        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def setup_context(ctx, i, o):
            ctx.save_for_backward(i[0])

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    return (
        torch.func.grad(lambda t: S.apply(t).sum())(_const(1, 3)),
        torch.func.grad(torch.func.grad(lambda t: S.apply(t)))(torch.tensor(3.0)),
        torch.func.vjp(S.apply, _const(2))[1](_const(5)),
        _er(lambda: torch.func.jvp(S.apply, (_const(2),), (_const(1),))),
    )


def function_setup_without_materializing():  # ctx.needs_input_grad in setup ctx, and set_materialize
    r = []

    class S(Function):
        @staticmethod
        def forward(x, y):
            return x * 2, y * 2

        @staticmethod
        def setup_context(ctx, i, o):
            r.append(ctx.needs_input_grad)
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, a, b):
            r.append((a is None, b is None))
            return a, b

    a, _b = S.apply(_leaf(1), _leaf(2))
    a.sum().backward()
    return r


def forward_write_through_view():  # forward AD + custom inplace view
    with fwAD.dual_level():
        x = fwAD.make_dual(_const(1, 2, 3), _const(1, 1, 1))
        y = x.clone()
        y[1:].mul_(x[:2])
        return fwAD.unpack_dual(y)


def forward_copy_into_view():
    with fwAD.dual_level():
        a = _const(1, 2)
        v = a[0:1]
        v.copy_(fwAD.make_dual(_const(5), _const(7)))
        return fwAD.unpack_dual(a).tangent, fwAD.unpack_dual(v).tangent


def forward_aliases():
    with fwAD.dual_level():
        a = fwAD.make_dual(_const(1, 2), _const(1, 1))
        b = a.detach()
        c = a.view(2)
        d = a.data
        return [fwAD.unpack_dual(t).tangent for t in (b, c, d)]


def checkpoint_hooks_inside():  # saved_tensors_hooks inside checkpoint fn
    n = []
    x = _leaf(1.0)

    def f(t):
        with saved_tensors_hooks(lambda t: n.append("p") or t, lambda t: n.append("u") or t):
            return t.exp().sin()

    torch.utils.checkpoint.checkpoint(f, x, use_reentrant=False).sum().backward()
    return n


def hooks_multi_unreached():  # multi_grad_hook 'all' with unreachable first
    n = []
    a, b = _leaf(1), _leaf(2)
    register_multi_grad_hook([a, b], lambda gs: n.append([g is None for g in gs]))
    (a * 2).sum().backward()
    (b * 2).sum().backward()
    torch.autograd.backward([(a * 2).sum(), (b * 3).sum()])
    return n


def nodes_names():  # names of nodes
    x = _leaf(1, 2)
    return [
        f(x).grad_fn.name()
        for f in (
            lambda t: t + 1,
            lambda t: t * 2,
            lambda t: t / 2,
            lambda t: t - 1,
            lambda t: 1 - t,
            lambda t: t**2,
            lambda t: 2**t,
            lambda t: t @ t,
            lambda t: t.sum(),
            lambda t: t.mean(0),
            lambda t: t[0],
            lambda t: t[[0]],
            lambda t: t[0:1],
            lambda t: t.view(2, 1),
            lambda t: t.reshape(2, 1),
            lambda t: t.t(),
            lambda t: t.unsqueeze(0),
            lambda t: t.squeeze(),
            lambda t: t.expand(2, 2),
            lambda t: torch.cat([t, t]),
            lambda t: torch.stack([t, t]),
            lambda t: t.max(),
            lambda t: t.max(0)[0],
            lambda t: t.clone(),
            lambda t: t.float(),
            lambda t: torch.where(t > 0, t, t),
            lambda t: t.softmax(0),
            lambda t: t.clamp(0, 1),
            lambda t: t.clamp(min=0),
            lambda t: F.linear(t, torch.ones(3, 2, dtype=f64)),
            lambda t: F.linear(t.view(1, 2), torch.ones(3, 2, dtype=f64), torch.ones(3, dtype=f64)),
            lambda t: F.mse_loss(t, t.detach()),
            lambda t: F.relu(t),
            lambda t: F.cross_entropy(t.view(1, 2), torch.tensor([0])),
            lambda t: t.norm(),
            lambda t: t.std(),
            lambda t: t.var(),
            lambda t: t.prod(),
            lambda t: t.cumsum(0),
            lambda t: t.sort()[0],
            lambda t: t.topk(1)[0],
            lambda t: t.gather(0, torch.tensor([0])),
            lambda t: t.masked_fill(t > 0, 0),
            lambda t: t.index_select(0, torch.tensor([0])),
            lambda t: t.permute(0),
            lambda t: t.transpose(0, 0),
            lambda t: t.diagonal() if t.dim() > 1 else t.diag(),
            lambda t: t.flip(0),
            lambda t: t.roll(1),
            lambda t: t.repeat(2),
            lambda t: t.split(1)[0],
            lambda t: t.unbind()[0],
            lambda t: t.chunk(2)[0],
            lambda t: torch.outer(t, t),
            lambda t: torch.dot(t, t),
            lambda t: torch.mv(torch.ones(2, 2, dtype=f64), t),
            lambda t: torch.einsum("i,i", t, t),
            lambda t: t.logsumexp(0),
            lambda t: t.abs(),
            lambda t: -t,
            lambda t: t.detach() * _leaf(1),
            lambda t: torch.maximum(t, t),
            lambda t: F.gelu(t),
            lambda t: F.dropout(t, 0.5),
            lambda t: t.to(torch.float32),
            lambda t: t.narrow(0, 0, 1),
            lambda t: t.select(0, 0),
            lambda t: t.unfold(0, 1, 1),
            lambda t: t.as_strided((1,), (1,)),
            lambda t: t.tril() if t.dim() > 1 else torch.tril(t.view(1, 2)),
            lambda t: F.pad(t, (1, 1)),
            lambda t: t.lerp(t, 0.5),
            lambda t: torch.addcmul(t, t, t),
            lambda t: t.fmod(2),
            lambda t: t.remainder(2),
            lambda t: torch.atan2(t, t),
            lambda t: F.layer_norm(t, (2,)),
            lambda t: F.embedding(torch.tensor([0]), t.view(2, 1)),
            lambda t: torch.bmm(t.view(1, 1, 2), t.view(1, 2, 1)),
            lambda t: F.conv1d(t.view(1, 1, 2), torch.ones(1, 1, 1, dtype=f64)),
            lambda t: F.max_pool1d(t.view(1, 1, 2), 2),
            lambda t: F.avg_pool1d(t.view(1, 1, 2), 2),
            lambda t: F.log_softmax(t, 0),
            lambda t: F.sigmoid(t),
            lambda t: F.softplus(t),
            lambda t: F.leaky_relu(t),
            lambda t: torch.nan_to_num(t),
            lambda t: t.amax(),
            lambda t: t.amin(0),
            lambda t: torch.cross(t.new_ones(3) * t[0], t.new_ones(3), dim=0),
        )
    ]


def nodes_names_in_place():  # inplace node names
    out = []
    for f in (
        lambda t: t.add_(1),
        lambda t: t.mul_(2),
        lambda t: t.exp_(),
        lambda t: t.zero_(),
        lambda t: t.fill_(1),
        lambda t: t.copy_(_const(1, 2)),
        lambda t: t.clamp_(0, 1),
        lambda t: t.relu_(),
        lambda t: t.__setitem__(0, 1.0) or t,
        lambda t: t.t_(),
        lambda t: t.unsqueeze_(0),
        lambda t: t.masked_fill_(t > 0, 0),
        lambda t: t.index_fill_(0, torch.tensor([0]), 1.0),
        lambda t: t.sub_(1),
        lambda t: t.pow_(2),
        lambda t: t.div_(2),
        lambda t: t.sigmoid_(),
        lambda t: t.uniform_(),
        lambda t: t.normal_(),
        lambda t: t.bernoulli_(),
        lambda t: t.squeeze_(),
    ):
        y = _leaf(1, 2) * 1
        out.append(f(y).grad_fn.name())
    return out


class _Ignoring(Function):
    """Gives its second operand no gradient."""

    @staticmethod
    def forward(ctx, a, b):
        return a + b

    @staticmethod
    def backward(ctx, g):
        return g, None


def _refusal(f):
    try:
        f()
    except RuntimeError as e:
        return str(e)[:80]


def no_gradient_into_what_was_written():  # a node that no gradient reaches unpacks what it saved all the same
    a = _leaf(1, 2)
    b = a * 2
    c = b * b
    b.mul_(2.0)
    return _refusal(_Ignoring.apply(a, c).sum().backward)


def no_gradient_into_what_was_freed():
    a = _leaf(1, 2)
    c = a * a
    d = _Ignoring.apply(a, c).sum()
    c.sum().backward()
    return _refusal(d.backward)


def no_gradient_frees_what_was_saved():
    a = _leaf(1, 2)
    c = a * a
    _Ignoring.apply(a, c * 3).sum().backward()
    return _refusal(c.sum().backward)


def no_gradient_unpacks():
    seen = []
    with saved_tensors_hooks(lambda t: t, lambda t: seen.append(t.tolist()) or t):
        a = _leaf(1, 2)
        d = _Ignoring.apply(a, a * a).sum()
    d.backward()
    return seen, a.grad


def no_gradient_through_a_written_part():
    a = _leaf(1, 2)
    c = a.clone()
    c[0:1].mul_(c[1:2] * 1.0)
    _Ignoring.apply(a, c).sum().backward()
    return a.grad


def gradient_of_an_expanded_number():  # the sum of all is new memory, even of one number
    a = _sc(2)
    b = a.expand(())
    got = grad([b], [a, b])
    got[0].add_(1)
    return got


def polygamma_far_on_the_left():
    x = _const(-1089.5, -1000.25, -20.75, -0.3, 0.2, 50.0, INF)
    return [torch.polygamma(n, x) for n in (1, 2, 3, 5)], [torch.special.zeta(s, x) for s in (0.5, 1.0, 2.0, 3.0)]


def gradients_by_samples():
    x = _leaf(1, 4, 9, 20)
    y = torch.tensor([[1.0, 2.0, 4.0], [3.0, 1.0, 0.5], [2.0, 2.0, 7.0]], dtype=f64, requires_grad=True)
    found = [
        *torch.gradient(x),
        *torch.gradient(x, spacing=2.0, edge_order=2),
        *torch.gradient(x, spacing=(_const(0, 1, 3, 4),)),
        *torch.gradient(x, spacing=(_const(0, 1, 3, 4),), edge_order=2),
        *torch.gradient(y, spacing=[3.0, 2.0]),
        *torch.gradient(y, dim=(1,), edge_order=2),
    ]
    return found, grad(sum((f * f).sum() for f in found), (x, y))


def gradients_by_samples_refused():
    return [
        _er(lambda: torch.gradient(_leaf(1))),
        _er(lambda: torch.gradient(_leaf(1, 2), edge_order=2)),
        _er(lambda: torch.gradient(_leaf(1, 2), edge_order=3)),
        _er(lambda: torch.gradient(_leaf(1, 2), spacing=[1.0, 2.0])),
    ]


def integrals_up_to_each_sample():
    x, y = _const(0, 1, 3, 4), _leaf(1, 4, 9, 20)
    found = [torch.cumulative_trapezoid(y), torch.cumulative_trapezoid(y, x), torch.cumulative_trapezoid(y, dx=0.5)]
    return found, grad(sum((f * f).sum() for f in found), y)


def matrices_without_inverse():
    singular = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=f64)
    batch = torch.stack([torch.eye(2, dtype=f64), singular])
    minor = torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=f64)
    tried = [
        lambda: torch.inverse(singular),
        lambda: torch.linalg.inv(batch),
        lambda: torch.linalg.cholesky(minor),
        lambda: torch.linalg.cholesky(torch.stack([torch.eye(2, dtype=f64), -minor])),
        lambda: torch.linalg.solve(singular, torch.ones(2, dtype=f64)),
    ]
    found = []
    for f in tried:
        try:
            f()
        except torch.linalg.LinAlgError as e:
            found.append((type(e).__name__, str(e)))
    return found


def what_a_function_saved_after_backward():  # nothing was saved, and all the same it is not to be asked for
    made = _simple(lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(_leaf(2))
    before = made.grad_fn.saved_tensors
    made.backward()
    after = _refusal(lambda: made.grad_fn.saved_tensors)
    made.backward()
    return before, after


def calls_with_what_is_no_tensor():
    x = _leaf(2)
    return [
        _refusal(lambda: increment_version(3)),
        _refusal(lambda: increment_version([3])),
        _refusal(lambda: grad(x * 3, torch.autograd.graph.GradientEdge(None, 0))),
    ]


def second_derivative_of_cross_entropy_by_its_target():  # at 0, where torch divides by no less than its constant
    x, y = _leaf(0, 0.5, 1), _leaf(0.25, 0.5, 0.75)
    (g,) = grad(F.binary_cross_entropy(x, y, reduction="sum"), x, create_graph=True)
    return g, grad(g.sum(), y)
