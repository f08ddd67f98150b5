"""Full, read-only and vanished disks: one sentence, the older file stays whole, nothing half-written is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mvlift.errors import MvliftError
from mvlift.files import check_written, temporary_folder, whole_file
from mvlift.keypoints import read_keypoints, write_keypoints
from scenes import WALK, small_motion

FORMATS = ("motion.npz", "motion.bvh", "keys.csv", "keys.json", "keys.zip", "preview.png", "overlay.mp4")
WRITE = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from mvlift.errors import MvliftError
from test_disks import prepared
write = prepared(Path({target!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a disk with 1000 bytes left
try:
    write()
except MvliftError as error:
    print("said:", error.message)
"""


def prepared(target: Path) -> Callable[[], object]:
    """What writes a file, with everything read that it needs."""
    clips = read_keypoints(WALK)
    if target.suffix == ".mp4":
        av = pytest.importorskip("av")
        assert av
        from mvlift.detection.overlay import write_overlay
        from mvlift.detection.video import probe_video
        from videos import picture, write_video

        video = target.parent.parent / "plain.mp4"
        if not video.is_file():
            write_video(video, [picture(t) for t in range(8)])
        info = probe_video(video)
        return lambda: write_overlay(info, clips, target)
    if target.suffix == ".png":
        pytest.importorskip("matplotlib")
        from matplotlib.backends import backend_agg
        from mvlift.preview import draw_preview

        assert backend_agg
        return lambda: draw_preview(small_motion(20), None, target, columns=2)
    motion = small_motion(60)
    return (lambda: motion.save(target)) if target.stem == "motion" else (lambda: write_keypoints(clips, target))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_the_older_file_whole(folder: Path, name: str) -> None:
    target = folder / name
    prepared(target)()
    before = target.read_bytes()
    code = WRITE.format(tests=str(Path(__file__).parent), target=str(target))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "said:" in done.stdout, done.stderr[-2000:]
    assert name in done.stdout
    assert ".mvlift-" not in done.stdout
    assert target.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_that_cannot_be_made(folder: Path, name: str) -> None:
    write = prepared(folder / "file" / name)
    (folder / "file").write_text("x")
    with pytest.raises(MvliftError, match="cannot be written") as caught:
        write()
    assert caught.value.remedy


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_that_is_read_only(folder: Path, name: str) -> None:
    target = folder / name
    prepared(target)()
    before, write = target.read_bytes(), prepared(target)
    if subprocess.run(["chattr", "+i", str(folder)], capture_output=True, check=False).returncode:
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
    try:
        with pytest.raises(MvliftError, match="cannot be written") as caught:
            write()
    finally:
        subprocess.run(["chattr", "-i", str(folder)], capture_output=True, check=False)
        folder.chmod(0o700)
    assert name in caught.value.message
    assert len(str(caught.value).splitlines()) == 1
    assert target.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == [name]


def test_a_film_that_was_cut_off_is_not_whole(folder: Path) -> None:
    target = folder / "overlay.mp4"
    prepared(target)()
    content = target.read_bytes()
    check_written(target)
    for length in (len(content) - 1, len(content) // 2, 40):
        target.write_bytes(content[:length])
        with pytest.raises(OSError, match="whole"):
            check_written(target)


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
    (tmp_path / "out").mkdir()
    for name in FORMATS:
        prepared(tmp_path / "out" / name)()
        check_written(tmp_path / "out" / name)
