"""The reference engine with two defects, for records that hold failures."""

from __future__ import annotations

from conformance.engines.reference import ReferenceEngine


class Wrong(ReferenceEngine):
    """exp has half its gradient, and detach() copies."""

    home = "https://example.org/wrong"
    issues = f"{home}/issues"

    def calls(self):
        calls = dict(super().calls())
        exp = calls["exp"]
        return calls | {"exp": lambda a: exp(a) * 0.5 + exp(a).detach() * 0.5}

    def detach(self, tensor):
        return tensor.detach().clone()
