"""What the site has besides the pages in docs/: the front matter of the repository, and a page of rules for each area.

Nothing of it is kept: it is made from the files and the rules of the moment whenever the site is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.areas import AREAS, Area
from conformance.rules import RULES, Rule
from conformance.rules.caught import caught_alone
from conformance.script import Script

ROOT = Path(__file__).parents[2]
FRONT = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LEVELS = {1: "Gradients and accumulation", 2: "Flags, detach, no_grad", 3: "Memory", 4: "Higher order, hooks, refusals"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that lead out of docs/ lead to the front matter's pages."""
    up = "../" * page.file.src_uri.count("/")
    for source, name in FRONT.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(source)}", f"]({up}{name}", markdown)
    return markdown


def pages() -> dict[str, str]:
    """File of the site -> its Markdown."""
    front = {name: from_root((ROOT / source).read_text("utf-8")) for source, name in FRONT.items()}
    return front | {"rules/index.md": index()} | {f"rules/{area.name}.md": chapter(area) for area in AREAS}


def from_root(markdown: str) -> str:
    """A page of the repository's root, with its links as the site has them."""
    markdown = re.sub(r"\]\(docs/", "](", markdown)
    for source, name in FRONT.items():
        markdown = markdown.replace(f"]({source}", f"]({name}")
    return markdown


def of(area: Area) -> list[Rule]:
    """The rules of an area."""
    return [rule for rule in RULES.values() if rule.area == area.name]


def index() -> str:
    """All rules on one page, by level and area."""
    lines = [
        "# Rules",
        "",
        f"{len(RULES)} rules in {len(AREAS)} areas on four levels. A MUST rule fails where it is broken; a MAY "
        "rule only tells how the engine decides. `conformance rules` prints this list, `conformance explain RULE-ID` one rule.",
    ]
    for level, title in LEVELS.items():
        lines += ["", f"## Level {level}: {title}"]
        for area in (area for area in AREAS if area.level == level):
            lines += ["", f"### [{area.title}]({area.name}.md)", "", "| rule | | statement |", "|---|---|---|"]
            lines += [f"| [`{r.id}`]({area.name}.md#{anchor(r)}) | {r.obligation} | {cell(r.statement)} |" for r in of(area)]
    return "\n".join([*lines, ""])


def chapter(area: Area) -> str:
    """The rules of one area in full."""
    lines = [f"# {area.title}", "", f"Area `{area.name}`, level {area.level}, {len(of(area))} rules."]
    for rule in of(area):
        lines += ["", *entry(rule)]
    return "\n".join([*lines, ""])


def entry(rule: Rule) -> Iterator[str]:
    """One rule: its law, its reason, its source, a program that shows it."""
    yield from (f"## {rule.id} {{ #{anchor(rule)} }}", "", f"**{rule.obligation}** {escaped(rule.statement)}", "")
    yield from (f"*Why:* {escaped(rule.why)}", "", f"*Source:* {linked(rule.source)}", "")
    alone = len(caught_alone().get(rule.id, ()))
    if alone:
        yield from (f"*Planted defects of the reference engine that it alone catches:* {alone}", "")
    yield from ("```python", Script(rule.exemplar()).text().rstrip(), "```")


def anchor(rule: Rule) -> str:
    """The rule's place on its page."""
    return rule.id.replace(".", "-")


def escaped(text: str) -> str:
    """A text in which nothing is Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def cell(text: str) -> str:
    """The same in a table."""
    return escaped(text).replace("\n", " ")


def linked(source: str) -> str:
    """A source with its addresses as links."""
    parts = re.split(r"(https?://[^\s<>,;]+[^\s<>,;.)])", source)
    return "".join(f"<{part}>" if k % 2 else escaped(part) for k, part in enumerate(parts))
