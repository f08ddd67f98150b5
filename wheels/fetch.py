"""Bring the locked wheels of a zip into wheels/cache, and build MVLift's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from lock import pip_target
from models import ModelFileError, bundle
from targets import HERE, Target, Wheel, left_out, read_lock, requirements

__all__ = ["CACHE", "WheelError", "check", "fetch", "own_wheel", "slimmed"]

CACHE: Final = HERE / "cache"
ROOT: Final = HERE.parent


class WheelError(Exception):
    """A wheel is not to be had."""


def fetch(target: Target) -> list[Path]:
    """Paths of the locked wheels of a zip; those that are not in the cache come through pip.

    Raises:
        WheelError: the lock lacks a package for this target, or a file is not what was locked.
    """
    wheels = _locked(target)
    CACHE.mkdir(exist_ok=True)
    absent = [w for w in wheels if not _is_whole(CACHE / w.file, w.sha256)]
    if absent:
        _download(absent, target)
    return [CACHE / w.file for w in wheels]


def slimmed(wheel: Path, folder: Path) -> Path:
    """Copy a wheel into a folder, without what packages.toml leaves out of it; such a copy has a build tag of ours."""
    name, version, *tags = wheel.name.split("-")
    patterns = left_out(name)
    with zipfile.ZipFile(wheel) as source:
        dropped = {n for n in source.namelist() if any(fnmatch(n, p) for p in patterns)}
        if not dropped:
            return Path(shutil.copy(wheel, folder))
        path = folder / "-".join([name, version, "1mvlift", *tags])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
            for member in (m for m in source.infolist() if m.filename not in dropped):
                data = source.read(member)
                if member.filename.endswith(".dist-info/RECORD"):
                    rows = data.decode().splitlines(keepends=True)
                    data = "".join(r for r in rows if r.rsplit(",", 2)[0].strip('"') not in dropped).encode()
                made.writestr(member, data, zipfile.ZIP_DEFLATED)
    return path


def check(target: Target) -> int:
    """See that the index has every locked wheel of a zip, without bringing them; how many there are.

    Raises:
        WheelError: one is missing.
    """
    wheels = _locked(target)
    with tempfile.TemporaryDirectory() as folder:
        _pip(["install", "--dry-run", "--ignore-installed", f"--target={folder}/none"], wheels, target, Path(folder))
    return len(wheels)


def _locked(target: Target) -> list[Wheel]:
    wheels = [w for w in read_lock() if str(target) in w.targets]
    missing = {r.name for r in requirements(target)} - {w.requirement.name for w in wheels}
    if missing:
        raise WheelError(
            f"the lock has no {', '.join(sorted(missing))} for {target}: set pip up with an index that has it, "
            "and run wheels/lock.py"
        )
    return wheels


def _is_whole(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _download(wheels: list[Wheel], target: Target) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        _pip(["download", f"--dest={folder}"], wheels, target, Path(folder))
        for wheel in wheels:
            (Path(folder) / wheel.file).replace(CACHE / wheel.file)


def _pip(arguments: list[str], wheels: list[Wheel], target: Target, folder: Path) -> None:
    """Have pip do something with exactly these wheels."""
    wanted = folder / "wanted.txt"
    lines = [f"{w.requirement.name}{w.requirement.version} --hash=sha256:{w.sha256}" for w in wheels]
    wanted.write_text("\n".join(lines))
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--require-hashes", f"--requirement={wanted}"]
    done = subprocess.run([*command, *pip_target(target)], capture_output=True, text=True)
    if done.returncode:
        raise WheelError(f"pip could not fetch the wheels of {target}:\n{done.stderr.strip()}")


def own_wheel(folder: Path) -> Path:
    """Build the wheel of the engine package, without what only training needs, from this repository into ``folder``."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch)
        # a copy: setuptools leaves its build folder beside what it builds
        # stage 1 is for training: whoever lifts has stage 4
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*-stage1.safetensors", "*-stage1.md")
        shutil.copytree(ROOT / "core", source / "core", ignore=ignored)
        try:
            bundle(source / "core" / "mvlift" / "detection" / "weights")
        except ModelFileError as error:
            raise WheelError(f"the detector's files are not to be had: {error}") from error
        shutil.copy(ROOT / "README.md", source)
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        package_folder = next(line for line in project.splitlines() if line.startswith("where = "))
        scripts = 'mvlift-train = "mvlift_training.cli:main"\n'
        (source / "pyproject.toml").write_text(
            project.replace(package_folder, 'where = ["core"]').replace(scripts, ""), encoding="utf-8"
        )
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(source)]
        # the same sources give the same bytes
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise WheelError(f"MVLift's own wheel could not be built:\n{done.stderr.strip()}")
    (wheel,) = folder.glob("mvlift-*.whl")
    return wheel
