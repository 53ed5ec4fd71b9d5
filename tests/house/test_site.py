"""The site of the documentation: what is made for it, and what is built of it."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conformance.areas import AREAS
from conformance.rules import RULES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hooks() -> Any:
    """The module that makes pages."""
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs/site/hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_rule_has_its_place(hooks: Any) -> None:
    """Statement, reason, source and program stand on the page of the area, and the index links to each."""
    pages = hooks.pages()
    missing = [
        rule.id
        for rule in RULES.values()
        if f"## {rule.id} {{ #{hooks.anchor(rule)} }}" not in pages[f"rules/{rule.area}.md"]
        or f"{rule.area}.md#{hooks.anchor(rule)}" not in pages["rules/index.md"]
    ]

    assert missing == []
    assert all(page.count("```python") == sum(r.area == area.name for r in RULES.values())
               for area in AREAS for page in [pages[f"rules/{area.name}.md"]])  # fmt: skip


def test_pages_of_the_rules_are_not_kept() -> None:
    """They are made from the rules when the site is built; a copy would go stale."""
    assert not (ROOT / "docs/rules").exists()


def test_every_area_is_in_the_navigation() -> None:
    """A new area has its line in mkdocs.yml."""
    told = re.findall(r"- rules/(\w+)\.md", (ROOT / "mkdocs.yml").read_text())

    assert told == [area.name for area in AREAS]


def test_words_of_the_glossary_are_sorted_and_told_once() -> None:
    """A reader finds a word by its place."""
    words = re.findall(r"^\*\*(.+)\*\*$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)

    assert words == sorted(set(words))


class Requests(HTMLParser):
    """What a page loads by itself."""

    LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "video": "src"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.LOADING and given.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.add(given.get(self.LOADING[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `tox run -e docs` does."""
    pytest.importorskip("mkdocs", reason="`tox run -e docs` builds the site")
    pytest.importorskip("material", reason="`tox run -e docs` builds the site")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    """Strictly: no dead link, no page that no menu names; each rule has its anchor."""
    anchors = {area.name: (site / f"rules/{area.name}/index.html").read_text() for area in AREAS}

    assert [r.id for r in RULES.values() if f'id="{r.id.replace(".", "-")}"' not in anchors[r.area]] == []
    assert "mission" not in (site / "index.html").read_text().lower()


def test_no_page_asks_anything_of_elsewhere(site: Path) -> None:
    """No font, script, style or picture comes from another host."""
    pages = {path: Requests(path.read_text("utf-8")).loaded for path in site.rglob("*.html")}
    styles = {path: re.findall(r"url\(\s*[\"']?(https?:)?//", path.read_text("utf-8")) for path in site.rglob("*.css")}

    assert {
        str(path): outside for path, loaded in pages.items() if (outside := {u for u in loaded if re.match(r"(https?:)?//", u)})
    } == {}
    assert {path: found for path, found in styles.items() if found} == {}
