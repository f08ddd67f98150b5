"""Where the network files of the detectors are, and how they are run.

The files are in no repository and are never downloaded here: ``make setup`` puts them into the user's cache by their
hashes (``models.toml``), and the build of the extension puts them beside this module.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from mvlift.detection.tflite_file import read_tflite
from mvlift.detection.tflite_graph import INPUT, onnx_graph
from mvlift.errors import DetectionError
from mvlift.typing import F32

__all__ = ["LOCK", "PACKAGED", "LockedModel", "Network", "cache_folder", "locked_models", "model_path"]

LOCK: Final = Path(__file__).with_name("models.toml")
PACKAGED: Final = Path(__file__).with_name("weights")
"""Where the extension and a built wheel hold the files."""
_VARIABLE: Final = "MVLIFT_DETECTORS"
_REMEDY: Final = "Run `make setup` (or `python wheels/models.py`) in MVLift's source, or install the extension's zip."


@dataclass(frozen=True)
class LockedModel:
    """A network file.

    Attributes:
        name: short name, such as ``pose_detection``.
        package: key of the package that holds it.
        member: path inside that package.
        sha256: of its content.
        bundled: it comes with the extension.
    """

    name: str
    package: str
    member: str
    sha256: str
    bundled: bool

    @property
    def file(self) -> str:
        """File name in the cache."""
        return f"{self.name}.tflite"


@cache
def locked_models() -> dict[str, LockedModel]:
    """Every file of the lock by name."""
    entries = tomllib.loads(LOCK.read_text(encoding="utf-8"))["model"]
    return {e["name"]: LockedModel(**e) for e in entries}


def cache_folder() -> Path:
    """The user's folder of network files; the variable MVLIFT_DETECTORS names another."""
    named = os.environ.get(_VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mvlift" / "detectors"


def model_path(name: str) -> Path:
    """A network file, looked for beside this module and in the cache, and checked.

    Raises:
        DetectionError: it is nowhere, or its content is not what was locked.
    """
    model = locked_models()[name]
    path = next((p for p in (PACKAGED / model.file, cache_folder() / model.file) if p.is_file()), None)
    if path is None:
        raise DetectionError(f"The detector's file {model.file} is not installed (not in {cache_folder()}).", _REMEDY)
    if hashlib.sha256(path.read_bytes()).hexdigest() != model.sha256:
        raise DetectionError(f"{path} is damaged (another SHA-256 than the locked one).", f"Delete it. {_REMEDY}")
    return path


class Network:
    """A network of one picture in, some arrays out, run by ONNX Runtime.

    Args:
        name: in the lock.
        outputs: numbers of those that are wanted; what only others need is not computed.
        threads: that it runs on.

    Raises:
        DetectionError: its file, or a package that it needs, is missing.
    """

    def __init__(self, name: str, outputs: Sequence[int], threads: int = 1) -> None:
        try:
            import tflite  # noqa: F401 (the file's format)

            from mvlift.backends.onnx_runtime import cpu_session
        except ImportError as error:
            raise DetectionError(
                f"The bundled detector needs the package {error.name}, which is not installed.",
                "pip install 'mvlift[video]'",
            ) from error
        network = read_tflite(model_path(name))
        self.size = network.shapes[network.inputs[0]][1]
        self._outputs = [f"output_{n}" for n in outputs]
        self._session = cpu_session(onnx_graph(network, outputs), threads)

    def __call__(self, image: F32) -> tuple[F32, ...]:
        """The outputs that are wanted, for a picture (size, size, 3)."""
        picture = np.ascontiguousarray(image, dtype=np.float32)[None]
        return tuple(made[0] for made in self._session.run(self._outputs, {INPUT: picture}))
