"""A headless Chromium, and reports to open in it. Every page is watched: what it asks of a network and what it complains of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance" / "report"))
sys.path.insert(0, str(Path(__file__).parent))

import chromium

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


class Watched(NamedTuple):
    """A page, what it asked for besides itself, and what it complained of."""

    page: Any
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser, with an empty profile."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: tox run -e browser has it")
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or name one in $CHROMIUM")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Opens an HTML text from a file, in a profile of its own; other arguments are those of the browser's context."""
    contexts = []

    def open_(html: str, fragment: str = "", **options: Any) -> Watched:
        file = tmp_path / "index.html"
        file.write_text(html, "utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        watched = Watched(page, [], [])
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("console", lambda message: watched.complaints.append(message.text))
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("dialog", lambda dialog: watched.complaints.append(dialog.message))
        page.goto(file.as_uri() + fragment)
        return watched

    yield open_
    for context in contexts:
        context.close()
