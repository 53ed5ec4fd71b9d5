"""NumPy kernels of the special functions, to about 1e-13 relative in float64. Results have the dtype of the argument.

Sources: Abramowitz and Stegun (asymptotic series, recurrences, reflections), Numerical Recipes (inverse error function).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

PI = math.pi
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def in_double(kernel: Callable) -> Callable:
    """Compute in float64, give back the (floating) dtype of the last array argument."""

    def run(*args: Any) -> Any:
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        kind = arrays[-1].dtype if arrays else np.dtype(np.float64)
        if kind.kind == "c":
            raise RuntimeError(f'"{kernel.__name__.strip("_")}" not implemented for complex numbers')
        with np.errstate(all="ignore"):
            out = kernel(*(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args))
        return np.asarray(out).astype(kind if kind.kind == "f" else np.float64)

    return run


def _of_python(fn: Callable, poles: float) -> Callable:
    def one(x: float) -> float:
        try:
            return fn(x)
        except (ValueError, OverflowError):
            return poles

    run = np.frompyfunc(one, 1, 1)
    return lambda x: np.asarray(run(x)).astype(np.float64)


_lgamma, _erf, _erfc = _of_python(math.lgamma, math.inf), _of_python(math.erf, math.nan), _of_python(math.erfc, math.nan)
lgamma = in_double(_lgamma)


def _digamma(x: Any) -> Any:
    """Shift up to 10, then the asymptotic series; reflection on the left. -+inf at +-0, NaN at the other poles."""
    left = x < 0
    y = np.where(left, 1 - x, x)
    total = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        total = np.where(small, total - 1 / y, total)
        y = np.where(small, y + 1, y)
    z, series, power = 1 / (y * y), np.zeros_like(y), 1.0
    for k, b in enumerate(BERNOULLI, 1):
        power = power * z
        series = series + b / (2 * k) * power
    total = np.where(np.isinf(y), y, total + np.log(y) - 0.5 / y - series)
    fraction = x - np.trunc(x)
    total = np.where(left, total - PI / np.tan(PI * fraction), total)
    total = np.where(left & (fraction == 0), np.nan, total)
    return np.where(x == 0, np.copysign(np.inf, -x), total)


digamma = in_double(_digamma)


def _zeta(s: Any, q: Any) -> Any:
    """Hurwitz's zeta function. s > 1; q not a pole."""
    s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
    pole = (q <= 0) & (q == np.floor(q))
    power_of_negative = (q <= 0) & ~pole & (s != np.floor(s))
    left = (q < 0) & np.isfinite(q) & ~pole & ~power_of_negative
    away = np.where(left, np.ceil(-q), 0.0)  # how many terms lie left of 0
    total = _zeta_of_positive(s, np.where(pole, 1.0, q + away))
    if left.any():  # the terms on the left are those of a sum to the right, up to the sign
        near, far = (_zeta_of_positive(s, np.where(left, x, 1.0)) for x in (1 - q - away, 1 - q))
        total = total + np.where(left, (near - far) * np.where(s % 2, -1.0, 1.0), 0.0)
    undefined = power_of_negative | (s < 1) | np.isposinf(q) | np.isnan(q) | np.isnan(s)
    return np.where(s == 1, np.inf, np.where(undefined, np.nan, np.where(pole, np.inf, total)))


def _zeta_of_positive(s: Any, q: Any) -> Any:
    """The same for q > 0 by Euler and Maclaurin, ten terms summed first."""
    n = 10
    total = sum(((q + k) ** -s for k in range(n)), np.zeros(q.shape))
    a = q + n
    total = total + a ** (1 - s) / (s - 1) + 0.5 * a**-s
    factor, power, factorial = s, a ** (-s - 1), 2.0
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b / factorial * factor * power
        factor = factor * (s + 2 * k - 1) * (s + 2 * k)
        power = power / (a * a)
        factorial *= (2 * k + 1) * (2 * k + 2)
    return total


zeta = in_double(_zeta)


@in_double
def polygamma(x: Any, n: int) -> Any:
    """The n-th derivative of digamma."""
    if n == 0:
        return _digamma(x)
    if n == 1:
        # Reflection: the sum over a far shift would be long.
        left = x < 0.5
        value = _zeta(2.0, np.where(left, 1 - x, x))
        value = np.where(np.isposinf(x), 0.0, value)
        return np.where(left, (PI / np.sin(PI * x)) ** 2 - value, value)
    return (-1) ** (n + 1) * math.factorial(n) * _zeta(float(n + 1), x)


# ---- error functions --------------------------------------------------------------------------------------------------


def _erfc_inverse(z: Any) -> Any:
    """y with erfc(y) = z, for 0 <= z <= 1: a rational guess and three steps of Halley."""
    t = np.sqrt(-2 * np.log(z / 2))
    y = -0.70711 * ((2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)) - t)
    for _ in range(3):
        wrong = _erfc(y) - z
        step = wrong / (2 / math.sqrt(PI) * np.exp(-y * y) - y * wrong)
        y = y + np.where(np.isfinite(step), step, 0)
    return np.where(z == 0, np.inf, y)


def _erf_inverse(x: Any) -> Any:
    size = np.abs(x)
    y = np.where(size < 0.5, x * math.sqrt(PI) / 2, 0.0)
    for _ in range(5):
        step = (_erf(y) - x) / (2 / math.sqrt(PI) * np.exp(-y * y))
        y = np.where(size < 0.5, y - step / (1 + y * step), y)
    far = np.copysign(_erfc_inverse(np.where((size >= 0.5) & (size <= 1), 1 - size, 0.5)), x)
    return np.where(size < 0.5, y, np.where(size <= 1, far, np.nan))


erfinv = in_double(_erf_inverse)


@in_double
def ndtri(p: Any) -> Any:
    """The inverse of the normal distribution function."""
    low = p < 0.5
    y = _erfc_inverse(np.where((p >= 0) & (p <= 1), 2 * np.where(low, p, 1 - p), 0.5))
    y = np.where((p > 0.25) & (p < 0.75), np.abs(_erf_inverse(np.where(np.abs(2 * p - 1) <= 1, 2 * p - 1, 0))), y)
    return np.where((p < 0) | (p > 1) | np.isnan(p), np.nan, math.sqrt(2) * np.where(low, -y, y))


def _erfcx(x: Any) -> Any:
    """exp(x*x) * erfc(x): as it stands, or beyond 25 by the asymptotic series."""
    near = np.clip(x, -30, 25)
    plain = np.exp(near * near) * _erfc(near)
    z = 1 / (2 * np.maximum(x, 25) ** 2)
    series = 1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z * (1 - 9 * z))))
    return np.where(x > 25, series / (np.maximum(x, 25) * math.sqrt(PI)), plain)


erfcx = in_double(_erfcx)


@in_double
def log_ndtr(x: Any) -> Any:
    """The logarithm of the normal distribution function."""
    t = x * math.sqrt(0.5)
    left = np.log(_erfcx(np.maximum(-t, 0.5)) / 2) - t * t
    return np.where(x < -1, left, np.log1p(-_erfc(np.maximum(t, -2)) / 2))


# ---- Bessel functions -------------------------------------------------------------------------------------------------

_COSINES = np.cos((np.arange(64) + 0.5) * PI / 64)


def _bessel_scaled(x: Any, order: int) -> Any:
    """exp(-|x|) I_order(x) for order 0 or 1: the integral over the half circle, beyond 30 the asymptotic series."""
    size = np.abs(x)
    near = np.minimum(size, 30.0)[..., None]
    if order == 0:
        value = np.exp(near * (_COSINES - 1)).mean(-1)
    else:
        value = np.exp(-near[..., 0]) * (np.expm1(near * _COSINES) * _COSINES).mean(-1)
    far, term = np.maximum(size, 30.0), np.ones_like(size)
    series = np.ones_like(size)
    for k in range(1, 30):
        term = term * -(4 * order * order - (2 * k - 1) ** 2) / (8 * k * far)
        series = series + term
    value = np.where(size > 30, series / np.sqrt(2 * PI * far), value)
    return np.copysign(value, x) if order else value


i0e = in_double(lambda x: _bessel_scaled(x, 0))
i1e = in_double(lambda x: _bessel_scaled(x, 1))


def _unscaled(x: Any, order: int) -> Any:
    # Half of the exponential at a time: exp(|x|) alone overflows before the product does.
    half = np.exp(np.abs(x) / 2)
    return half * (half * _bessel_scaled(x, order))


i0 = in_double(lambda x: _unscaled(x, 0))
i1 = in_double(lambda x: _unscaled(x, 1))

# ---- incomplete gamma functions ---------------------------------------------------------------------------------------


def _series(a: Any, x: Any) -> Any:
    """The lower one, regularised, by its power series; good for x < a + 1."""
    term = 1 / a
    total = term
    for k in range(1, 2000):
        term = term * x / (a + k)
        total = total + term
        if not (np.abs(term) > np.abs(total) * 1e-17).any():
            break
    return total * np.exp(a * np.log(x) - x - _lgamma(a))


def _fraction(a: Any, x: Any) -> Any:
    """The upper one, regularised, by Lentz's continued fraction; good for x > a + 1."""
    b = x + 1 - a
    c, d = np.full_like(b, 1e300), 1 / b
    h = d
    for k in range(1, 2000):
        n = -k * (k - a)
        b = b + 2
        d, c = 1 / (n * d + b), b + n / c
        h = h * d * c
        if not (np.abs(d * c - 1) > 1e-16).any():
            break
    return h * np.exp(a * np.log(x) - x - _lgamma(a))


def _incomplete(a: Any, x: Any, upper: bool) -> Any:
    a, x = np.broadcast_arrays(a, x)
    bad = (a < 0) | (x < 0) | ((a == 0) & (x == 0)) | np.isnan(a) | np.isnan(x)
    edge = bad | (a == 0) | (x == 0) | np.isinf(x)
    by_series = x < a + 1
    low = _series(np.where(edge | ~by_series, 1.0, a), np.where(edge | ~by_series, 1.0, x))
    high = _fraction(np.where(edge | by_series, 1.0, a), np.where(edge | by_series, 3.0, x))
    value = np.where(by_series, 1 - low if upper else low, high if upper else 1 - high)
    value = np.where(x == 0, 1.0 if upper else 0.0, value)
    value = np.where((a == 0) | np.isinf(x), 0.0 if upper else 1.0, value)
    return np.where(bad, np.nan, value)


igamma = in_double(lambda a, x: _incomplete(a, x, False))
igammac = in_double(lambda a, x: _incomplete(a, x, True))
