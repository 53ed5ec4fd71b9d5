"""The messages between the suite and a child, one JSON object a line. docs/protocol/ describes them for an implementer."""

from __future__ import annotations

from typing import Annotated, Any, Union

import msgspec

from conformance.program import Program

PROTOCOL = 1
LONGEST_LINE = 64 << 20  # bytes of an answer; what is longer is taken for noise

Count = Annotated[int, msgspec.Meta(ge=0)]
Place = Annotated[int, msgspec.Meta(ge=-1)]
Name = Annotated[str, msgspec.Meta(max_length=200)]

# What is seen: null, a flag, a number, a text, or nested lists of them. Eight levels hold all calls of a hook.
Plain = Union[None, bool, int, float, str]
_1 = Union[Plain, list[Plain]]
_2 = Union[Plain, list[_1]]
_3 = Union[Plain, list[_2]]
_4 = Union[Plain, list[_3]]
_5 = Union[Plain, list[_4]]
_6 = Union[Plain, list[_5]]
_7 = Union[Plain, list[_6]]
Content = Union[Plain, list[_7]]

Seen = tuple[Place, Place, Name, Content]  # after this step, this facet of this slot had this content


# -- to the child ---------------------------------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, tag_field="cmd", kw_only=True, omit_defaults=True):
    """What a child is told. Its answers carry the same `seq`."""

    seq: Count


class Hello(Command, frozen=True, tag="hello", kw_only=True, omit_defaults=True):
    """The first message: say who you are."""

    protocol: Count


class Run(Command, frozen=True, tag="run", kw_only=True, omit_defaults=True):
    """Run these programs, each from a fresh start, and answer with one Observed a program, in their order."""

    schedule: Name
    facets: list[Name]
    programs: list[Program]


class Wrong(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong in a program, for its script: which facet of which slot after which step, but not what was expected."""

    kind: Name
    step: int
    slot: int
    facet: Name
    category: Name = ""


class Write(Command, frozen=True, tag="script", kw_only=True, omit_defaults=True):
    """Write this program as plain code of the engine; only sent to children that say `scripts`."""

    program: Program
    difference: Union[Wrong, None] = None


class Stop(Command, frozen=True, tag="stop", kw_only=True, omit_defaults=True):
    """End, without an answer."""


AnyCommand = Union[Hello, Run, Write, Stop]


# -- from the child -------------------------------------------------------------------------------------------------------


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine has. What is left out is never asked for, and the rules that need it are reported as unsupported."""

    ops: list[Name]
    dtypes: list[Name]
    steps: list[Name]
    facets: list[Name]
    traits: list[Name] = []
    ranks: Union[tuple[Count, ...], None] = None
    schedules: tuple[Name, ...] = ("thorough",)
    slow: bool = False
    scripts: bool = False


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to Hello."""

    seq: Count
    protocol: Count
    name: Name
    capabilities: Capabilities
    version: Name = "unknown"
    home: Name = ""
    issues: Name = ""
    language: Name = ""


class Unready(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to Hello where the engine cannot start; `usage`: the user named something that is not there."""

    seq: Count
    error: str
    usage: bool = False


class Refused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The engine raised in this step."""

    step: Count
    category: Name = "other"
    message: str = ""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one program; `unsupported` says what the engine lacks for it."""

    seq: Count
    index: Count
    sights: list[Seen] = []
    refusal: Union[Refused, None] = None
    unsupported: Union[str, None] = None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to Write. `@expected@` and `@observed@` in the text stand for contents that the child is not told."""

    seq: Count
    text: str


ANSWERS: dict[str, type[Any]] = {"ready": Ready, "unready": Unready, "observed": Observed, "written": Written}

encode = msgspec.json.Encoder().encode
command = msgspec.json.Decoder(AnyCommand).decode
observed = msgspec.json.Decoder(Observed).decode
written = msgspec.json.Decoder(Written).decode
ready = msgspec.json.Decoder(Ready).decode
unready = msgspec.json.Decoder(Unready).decode
