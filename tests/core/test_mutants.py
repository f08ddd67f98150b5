"""The list of mutants applies to the code of today, and the tool tells a caught change from one that survives."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scenes import ROOT


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants"] = module
    spec.loader.exec_module(module)
    return module


def test_every_mutant_applies_once_and_names_tests_that_are_there(mutants: ModuleType) -> None:
    listed = mutants.read_mutants(ROOT / "tools" / "mutants.toml")
    assert len(listed) >= 55
    assert len({m.name for m in listed}) == len(listed)
    for mutant in listed:
        assert mutants.find_source(mutant, ROOT).is_file()
        assert mutant.old != mutant.new
        assert mutant.tests
        assert [t for t in mutant.tests if not (ROOT / t).is_file()] == [], mutant.name


def test_a_change_is_caught_or_survives(mutants: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "core" / "mvlift"
    source.mkdir(parents=True)
    (source / "sums.py").write_text("def add(a, b):\n    return a + b\n", encoding="utf-8")
    (tmp_path / "test_sums.py").write_text(
        "from mvlift.sums import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n", encoding="utf-8"
    )
    (source / "__init__.py").write_text("", encoding="utf-8")
    caught = mutants.Mutant("minus", "a + b", "a - b", ("test_sums.py",))
    survives = mutants.Mutant("times", "a + b", "a * b", ("test_sums.py",))
    assert mutants.is_caught(caught, tmp_path)
    assert not mutants.is_caught(survives, tmp_path)
    assert "a + b" in (source / "sums.py").read_text(encoding="utf-8")
    with pytest.raises(mutants.StaleMutantError, match="nowhere"):
        mutants.is_caught(mutants.Mutant("gone", "a % b", "a", ("test_sums.py",)), tmp_path)
    with pytest.raises(mutants.StaleMutantError, match="fails without the change"):
        mutants.is_caught(mutants.Mutant("untested", "a + b", "a", ("test_none.py",)), tmp_path)
