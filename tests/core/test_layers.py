"""What may import what: the engine without Blender, its light part without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import ROOT

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocker())
"""
WALK_ALL = """
import importlib, pkgutil
names = [{package!r}]
for found in pkgutil.walk_packages(importlib.import_module({package!r}).__path__, {package!r} + "."):
    names.append(found.name)
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""


def run_blocked(code: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which some packages cannot be imported."""
    script = BLOCK.format(blocked=set(blocked)) + code
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False)


def modules_in(folder: Path) -> int:
    return sum(1 for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


@pytest.mark.parametrize(("package", "folder"), [("mvlift", "core/mvlift"), ("mvlift_training", "training")])
def test_every_module_imports_without_blender(package: str, folder: str) -> None:
    done = run_blocked(WALK_ALL.format(package=package), "bpy", "bmesh", "mathutils", "gpu", "mvlift_blender")
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 0.8 * modules_in(ROOT / folder)


def test_core_imports_without_training() -> None:
    done = run_blocked(WALK_ALL.format(package="mvlift"), "mvlift_training", "lightning", "lightning_fabric", "scipy")
    assert done.returncode == 0, done.stderr[-2000:]


LIGHT = """
from fractions import Fraction
import sys
import mvlift
import mvlift.keypoints, mvlift.keypoints.clip_file, mvlift.keypoints.readers
import mvlift.motion, mvlift.motion_files, mvlift.bvh, mvlift.worker.client, mvlift.worker.protocol
import mvlift.lifting.subjects
clip = mvlift.read_keypoints({walk!r}, fps=30)[0]
assert len(clip) == 150
clean = mvlift.keypoints.clean_clip(mvlift.keypoints.map_clip(clip, "openpose24"))
assert clean.layout.name == "openpose24"
motion = mvlift.load_motion({motion!r})
motion.save({bvh!r})
heavy = [n for n in ("torch", "scipy", "safetensors", "lightning_fabric") if n in sys.modules]
assert not heavy, heavy
print("light")
"""


def test_keypoints_motions_and_the_client_work_without_torch(tmp_path: Path) -> None:
    from scenes import WALK, small_motion

    saved = small_motion().save(tmp_path / "m.npz")
    code = LIGHT.format(walk=str(WALK), motion=str(saved), bvh=str(tmp_path / "m.bvh"))
    done = run_blocked(code, "torch", "scipy", "safetensors", "bpy")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "light"
    assert (tmp_path / "m.bvh").read_text().startswith("HIERARCHY")


def imported(path: Path) -> set[str]:
    """First parts of what a file imports, anywhere in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.split(".")[0])
    return modules


def test_arrows_run_one_way() -> None:
    files = {p: imported(p) for part in ("core", "training") for p in (ROOT / part).rglob("*.py")}
    assert len(files) > 60
    blender = {"bpy", "bmesh", "mathutils", "gpu", "mvlift_blender"}
    assert {str(p): names & blender for p, names in files.items() if names & blender} == {}
    core = {str(p): names for p, names in files.items() if (ROOT / "core") in p.parents}
    assert [p for p, names in core.items() if "mvlift_training" in names] == []


def test_importing_mvlift_is_light() -> None:
    code = "import sys, mvlift\nprint([n for n in ('torch', 'numpy', 'scipy') if n in sys.modules])"
    done = run_blocked(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_no_path_leads_out_of_the_repository() -> None:
    """Defaults in code and configs stay inside the working directory."""
    places = [
        *(ROOT / "core").rglob("*.py"),
        *(ROOT / "training").rglob("*.py"),
        *(ROOT / "mvlift_blender").rglob("*.py"),
    ]
    places += [*(ROOT / "training").rglob("*.yaml"), *(ROOT / "tools").glob("*.py"), *(ROOT / "core").rglob("*.json")]
    assert len(places) > 200
    assert [str(p) for p in places if "../" in p.read_text(encoding="utf-8").replace(".../", "")] == []
