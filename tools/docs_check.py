"""Check the documentation: links, anchors, and that every fenced command works.

    python tools/docs_check.py                    # links and commands of every page
    python tools/docs_check.py --links            # links and anchors alone
    python tools/docs_check.py docs/cli.md        # one page

The ``sh`` and ``python`` blocks of a page run in their order in one scratch folder, which begins with sample inputs
under the names that pages use (``make_inputs``). A block runs unless a comment stands on the line before it::

    <!-- not run: needs a window -->

Python blocks that import bpy run with ``.venv-bpy``. The exit code is 1 when a link leads nowhere or a command fails.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
LIMIT: Final = 900
"""Seconds that one block may take."""
FENCE: Final = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]*?) -->\n)?\s*```(?P<language>\w*)\n(?P<code>.*?)^\s*```$", re.M | re.S
)
LINK: Final = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING: Final = re.compile(r"^#{1,6} +(?P<title>.+?) *$", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands.
        line: number of its first line.
        language: "sh", "python" or another.
        code: its text.
        reason: why it is not run, or "".
    """

    page: Path
    line: int
    language: str
    code: str
    reason: str


def pages() -> list[Path]:
    """Every page of the documentation."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text[: match.start()].count("\n") + 1, match["language"], match["code"], match["reason"] or "")
        for match in FENCE.finditer(text)
    ]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and mkdocs make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    made = set()
    for match in HEADING.finditer(text):
        title = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or "", match["title"]).strip().lower()
        made.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return made


def broken_links(page: Path) -> list[str]:
    """Links of a page to files or anchors that are not there."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    broken = []
    for match in LINK.finditer(text):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            broken.append(f"{page.relative_to(ROOT)}: {target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            broken.append(f"{page.relative_to(ROOT)}: {target}: no such heading")
    return broken


def make_inputs(folder: Path) -> None:
    """Sample files under the names that pages use, made of the bundled examples."""
    examples = ROOT / "examples"
    for name in ("examples", "training", "tools", "mvlift_blender", "core", "tests", "Makefile", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("dance.zip", "clip.zip", "walk.zip", "a.zip", "b.zip", "c.zip", "my_keypoints.zip"):
        shutil.copy(examples / "walk.zip", folder / name)
    (folder / "clips").mkdir()
    for name in ("walk", "walk_again", "walk_once_more"):
        shutil.copy(examples / "walk.zip", folder / "clips" / f"{name}.zip")
    shutil.unpack_archive(str(examples / "walk.zip"), folder / "my_keypoints")
    for name in ("dance.mp4", "video.mp4", "clip.mp4"):
        shutil.copy(examples / "walk.mp4", folder / name)
    python = folder / ".venv-bpy" / "bin" / "python"  # a link would lose its environment's packages
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{ROOT}/.venv-bpy/bin/python" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    _make_object_inputs(folder)
    _make_camera_inputs(folder)


def _make_object_inputs(folder: Path) -> None:
    """people.csv, tracks.csv and crate.json: the bundled box, person and object apart."""
    with zipfile.ZipFile(ROOT / "examples" / "box.zip") as archive:
        title, *rows = archive.read("box.csv").decode().splitlines()
    for name, of_object in (("people.csv", False), ("tracks.csv", True)):
        chosen = [row for row in rows if (",object_" in row) is of_object]
        (folder / name).write_text("\n".join(["# fps=30 size=1280x720", title, *chosen]) + "\n", encoding="utf-8")
    corners = itertools.product((-0.21, 0.21), (-0.15, 0.15), (-0.13, 0.13))
    shape = {f"object_corner_{i}": corner for i, corner in enumerate(corners)}
    (folder / "crate.json").write_text(json.dumps(shape), encoding="utf-8")


def _make_camera_inputs(folder: Path) -> None:
    """track.npz and a COLMAP model: the still cameras of the bundled video and keypoint files, level, 1.2 m up."""
    down = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
    count = 120
    np.savez(
        folder / "track.npz",
        K=np.array([[700.0, 0, 320], [0, 700.0, 180], [0, 0, 1]]),
        R=np.tile(down, (count, 1, 1)),
        t=np.tile([0.0, 1.2, 0.0], (count, 1)),
        scale="metric",
        up=[0, 0, 1],
        fps=30,
        image_size=(640, 360),
    )
    model = folder / "colmap" / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 SIMPLE_PINHOLE 1280 720 1250 640 360\n", encoding="utf-8")
    lines = [f"{i + 1} 1 0 0 0 0 1.2 0 1 frame_{i:04d}.png\n\n" for i in range(150)]
    (model / "images.txt").write_text("".join(lines), encoding="utf-8")
    (model / "points3D.txt").write_text("", encoding="utf-8")


def run_block(block: Block, folder: Path) -> str:
    """Run a block; what it printed where it failed, or ""."""
    python = ROOT / (".venv-bpy" if "bpy" in block.code and block.language == "python" else ".venv") / "bin/python"
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    modules = os.pathsep.join(str(ROOT / name) for name in ("core", "training", "."))
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": modules}
    command = (
        [str(python), "-c", block.code]
        if block.language == "python"
        else ["bash", "-euo", "pipefail", "-c", block.code]
    )
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT} s"
    return "" if done.returncode == 0 else f"exit code {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"


def run_page(page: Path) -> list[str]:
    """Run a page's blocks; a report of each that failed."""
    failed = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        make_inputs(folder)
        for block in blocks(page):
            if block.language not in ("sh", "bash", "python") or block.reason:
                continue
            began = time.monotonic()
            problem = run_block(block, folder)
            location = f"{page.relative_to(ROOT)}:{block.line}"
            print(f"{'FAILED' if problem else 'ok':7}{time.monotonic() - began:7.1f} s  {location}", flush=True)
            if problem:
                failed.append(f"{location}\n{block.code}{problem}")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="only these pages")
    parser.add_argument("--links", action="store_true", help="check links alone")
    chosen = parser.parse_args()
    wanted = [page.resolve() for page in chosen.pages] or pages()
    failed = [line for page in wanted for line in broken_links(page)]
    if not chosen.links:
        failed += [report for page in wanted for report in run_page(page)]
    print(
        "\n\n".join(failed)
        if failed
        else "Every link leads somewhere" + ("." if chosen.links else ", every command works.")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
