"""The same keypoints as other computers, zippers and editors leave them: names, marks, line ends, archives."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import keypoint_archives
import pytest
from keypoint_files import FAMILIES
from mvlift.errors import KeypointError
from mvlift.keypoints.reading import Inspection, inspect_keypoints

Variant = Callable[[list[Path], Path], Path]
TEXT = (".json", ".csv", ".txt", ".xml", ".nk")


def other_names(files: list[Path], folder: Path) -> Path:
    """Upper-case extensions, in a folder with blanks and letters beyond ASCII inside another one."""
    inner = folder / "Übung größe 1" / "日本"
    inner.mkdir(parents=True)
    for file in files:
        shutil.copy(file, inner / (file.stem + file.suffix.upper()))
    return folder if len(files) > 1 else next(inner.iterdir())


def windows_zip(files: list[Path], folder: Path) -> Path:
    """Members in wrong order, with backslashes, beside what a Mac adds."""
    with zipfile.ZipFile(folder / "clip.ZIP", "w") as archive:
        for file in reversed(files):
            archive.writestr("out\\keypoints\\" + file.name, file.read_bytes())
        archive.writestr("__MACOSX/out/._x.json", b"\0\1")
    return folder / "clip.ZIP"


def folder_with_more(files: list[Path], folder: Path) -> Path:
    """Beside the video, its picture and a note."""
    for file in files:
        shutil.copy(file, folder / file.name)
    for name in ("clip.mp4", "clip.jpg", "readme.txt", ".DS_Store"):
        (folder / name).write_bytes(b"\0")
    return folder


def marked(files: list[Path], folder: Path) -> Path:
    """With a byte-order mark and Windows' line ends."""
    for file in files:
        content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        if file.suffix in TEXT:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        mark = b"\xef\xbb\xbf" if file.suffix in TEXT and file.suffix != ".nk" else b""
        (folder / file.name).write_bytes(mark + content)
    return folder if len(files) > 1 else folder / files[0].name


def utf16(files: list[Path], folder: Path) -> Path:
    """As PowerShell redirects a program's output."""
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes().decode("utf-8-sig").encode("utf-16"))
    return folder if len(files) > 1 else folder / files[0].name


def gzipped(files: list[Path], folder: Path) -> Path:
    path = folder / f"{files[0].name}.gz"
    path.write_bytes(gzip.compress(files[0].read_bytes()))
    return path


def indented(files: list[Path], folder: Path) -> Path:
    for file in files:
        (folder / file.name).write_text(json.dumps(json.loads(file.read_text()), indent="\t"))
    return folder if len(files) > 1 else folder / files[0].name


def fits(variant: Variant, files: list[Path]) -> bool:
    """Whether a program would leave such files so."""
    suffix, series = files[0].suffix, len(files) > 1
    if variant is gzipped:
        return not series and suffix != ".zip"
    if variant is indented:
        return suffix == ".json" and files[0].read_bytes()[:1] in b"[{" and b"NaN" not in files[0].read_bytes()
    if variant is utf16:
        return suffix in (".json", ".csv")
    return not (suffix == ".zip" and variant in (windows_zip, folder_with_more))


def facts(inspection: Inspection) -> tuple[str, str, int, tuple[int, int]]:
    return inspection.format, inspection.layout.name, len(inspection.clips), inspection.frames


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_recognised_however_it_was_stored(tmp_path: Path, name: str) -> None:
    if name in keypoint_archives.HDF5:
        pytest.importorskip("h5py", reason="HDF5 files need h5py")
    (tmp_path / "first").mkdir()
    made = FAMILIES[name](tmp_path / "first").path
    files = sorted(made.iterdir()) if made.is_dir() else [made]
    expected = facts(inspect_keypoints(made))
    variants = (other_names, windows_zip, folder_with_more, marked, utf16, gzipped, indented)
    for variant in variants:
        if not fits(variant, files):
            continue
        folder = tmp_path / variant.__name__
        folder.mkdir()
        if name == "freemocap 2d" and variant is other_names:
            continue  # the name and the folder's is all that tells a short recording of few cameras
        assert facts(inspect_keypoints(variant(files, folder))) == expected, variant.__name__


def test_a_gzip_that_unfolds_without_end_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    compressed = gzip.compress(b"[" + b" " * 5_000_000 + b"]")
    (tmp_path / "a.json.gz").write_bytes(compressed[:-30])
    with pytest.raises(KeypointError, match="cut off") as caught:
        inspect_keypoints(tmp_path / "a.json.gz")
    assert caught.value.remedy.endswith(".")
