"""pytest --autograd-engine ENGINE: one test item a rule.

Every setting is an option and an ini value (`pytest_settings.py`). Nothing heavy is imported before an engine is
named: a pytest session that does not use the plugin pays for three small modules.
"""

from __future__ import annotations

from typing import Literal

import pytest

from conformance.areas import AREAS
from conformance.pytest_settings import SETTINGS, value


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and ini values."""
    group = parser.getgroup("autograd conformance")
    for setting in SETTINGS:
        told = setting.help + (f" (default {setting.default})." if setting.default else "")
        group.addoption(setting.option, metavar=setting.metavar, help=told, action="append" if setting.many else "store")
        kind: Literal["args", "string"] = "args" if setting.many else "string"
        parser.addini(setting.ini, told, type=kind, default=[] if setting.many else "")


def pytest_configure(config: pytest.Config) -> None:
    """The markers that items carry, which `-m` selects by; the rest only where an engine is named."""
    lines = ["autograd_rule(id, area, level, obligation): a rule of the autograd conformance suite"]
    lines += [f"autograd_level_{level}: a rule of this level" for level in sorted({area.level for area in AREAS})]
    lines += [f"autograd_area_{area.name}: a rule of the area: {area.title}" for area in AREAS]
    lines += ["autograd_must: a rule that fails where it is broken", "autograd_may: a rule that an engine may decide otherwise"]
    for line in lines:
        config.addinivalue_line("markers", line)
    if value(config, "engine"):
        from conformance.pytest_session import Conformance

        config.pluginmanager.register(Conformance(config), "autograd-conformance-session")
