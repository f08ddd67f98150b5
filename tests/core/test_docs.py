"""The documentation's own checks: links lead somewhere, and the checker notices what does not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scenes import ROOT


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_check", ROOT / "tools" / "docs_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_check"] = module
    spec.loader.exec_module(module)
    return module


def test_every_link_and_anchor_leads_somewhere(checker: ModuleType) -> None:
    assert len(checker.pages()) > 15
    assert [line for page in checker.pages() for line in checker.broken_links(page)] == []


def test_broken_links_and_failing_commands_are_noticed(
    checker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `title`, two\n\n[a](#one-title-two) [b](#none) [c](gone.md) [d](https://example.org)\n\n"
        "```sh\nexit 3\n```\n\n<!-- not run: a reason -->\n```sh\nexit 4\n```\n\n```python\nprint(1)\n```\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    assert [line.split(": ", 1)[1] for line in checker.broken_links(page)] == [
        "#none: no such heading",
        "gone.md: no such file",
    ]
    found = checker.blocks(page)
    assert [(b.language, b.reason) for b in found] == [("sh", ""), ("sh", "a reason"), ("python", "")]
    assert checker.run_block(found[0], tmp_path).startswith("exit code 3")
