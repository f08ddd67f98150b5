"""Build an extension zip: `python wheels/build.py --platform linux-x64 --python cp311 --blender BLENDER`.

The wheels come from lock.toml; Blender's own tool builds and validates the zip.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

from fetch import ROOT, WheelError, check, fetch, own_wheel, slimmed
from targets import Target, all_targets

__all__ = ["build", "main"]

_EXTENSION: Final = "addons_core/bl_pkg/cli/blender_ext.py"
_TAGS: Final = "modules/_bpy_internal/extensions/tags.py"
_WHERE: Final = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"


class BlenderTool:
    """Blender's tool for extensions.

    Args:
        blender: a Blender program, or a Python that has Blender as a module.
    """

    def __init__(self, blender: Path) -> None:
        if "python" not in blender.name:
            self._command, self._tags = [str(blender), "--background", "--command", "extension"], []
            return
        module = subprocess.run([blender, "-c", _WHERE], capture_output=True, text=True)
        if module.returncode:
            raise WheelError(f"{blender} has no Blender: pip install bpy==4.5.15")
        scripts = next(Path(module.stdout.strip()).glob("*/scripts"))
        self._command = [str(blender), str(scripts / _EXTENSION)]
        self._tags = ["--valid-tags", str(scripts / _TAGS)]

    def build(self, source: Path, output: Path) -> None:
        """Make a zip of an extension's folder."""
        self._run("build", "--source-dir", str(source), "--output-filepath", str(output))

    def validate(self, path: Path) -> None:
        """Refuse a folder or zip that Blender would refuse."""
        self._run("validate", *self._tags, str(path))

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise WheelError(f"Blender's extension tool says:\n{done.stdout.strip()}\n{done.stderr.strip()}")


def _stage(target: Target, folder: Path) -> None:
    """Lay the extension out as Blender wants it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mvlift_blender", folder, ignore=ignored)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "walk.zip", folder / "examples")
    bundled = folder / "wheels"
    bundled.mkdir()
    for wheel in fetch(target):
        slimmed(wheel, bundled)
    own_wheel(bundled)
    names = sorted(f"./wheels/{p.name}" for p in bundled.glob("*.whl"))
    lines = [f'platforms = ["{target.platform}"]']
    lines += ["wheels = [", *(f'  "{name}",' for name in names), "]", ""]
    # before the first table: these are keys of the top level
    head, table, tail = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8").partition("\n[permissions]\n")
    text = head + "\n" + "\n".join(lines) + table + tail
    (folder / "blender_manifest.toml").write_text(text, encoding="utf-8")


def build(target: Target, blender: Path, output: Path) -> Path:
    """Build and validate the zip.

    Args:
        target: which.
        blender: whose tool is used.
        output: folder.

    Raises:
        WheelError: a wheel is not to be had, or Blender refuses the extension.
    """
    tool = BlenderTool(blender)
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    output.mkdir(parents=True, exist_ok=True)
    result = output / f"mvlift-{version}-{target}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        staged, part = Path(scratch) / "mvlift", Path(scratch) / result.name
        _stage(target, staged)
        tool.validate(staged)
        tool.build(staged, part)
        tool.validate(part)
        beside = result.with_suffix(".part")
        shutil.copy(part, beside)
        beside.replace(result)
    return result


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", default="linux-x64", help="linux-x64, windows-x64 or macos-arm64")
    parser.add_argument("--python", default="cp311", help="cp311 (Blender 4.2 to 5.0), cp313 (5.1 onwards) or cp314")
    parser.add_argument("--blender", type=Path, default=Path(sys.executable), help="a Blender, or a Python with bpy")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the zip")
    parser.add_argument("--all", action="store_true", help="every zip that packages.toml describes")
    parser.add_argument("--check", action="store_true", help="only see that the locked wheels are to be had")
    return parser.parse_args()


def main() -> None:
    """Command line."""
    options = _parse()
    targets = all_targets() if options.all else [Target(options.platform, options.python)]
    if unknown := set(targets) - set(all_targets()):
        sys.exit(f"There is no {unknown.pop()}; there are: {', '.join(map(str, all_targets()))}")
    try:
        for target in targets:
            if options.check:
                print(f"{target}: {check(target)} wheels are to be had", flush=True)
                continue
            result = build(target, options.blender, options.output)
            print(f"{result} ({result.stat().st_size / 1e6:.1f} MB)", flush=True)
    except WheelError as error:
        sys.exit(f"mvlift: {error}")


if __name__ == "__main__":
    main()
