"""An engine that says the worst it can wherever it may speak: names, messages, dtypes."""

from __future__ import annotations

from conformance.engines.reference import ReferenceEngine

SAID = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\x1b]0;owned\x07\x1b[31m\x00\u202e\u200b\ud800\ufffe\u2028]]>\x9b"
    "\n::error::owned\n##[command]owned\n```\n</details>\n| a | b |\n{0} [x](http://owned.example)\r"
)


class Loud(Exception):
    """An error with megabytes of message."""

    def __str__(self) -> str:
        return SAID * 20_000


class Hostile(ReferenceEngine):
    """Refuses products, with all that a message can hold, and is called accordingly."""

    name = SAID

    def version(self):
        return SAID

    def calls(self):
        def refuse(*operands):
            raise Loud

        return {**super().calls(), "mul": refuse}
