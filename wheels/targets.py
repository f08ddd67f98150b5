"""What can be built: editions, platforms, Pythons, and the packages of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "FLAVOURS",
    "HERE",
    "Requirement",
    "Target",
    "Wheel",
    "all_targets",
    "read_lock",
    "requirements",
    "write_lock",
]

HERE: Final = Path(__file__).resolve().parent
FLAVOURS: Final = ("light", "cpu", "cuda")
ANYWHERE: Final = ("any", "py3")
"""The light edition's platform and Python."""

_HEADER: Final = (
    "# Written by lock.py from packages.toml. Every file that an extension zip may hold, with its SHA-256.\n"
)


@dataclass(frozen=True, order=True)
class Target:
    """An edition for a platform ("linux-x64", or "any") and a Python ("cp311", or "py3")."""

    flavour: str
    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.platform}-{self.python}-{self.flavour}"


@dataclass(frozen=True, order=True)
class Requirement:
    """A package at one version; ``version`` begins with == or ===."""

    name: str
    version: str


@dataclass(frozen=True)
class Wheel:
    """A file of the lock.

    Attributes:
        file: its name.
        requirement: that it answers.
        sha256: of its content.
        targets: that hold it.
    """

    file: str
    requirement: Requirement
    sha256: str
    targets: tuple[str, ...]


def _config() -> dict[str, Any]:
    return tomllib.loads((HERE / "packages.toml").read_text(encoding="utf-8"))


def all_targets() -> list[Target]:
    """Every edition that packages.toml describes."""
    config = _config()
    compiled = [
        Target(flavour, platform, python)
        for flavour in FLAVOURS[1:]
        for platform in config["torch"][flavour]
        for python in config["pythons"]
    ]
    return [Target("light", *ANYWHERE), *compiled]


def platform_tags(platform: str) -> list[str]:
    """Tags of wheels that run on a platform."""
    return list(_config()["platforms"].get(platform, ["any"]))


def requirements(target: Target) -> list[Requirement]:
    """The packages of an edition, beside MVLift itself."""
    config = _config()
    groups = ["light"]
    if target.flavour != "light":
        groups += ["engine", f"engine-{target.python}", f"{target.flavour}-{target.platform}"]
    found = [
        Requirement(name, f"=={version}")
        for group in groups
        for name, version in config["packages"].get(group, {}).items()
    ]
    if target.flavour != "light":
        found.append(Requirement("torch", config["torch"][target.flavour][target.platform]))
    return found


def read_lock(path: Path = HERE / "lock.toml") -> list[Wheel]:
    """The files that are known."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("wheel", [])
    return [
        Wheel(e["file"], Requirement(e["name"], e["version"]), e["sha256"], tuple(e["targets"])) for e in entries
    ]  # fmt: skip


def write_lock(wheels: list[Wheel], missing: list[str], path: Path = HERE / "lock.toml") -> None:
    """Write the lock, sorted, with what the registry does not have as comments."""
    lines = [_HEADER]
    lines += [f"# not in the registry: {line}" for line in missing]
    for wheel in sorted(wheels, key=lambda w: w.file.lower()):
        targets = ", ".join(f'"{t}"' for t in wheel.targets)
        lines += [
            "",
            "[[wheel]]",
            f'name = "{wheel.requirement.name}"',
            f'version = "{wheel.requirement.version}"',
            f'file = "{wheel.file}"',
            f'sha256 = "{wheel.sha256}"',
            f"targets = [{targets}]",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
