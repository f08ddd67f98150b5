"""Find the wheels of packages.toml in the package index that pip is set up with, and write lock.toml."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlparse

from targets import Requirement, Target, Wheel, all_targets, platform_tags, requirements, write_lock

__all__ = ["find_wheel", "main"]


def pip_target(target: Target) -> list[str]:
    """pip's options for wheels of a platform and Python other than the running one."""
    options = ["--only-binary=:all:", "--no-deps", "--implementation=cp"]
    options += [f"--platform={tag}" for tag in platform_tags(target.platform)]
    return [*options, f"--python-version={target.python.removeprefix('cp')}"]


def find_wheel(requirement: Requirement, target: Target) -> tuple[str, str] | None:
    """File name and SHA-256 of the wheel that pip would take, None where the index has none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += [f"--target={folder}/unused", f"--report={report}", *pip_target(target)]
        done = subprocess.run([*command, f"{requirement.name}{requirement.version}"], capture_output=True, text=True)
        if done.returncode:
            return None
        (wheel,) = json.loads(report.read_text())["install"]
    url = wheel["download_info"]["url"]
    name = unquote(urlparse(url).path).rsplit("/", 1)[1]
    sha256 = wheel["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    return name, sha256 or _digest(url)


def _digest(url: str) -> str:
    """SHA-256 of a file on this machine, which pip does not state."""
    import hashlib

    return hashlib.sha256(Path(unquote(urlparse(url).path)).read_bytes()).hexdigest()


def main() -> None:
    """Look for every package of every zip; a wheel that fits everywhere is looked for once."""
    anywhere: dict[Requirement, tuple[str, str]] = {}
    files: dict[str, Wheel] = {}
    missing: list[str] = []
    for target in all_targets():
        for requirement in requirements(target):
            wheel = anywhere.get(requirement) or find_wheel(requirement, target)
            if wheel is None:
                missing.append(f"{requirement.name}{requirement.version} for {target}")
                continue
            if wheel[0].endswith("-none-any.whl"):
                anywhere[requirement] = wheel
            before = files[wheel[0]].targets if wheel[0] in files else ()
            files[wheel[0]] = Wheel(wheel[0], requirement, wheel[1], (*before, str(target)))
        print(target, flush=True)
    write_lock(list(files.values()), missing)
    print(f"{len(files)} files; {len(missing)} not in the index", *missing, sep="\n  ")


if __name__ == "__main__":
    main()
