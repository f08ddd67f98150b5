"""The one warm engine process of this Blender, and the Python that it runs in."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from mvlift.errors import EngineError
from mvlift.files import whole_folder
from mvlift.worker.client import EngineClient

__all__ = ["EngineSource", "bundled_packages", "close_engine", "portable_package", "shared_client"]


@dataclass(frozen=True)
class EngineSource:
    """The Python interpreter that runs the engine.

    Attributes:
        python: an interpreter of the user's, or None for Blender's own with the bundled packages.
        pythonpath: folders that it finds packages in.
    """

    python: Path | None = None
    pythonpath: tuple[Path, ...] = ()


_client: EngineClient | None = None
_source: EngineSource | None = None


def shared_client(source: EngineSource) -> EngineClient:
    """The one client of this Blender; another source closes the old process."""
    global _client, _source
    if _client is None or _source != source:
        close_engine()
        _client, _source = EngineClient(source.python, source.pythonpath, behind=True), source
    return _client


def close_engine() -> None:
    """End the engine process; the next lift starts another."""
    global _client, _source
    client, _client, _source = _client, None, None
    if client is not None:
        client.close()


def bundled_packages() -> Path:
    """The folder from which Blender took ``mvlift``: the extension's packages, or a source tree."""
    import mvlift

    return Path(mvlift.__file__).resolve().parents[1]


def portable_package(folder: Path) -> Path:
    """A folder that holds nothing but the ``mvlift`` package, for an interpreter other than Blender's.

    The bundled packages around it are built for Blender's Python and must not reach another one. A copy of another
    version is left alone: a second Blender may be using it.

    Args:
        folder: that copies are kept in.
    """
    package = bundled_packages() / "mvlift"
    target = folder / "engine" / _fingerprint(package)
    if not (target / "mvlift").is_dir():
        try:
            with whole_folder(target) as partial:
                shutil.copytree(package, partial / "mvlift", ignore=shutil.ignore_patterns("__pycache__"))
                for facts in package.parent.glob("mvlift-*.dist-info"):  # where its version is written
                    shutil.copytree(facts, partial / facts.name)
        except OSError as error:
            if not (target / "mvlift").is_dir():  # else another Blender was first
                raise EngineError(
                    f"The engine cannot be copied to {target} ({error.strerror or error}).", "Make room there."
                ) from error
    return target


def _fingerprint(package: Path) -> str:
    """Changes when a file of the package does."""
    facts = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        stat = path.stat()
        facts.update(f"{path.relative_to(package)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return facts.hexdigest()[:16]
