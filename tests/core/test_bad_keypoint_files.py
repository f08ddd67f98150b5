"""Keypoint files that hold nothing to lift, are damaged, hostile or large: an error with a remedy, in time."""

from __future__ import annotations

import gzip
import pickle
import struct
import sys
import time
from pathlib import Path

import keypoint_archives
import numpy as np
import pytest
from keypoint_files import FAMILIES, FRAMES, flat, people_of, save, spelled
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.reading import inspect_keypoints
from mvlift.safe_reading import Hdf5


def _refused(folder: Path) -> dict[str, Path]:
    """Files of 3D points."""
    body = people_of("mediapipe33", 1)[0]
    metres = (body - body[:, 23:25].mean(1, keepdims=True)) / 300
    depth = np.concatenate([metres, np.full((*metres.shape[:2], 1), 0.1)], -1)
    names = [n.upper() for n in spelled(get_layout("mediapipe33").names)]
    millimetres = 1000 * depth[:, 11:28]
    lines = [f"{t},body_{j},{x},{y},{z},mediapipe" for t, p in enumerate(1000 * depth) for j, (x, y, z) in enumerate(p)]
    (folder / "long.csv").write_text("\n".join(["frame,keypoint,x,y,z,model", *lines]))
    titles = ",".join(f"{n}_{a}" for n in names[11:28] for a in "xyz")
    rows = [",".join(map(str, p.reshape(-1).tolist())) for p in millimetres]
    (folder / "wide.csv").write_text("\n".join([titles, *rows]))
    markers = names[11:28]
    head = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"60\t60\t{len(depth)}\t{len(markers)}\tm\t60\t1\t{len(depth)}",
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"{a}{i + 1}" for i in range(len(markers)) for a in "XYZ"),
        "",
    ]
    cells = ["\t".join(map(str, [t + 1, t / 60, *(p.reshape(-1) / 1000).tolist()])) for t, p in enumerate(millimetres)]
    (folder / "markers.trc").write_text("\n".join([*head, *cells]) + "\n")
    (folder / "angles.mot").write_text(
        "Coordinates\nversion=1\nnRows=1\ninDegrees=yes\nendheader\ntime\tpelvis_tx\n0\t1\n"
    )
    (folder / "freemocap_data_by_frame.parquet").write_bytes(b"PAR1" + bytes(80) + b"PAR1")
    np.save(folder / "poses.npy", millimetres)
    np.save(folder / "flat.npy", millimetres.reshape(len(millimetres), -1))
    np.savez(folder / "data_3d.npz", positions_3d=np.zeros(3))
    np.savez(folder / "amass.npz", poses=np.zeros((5, 156)), trans=np.zeros((5, 3)))
    world = [{"frame": t, "landmarks": dict(zip(names, p.tolist(), strict=True))} for t, p in enumerate(depth)]
    save(folder / "world.json", world)
    lifted = [{"frame_id": t, "instances": [{"keypoints": p.tolist(), "keypoint_scores": [1.0] * 17}]}
              for t, p in enumerate(millimetres)]  # fmt: skip
    save(folder / "mmpose.json", lifted)
    frames = [{"people": [{"keypoints": p.tolist()}]} for p in millimetres]
    save(folder / "list.json", frames)
    return {p.name: p for p in sorted(folder.iterdir())}


REFUSED = ("amass.npz", "angles.mot", "data_3d.npz", "flat.npy", "freemocap_data_by_frame.parquet", "list.json",
           "long.csv", "markers.trc", "mmpose.json", "poses.npy", "wide.csv", "world.json")  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_points_in_space_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    path = _refused(tmp_path)[name]
    with pytest.raises(KeypointError, match=r"3D|three|space|world|angles") as caught:
        inspect_keypoints(path)
    assert caught.value.remedy.endswith(".")


EMPTY: dict[str, object] = {
    "openpose": {"version": 1.3, "people": []},
    "mmpose": [{"frame_id": 0, "instances": []}],
    "mediapipe": [{"frame": 0, "landmarks": {}}, {"frame": 1, "landmarks": []}],
    "coco": {"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": [0] * 51}], "categories": []},
    "alphapose": [{"image_id": "0.jpg", "keypoints": [0] * 51, "idx": 0}],
    "comfyui": [{"people": [], "canvas_width": 9, "canvas_height": 9}],
    "vitpose": {"keypoints": [{}, {}], "skeleton": {"0": "nose"}},
    "sapiens": {"num_keypoints": 17, "frames": [{"instances": []}]},
    "ultralytics": [[{"keypoints": {"x": [], "y": [], "visible": []}}]],
    "darwin": {"item": {}, "annotations": []},
    "labelme": {"shapes": [], "imageWidth": 5, "imageHeight": 5},
    "cvat": "<annotations><version>1.1</version></annotations>",
    "deeplabcut": "scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\n",
    "csv": "frame,person,keypoint,x,y\n",
    "blank csv": "frame,nose_x,nose_y,tail_x,tail_y\n0,,,,\n1,,,,\n",
}


@pytest.mark.parametrize("name", EMPTY)
def test_files_without_anybody_say_so(tmp_path: Path, name: str) -> None:
    content = EMPTY[name]
    if isinstance(content, str):
        path = tmp_path / ("a.xml" if content[0] == "<" else "a.csv")
        path.write_text(content)
    else:
        path = save(tmp_path / "a.json", content)
    with pytest.raises(KeypointError) as caught:
        inspect_keypoints(path)
    assert caught.value.remedy.endswith(".")


def test_without_h5py_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.slp").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(KeypointError, match="h5py"):
        inspect_keypoints(tmp_path / "a.slp")


def test_an_archive_of_pickles_does_not_run_them(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (tmp_path / "ran").write_text, ("x",)

    np.savez(tmp_path / "a.npz", boxes=np.zeros(1), keypoints=np.array([Hostile()], dtype=object))
    with pytest.raises(KeypointError, match="refused"):
        inspect_keypoints(tmp_path / "a.npz")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_runs_nothing_and_unfolds_to_no_end(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (tmp_path / "ran").write_text, ("x",)

    many: list[object] = [1.0]
    for _ in range(30):
        many = [many] * 9
    endless: list[object] = []
    endless.append(endless)
    values = {"hostile": {"bodies": Hostile()}, "many": many, "endless": endless}
    for name, value in values.items():
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value))
        with pytest.raises(KeypointError, match="refused" if name == "hostile" else "unfold") as caught:
            inspect_keypoints(tmp_path / f"{name}.pkl")
        assert caught.value.remedy.endswith(".")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (0, 1 << 40), (7, (1 << 64) - 16), (7, 1 << 40)])
def test_hdf5_whose_heap_of_texts_leads_nowhere_is_refused(tmp_path: Path, index: int, size: int) -> None:
    """The HDF5 library itself walks through such a heap for ever."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = np.zeros((1, 2, 2, 4))
        file["tracks"].attrs["dims"] = "track, axis, keypoint, frame"
        file["node_names"] = ["nose", "tail"]
    content = path.read_bytes()
    assert Hdf5(content, path.name).attributes("tracks")["dims"] == "track, axis, keypoint, frame"
    at = content.index(b"GCOL") + 16
    path.write_bytes(content[:at] + struct.pack("<HHIQ", index, 0, 0, size) + content[at + 16 :])
    with pytest.raises(KeypointError, match="texts do not end") as caught:
        inspect_keypoints(path)
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize("encoding", ["utE-8", "hex"])
def test_xml_in_an_encoding_that_nobody_knows_is_refused(tmp_path: Path, encoding: str) -> None:
    cvat = "<annotations><version>1.1</version></annotations>"
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0" encoding="{encoding}"?>{cvat}')
    with pytest.raises(KeypointError, match="not valid XML") as caught:
        inspect_keypoints(tmp_path / "a.xml")
    assert caught.value.remedy.endswith(".")


def test_an_empty_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 51)))
    with pytest.raises(KeypointError, match="in no format") as caught:
        inspect_keypoints(tmp_path / "a.npy")
    assert caught.value.remedy.endswith(".")


def refusal_of(path: Path) -> KeypointError | None:
    """The error of a file that is not read; None where it is, as somebody's clip."""
    try:
        assert inspect_keypoints(path).clips
    except KeypointError as error:
        return error
    return None


@pytest.mark.parametrize("name", FAMILIES)
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """Cut off, or with a few bytes changed: a clip, or an error with a remedy."""
    if name in keypoint_archives.HDF5:
        pytest.importorskip("h5py", reason="HDF5 files need h5py")
    made = FAMILIES[name](tmp_path)
    files = sorted(made.path.iterdir()) if made.path.is_dir() else [made.path]
    random = np.random.default_rng(len(name))
    for attempt in range(8):
        file = files[attempt % len(files)]
        intact = file.read_bytes()
        data = bytearray(intact)
        if attempt < 3:
            data = data[: len(data) * (attempt + 1) // 4]
        else:
            for at in random.integers(0, len(data), 6):
                data[at] = random.integers(32, 127)
        file.write_bytes(bytes(data))
        refusal = refusal_of(made.path)
        assert refusal is None or (len(refusal.message) > 10 and refusal.remedy.endswith("."))
        file.write_bytes(intact)


def test_titles_and_names_without_end_are_read_in_time(tmp_path: Path) -> None:
    """Patterns that look back and forth over a long text take forever; none is looked at beyond some letters."""
    walk = people_of("coco17", 1)[0]
    start = time.process_time()
    names = {f"{'1a' * 100_000}{t:03d}.jpg": [{"keypoints": p.tolist()}] for t, p in enumerate(walk)}
    assert inspect_keypoints(save(tmp_path / "a.json", names)).frames == (0, FRAMES - 1)
    (tmp_path / "a.csv").write_text("_" * 60_000 + ",b\n1,2\n")
    (tmp_path / "a.nk").write_text("Tracker4 {\n" + "{ {curve" * 50_000 + " " * 50_000 + "}")
    for name in ("a.csv", "a.nk"):
        with pytest.raises(KeypointError):
            inspect_keypoints(tmp_path / name)
    assert time.process_time() - start < 5


def test_three_thousand_openpose_files_are_read_in_time(tmp_path: Path) -> None:
    walk = people_of("body25", 1, frames=FRAMES)[0]
    for t in range(3000):
        person = {"pose_keypoints_2d": flat(walk[t % FRAMES])}
        save(tmp_path / f"clip_{t:012d}_keypoints.json", {"version": 1.3, "people": [person]})
    start = time.process_time()
    assert inspect_keypoints(tmp_path).frames == (0, 2999)
    assert time.process_time() - start < 3


def test_a_negative_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keypoints.npy"
    np.save(path, np.zeros((6, 17, 3)))
    path.write_bytes(path.read_bytes().replace(b"(6, 17, 3), }", b"(-6,17, 3), }"))
    with pytest.raises(KeypointError, match="its shape is"):
        inspect_keypoints(path)


def test_what_was_packed_twice_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"frame,keypoint,x,y\n0,nose,1,2\n")))
    with pytest.raises(KeypointError, match=r"a\.csv\.gz was packed twice"):
        inspect_keypoints(path)


def test_numbers_of_thousands_of_digits_are_named_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(f'[{{"image_id": {"9" * 5000}, "keypoints": [1, 2, 3]}}]')
    with pytest.raises(MvliftError, match="thousands of digits") as caught:
        inspect_keypoints(tmp_path / "a.json")
    assert "sys." not in str(caught.value)
    (tmp_path / "a.csv").write_text(f"frame,keypoint,x,y\n{10**30},nose,1,2\n")
    with pytest.raises(MvliftError, match="no frame number"):
        inspect_keypoints(tmp_path / "a.csv")


def test_a_link_to_itself_in_a_folder_is_left_out(tmp_path: Path) -> None:
    written = FAMILIES["openpose"](tmp_path) if "openpose" in FAMILIES else next(iter(FAMILIES.values()))(tmp_path)
    assert written.path.is_dir()
    (written.path / "loop.json").symlink_to("loop.json")
    inspection = inspect_keypoints(written.path)
    assert len(inspection.clips[0].points) == written.points.shape[1]
    assert "loop.json (a link that leads nowhere)" in " ".join(inspection.notes)
