"""Where the network files of the detectors are, and how they are run.

The files are in no repository and are never downloaded here: ``make setup`` puts them into the user's cache by their
hashes (``models.toml``), and the build of the extension puts them beside this module.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

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


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that LiteRT writes to the process's standard error when it begins."""
    sys.stderr.flush()
    before = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


class Network:
    """A network of one picture in, some arrays out, run by LiteRT.

    Args:
        name: in the lock.
        threads: that it runs on.

    Raises:
        DetectionError: its file or the runtime is missing.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DetectionError(
                "The bundled detector is run by ai-edge-litert, which is not installed.",
                "pip install 'mvlift[video]'",
            ) from error
        path = str(model_path(name))
        with _quiet():
            self._interpreter: Any = Interpreter(path, num_threads=max(1, threads))
            self._interpreter.allocate_tensors()
        (details,) = self._interpreter.get_input_details()
        self._input = details["index"]
        self.size = int(details["shape"][1])
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def __call__(self, image: F32, outputs: Sequence[int]) -> tuple[F32, ...]:
        """Outputs by number, copied, for a picture (size, size, 3)."""
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(image, dtype=np.float32)[None])
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(self._outputs[i])[0] for i in outputs)
