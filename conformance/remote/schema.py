"""The protocol's JSON Schema, generated from its messages, and messages checked against it.

python -m conformance.remote.schema > docs/protocol/protocol.schema.json
python -m conformance.remote.schema ops > docs/protocol/ops.tsv
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from conformance.catalog import CATALOG
from conformance.errors import Defect, UsageError
from conformance.remote import messages

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS = "#/$defs/{name}"


def document() -> dict[str, Any]:
    """The schema of every message: a command to the child, or an answer of the child's."""
    kinds = [messages.AnyCommand, *messages.ANSWERS.values()]
    (commands, *answers), defs = msgspec.json.schema_components(kinds, ref_template=DEFINITIONS)
    for definition in defs.values():
        if definition.get("type") == "object" and "properties" in definition:
            definition["additionalProperties"] = False
    return {
        "$schema": DIALECT,
        "title": f"autograd-conformance protocol, version {messages.PROTOCOL}",
        "description": "One message a line. README.md beside this file says what the messages mean.",
        "anyOf": [{"$ref": "#/$defs/Command"}, {"$ref": "#/$defs/Answer"}],
        "$defs": {"Command": commands, "Answer": {"anyOf": answers}, **dict(sorted(defs.items()))},
    }


def text() -> str:
    """The schema as it is kept in docs/protocol/."""
    return json.dumps(document(), indent=1) + "\n"


class Checker:
    """Checks messages against the schema.

    Raises:
        UsageError: the package that does so is not there.
    """

    def __init__(self) -> None:
        try:
            import jsonschema
        except ModuleNotFoundError:
            raise UsageError("--strict-protocol needs jsonschema: python3 -m pip install jsonschema") from None
        schema = document()
        self._commands = jsonschema.Draft202012Validator({**schema, "anyOf": [{"$ref": "#/$defs/Command"}]})
        self._answers = {
            kind: jsonschema.Draft202012Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{type_.__name__}"}]})
            for kind, type_ in messages.ANSWERS.items()
        }

    def command(self, line: bytes) -> None:
        """Check what we send ourselves.

        Raises:
            Defect: it is not of the schema.
        """
        problem = _problem(self._commands, line)
        if problem:
            raise Defect(f"a message against our own schema: {problem}")

    def answer(self, kind: str, line: bytes) -> str:
        """What is wrong with an answer of this kind; empty where nothing is."""
        return _problem(self._answers[kind], line)


def _problem(validator: Any, line: bytes) -> str:
    """The place and the words of the deepest error of a message."""
    error = next(validator.iter_errors(json.loads(line)), None)
    while error is not None and error.context:
        error = max(error.context, key=lambda e: len(e.path))
    return "" if error is None else f"{error.message} at {error.json_path}"


def ops() -> str:
    """The ops of the catalogue as docs/protocol/ lists them: name, kind of step, kinds of operands, torch's code."""
    lines = ["op\tstep\toperands\ttorch"]
    for op in CATALOG.values():
        code = " ; ".join(filter(None, [op.setup.replace("\n", "\\n").replace("\t", "    "), op.torch]))
        lines.append("\t".join([op.name, "mutate" if op.inplace else "apply", " ".join(op.kinds), code]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(ops() if sys.argv[1:] == ["ops"] else text())
