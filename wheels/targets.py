"""What can be built: platforms, Pythons, and the packages of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "HERE",
    "Requirement",
    "Target",
    "Wheel",
    "all_targets",
    "left_out",
    "read_lock",
    "requirements",
    "write_lock",
]

HERE: Final = Path(__file__).resolve().parent
_HEADER: Final = (
    "# Written by lock.py from packages.toml. Every file that an extension zip may hold, with its SHA-256.\n"
)


@dataclass(frozen=True, order=True)
class Target:
    """A zip: for a platform ("linux-x64") and a Python ("cp311")."""

    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.platform}-{self.python}"


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
    """Every zip that packages.toml describes."""
    config = _config()
    targets = [Target(platform, python) for platform in config["platforms"] for python in config["pythons"]]
    return targets + [Target(*name.rsplit("-", 1)) for name in config["more"]]


def platform_tags(platform: str) -> list[str]:
    """Tags of wheels that run on a platform."""
    return list(_config()["platforms"][platform])


def requirements(target: Target) -> list[Requirement]:
    """The packages of a zip, beside MVLift itself."""
    packages = _config()["packages"]
    return [
        Requirement(name, f"=={version}")
        for group in ("any", target.python, target.platform)
        for name, version in packages.get(group, {}).items()
    ]


def left_out(package: str) -> list[str]:
    """Patterns of the members of a package's wheels that stay out of the zip."""
    return list(_config()["leave-out"].get(package, []))


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
