"""Full, read-only and vanished disks: one sentence, the older file stays whole, nothing half-written is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mvlift.errors import MvliftError
from mvlift.files import check_written, temporary_folder, whole_file
from mvlift.keypoints import read_keypoints, write_keypoints
from scenes import WALK, small_motion

FORMATS = ("motion.npz", "motion.bvh", "keys.csv", "keys.json", "keys.zip")
WRITE = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from scenes import WALK, small_motion
from mvlift.errors import MvliftError
from mvlift.keypoints import read_keypoints, write_keypoints
target, motion, clip = Path({target!r}), small_motion(60), read_keypoints(WALK)[0]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # as a disk with 2000 bytes left
try:
    motion.save(target) if target.stem == "motion" else write_keypoints([clip], target)
except MvliftError as error:
    print("said:", error.message)
"""


def write(target: Path) -> None:
    if target.stem == "motion":
        small_motion(60).save(target)
    else:
        write_keypoints(read_keypoints(WALK), target)


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_the_older_file_whole(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    write(target)
    before = target.read_bytes()
    code = WRITE.format(tests=str(Path(__file__).parent), target=str(target))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "said:" in done.stdout, done.stderr[-2000:]
    assert name in done.stdout
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MvliftError, match="cannot be written") as caught:
        write(tmp_path / "file" / name)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npz", b"PK\x03\x04cut"), ("a.png", b"\x89PNG\r\n\x1a\nand no end"), ("a.bvh", b"MOTION"), ("a.glb", b"glTF"),
     ("a.fbx", b"x"), ("a.usd", b"x"), ("a.blend", b"x"), ("a.mp4", b"x"), ("a.csv", b"")],
)  # fmt: skip
def test_what_is_not_whole_replaces_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    target = tmp_path / name
    target.write_bytes(b"older")
    with pytest.raises(OSError, match=r"whole|empty") as caught, whole_file(target) as part:
        part.write_bytes(content)
    assert caught.value.filename == str(target)
    assert target.read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_parts_of_killed_processes_are_removed(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    with whole_file(tmp_path / "a.csv") as part:
        part.write_text("x")
        host, process = part.name.split("-")[1:3]
    assert int(process) == os.getpid()
    left = tmp_path / f".mvlift-{host}-{int(killed.stdout)}-3.csv"
    mine = tmp_path / f".mvlift-{host}-{os.getpid()}-999.csv"
    for path in (left, mine):
        path.write_text("half")
        os.utime(path, (1, 1))
    with whole_file(tmp_path / "b.csv") as part:
        part.write_text("x")
    assert not left.exists()
    assert mine.exists()


def test_temporary_folders_of_killed_processes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = temporary_folder()
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    parts = first.name.split("-")
    left = tmp_path / "-".join([parts[0], parts[1], str(int(killed.stdout)), "x"])
    left.mkdir()
    (left / "clip.npz").write_text("x")
    os.utime(left, (1, 1))
    second = temporary_folder()
    assert not left.exists()
    assert first.is_dir()
    assert second != first


def test_whole_files_are_taken_for_whole(tmp_path: Path) -> None:
    for name in FORMATS:
        write(tmp_path / name)
        check_written(tmp_path / name)
