"""Errors carry a category and say what happened."""

from __future__ import annotations

import pytest

import reference_engine as torch


def leaf():
    return torch.tensor([1.0, 2.0], requires_grad=True)


def changed_saved():
    x = leaf()
    y = x.exp()
    y.add_(1)
    y.sum().backward()


def twice():
    y = (leaf() ** 2).sum()
    y.backward()
    y.backward()


def split_write():
    (leaf() * 1).split(1)[0].mul_(2)


CASES = {
    "version-mismatch": changed_saved,
    "graph-freed": twice,
    "leaf-inplace": lambda: leaf().add_(1),
    "view-inplace": split_write,
    "non-scalar-root": lambda: leaf().backward(),
    "no-grad-root": lambda: torch.ones(1).backward(),
    "shape-mismatch": lambda: leaf().backward(torch.ones(3)),
    "unused-input": lambda: torch.autograd.grad(leaf().sum(), leaf()),
    "no-grad-input": lambda: torch.autograd.grad(leaf().sum(), torch.ones(1)),
    "non-leaf-flag": lambda: setattr(leaf() * 1, "requires_grad", False),
}


@pytest.mark.parametrize("category", CASES)
def test_category(category):
    """Each misuse raises a RuntimeError of its category."""
    with pytest.raises(RuntimeError) as caught:
        CASES[category]()

    assert caught.value.category == category


def test_version_error_is_a_small_proof():
    """The message names the op that saved, the versions, and the last writer."""
    with pytest.raises(RuntimeError, match=r"ExpBackward0 saved `result` at version 0; the last in-place op on it was add_"):
        changed_saved()
