"""Continues `keypoint_files`: numpy and HDF5."""

from __future__ import annotations

import io
import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import keypoint_programs  # noqa: F401 (registers its families)
import keypoint_scripts  # noqa: F401 (registers its families)
import numpy as np
from keypoint_annotations import box_points
from keypoint_files import FAMILIES, FRAMES, SIZE, Written, family, people_of
from keypoint_tables import MOUSE
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["HDF5"]


def npz(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    path.write_bytes(stream.getvalue())
    return path


def objects(values: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@family("mvlift npz")
def _mvlift(folder: Path) -> Written:
    people = people_of("openpose18", 1)
    path = npz(folder / "clip.npz", body_pose=(people[0] / SIZE).astype(np.float32))
    return Written(path, "mvlift", "openpose18", people)


@family("own npz")
def _own(folder: Path) -> Written:
    people = people_of("body25", 1)
    names = np.array(get_layout("body25").names)
    score = np.full(people.shape[1:3], 0.9)
    facts = {"names": names, "fps": 29.97, "image_size": np.array(SIZE), "first_frame": 40}
    path = npz(folder / "clip.npz", points=people[0], confidence=score, **facts)
    return Written(path, "arrays", "body25", people, first=40, sized=True, fps=Fraction(30000, 1001))


@family("array of keypoints")
def _array(folder: Path) -> Written:
    people = people_of("coco17")
    values = np.concatenate([people, np.full((*people.shape[:3], 1), 0.9)], -1).transpose(1, 0, 2, 3)
    np.save(folder / "poses.npy", values)
    return Written(folder / "poses.npy", "arrays", "coco17", people)


@family("array of flat rows")
def _flat_array(folder: Path) -> Written:
    people = people_of("coco17", 1)
    values = np.concatenate([people[0], np.full((FRAMES, 17, 1), 0.9)], -1)
    np.save(folder / "poses.npy", values.reshape(FRAMES, 51))
    return Written(folder / "poses.npy", "arrays", "coco17", people)


def pickled(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return path


@family("dwpose pickles")
def _dwpose_pickles(folder: Path) -> Written:
    people = people_of("openpose18")
    for t in range(FRAMES):
        bodies = {"candidate": (people[:, t] / SIZE).reshape(-1, 2), "subset": np.arange(36.0).reshape(2, 18)}
        pickled(folder / "pkl" / f"{t:04d}.pkl", {"bodies": bodies, "faces": np.zeros((2, 68, 2))})
    return Written(folder / "pkl", "dwpose", "openpose18", people)


@family("dwpose pickled list")
def _dwpose_list(folder: Path) -> Written:
    people = people_of("openpose18")
    frames = [
        {"bodies": (people[:, t] / SIZE).reshape(-1, 2), "body_scores": np.full((2, 18), 0.8)} for t in range(FRAMES)
    ]  # fmt: skip
    return Written(pickled(folder / "pose.pickle", frames), "dwpose", "openpose18", people)


@family("people in a pickle")
def _pickled_people(folder: Path) -> Written:
    people = people_of("coco17")
    frames = [[{"keypoints": np.c_[p, np.full(17, 0.9)], "bbox": np.zeros(4)} for p in people[:, t]]
              for t in range(FRAMES)]  # fmt: skip
    return Written(pickled(folder / "results.pkl", frames), "by-frame", "coco17", people)


@family("tap-vid pickle")
def _tapvid(folder: Path) -> Written:
    points = box_points()
    places = (points[0] / SIZE).transpose(1, 0, 2)
    occluded = np.zeros(places.shape[:2], bool)
    path = pickled(folder / "t.pkl", {"v": {"points": places, "occluded": occluded}})
    return Written(path, "point-tracks", "named", points)


@family("array of points")
def _array_of_points(folder: Path) -> Written:
    points = box_points()
    np.save(folder / "tracks.npy", points[0])
    return Written(folder / "tracks.npy", "arrays", "named", points)


@family("movenet")
def _movenet(folder: Path) -> Written:
    people = people_of("coco17", 1)
    share = (people[0] / SIZE)[..., ::-1]
    np.save(folder / "movenet.npy", np.concatenate([share, np.full((FRAMES, 17, 1), 0.9)], -1)[:, None, None])
    return Written(folder / "movenet.npy", "arrays", "coco17", people)


@family("freemocap 2d")
def _freemocap(folder: Path) -> Written:
    people = people_of("mediapipe33", 1)
    values = np.full((2, FRAMES, 553, 2), np.nan)
    values[1, :, :33] = people[0]
    path = folder / "mediapipe2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy"
    np.save(path, values)
    return Written(path, "arrays", "mediapipe33", people)


@family("dwpose")
def _dwpose(folder: Path) -> Written:
    people = people_of("openpose18")
    for t in range(FRAMES):
        share = (people[:, t] / SIZE).reshape(-1, 2)
        npz(
            folder / "npz" / f"{t + 1:06d}.npz",
            bodies=share,
            body_scores=np.full((2, 18), 0.8),
            faces=np.zeros((2, 68, 2)),
        )
    return Written(folder / "npz", "dwpose", "openpose18", people)


@family("videopose3d")
def _videopose3d(folder: Path) -> Written:
    people = people_of("coco17")
    people[:, 4] = np.nan  # nobody in this frame
    boxes, keypoints = [], []
    for t in range(FRAMES):
        shown = np.zeros((0, 4, 17)) if t == 4 else np.full((2, 4, 17), 2.5)
        shown[:, :2] = 0 if t == 4 else people[:, t].transpose(0, 2, 1)
        boxes.append([[], np.zeros((len(shown), 5), np.float32)])
        keypoints.append([[], shown])
    path = npz(folder / "v.npz", boxes=objects(boxes), segments=objects([None] * FRAMES), keypoints=objects(keypoints),
               metadata=np.array({"w": SIZE[0], "h": SIZE[1]}))  # fmt: skip
    return Written(path, "videopose3d", "coco17", people, sized=True)


@family("videopose3d data set")
def _dataset(folder: Path) -> Written:
    people = people_of("coco17", 1)
    meta = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"v.mp4": {"w": SIZE[0], "h": SIZE[1]}}}
    path = npz(folder / "d.npz", positions_2d=np.array({"v.mp4": {"custom": [people[0]]}}), metadata=np.array(meta))
    return Written(path, "videopose3d-dataset", "coco17", people, sized=True)


@family("cotracker")
def _cotracker(folder: Path) -> Written:
    points = box_points()
    path = npz(folder / "t.npz", pred_tracks=points, pred_visibility=np.ones((1, FRAMES, points.shape[2]), bool))
    return Written(path, "point-tracks", "named", points)


@family("tapir")
def _tapir(folder: Path) -> Written:
    points = box_points()
    occluded = np.zeros((points.shape[2], FRAMES), bool)
    occluded[2, 5] = True
    path = npz(folder / "t.npz", tracks=points[0].transpose(1, 0, 2), occluded=occluded)
    points[0, 5, 2] = np.nan
    return Written(path, "point-tracks", "named", points)


def _slp(folder: Path) -> Written:
    import h5py

    people = people_of("coco17")
    names, order = get_layout("coco17").names, np.random.default_rng(2).permutation(17)
    instance = [("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"), ("track", "i4"),
                ("score", "f4"), ("point_id_start", "u8"), ("point_id_end", "u8")]  # fmt: skip
    rows = [(2 * t + i, 1, t, 0, i, 0.9, 17 * (2 * t + i), 17 * (2 * t + i + 1)) for t in range(FRAMES) for i in (0, 1)]
    points = np.zeros(len(rows) * 17, [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?"), ("score", "f8")])
    flat = people.transpose(1, 0, 2, 3)[:, :, order].reshape(-1, 2)
    points["x"], points["y"], points["score"], points["visible"] = flat[:, 0], flat[:, 1], 0.9, True
    meta = {"nodes": [{"name": n} for n in names], "skeletons": [{"nodes": [{"id": int(i)} for i in order]}]}
    with h5py.File(folder / "labels.slp", "w") as file:
        file.create_group("metadata").attrs["json"] = np.bytes_(json.dumps(meta))
        file["instances"] = np.array(rows, instance)
        file["frames"] = np.array(
            [(t, 0, t) for t in range(FRAMES)], [("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8")]
        )
        file["pred_points"] = points
        file["tracks_json"] = np.array([json.dumps([0, f"t{i}"]).encode() for i in (0, 1)])
    return Written(folder / "labels.slp", "sleap", "named", people[:, :, order])


def _analysis(folder: Path, standard: bool, dims: bool) -> Written:
    import h5py

    people = people_of("coco17")
    matlab = ("track", "xy", "node", "frame")
    with h5py.File(folder / "a.h5", "w") as file:
        values = people.transpose(1, 0, 2, 3) if standard else people.transpose(0, 3, 2, 1)
        tracks = file.create_dataset("tracks", data=values)
        score = np.full((FRAMES, 2, 17) if standard else (2, 17, FRAMES), 0.9)
        file["point_scores"] = score
        if dims:
            tracks.attrs["dims"] = json.dumps(["frame", "track", "node", "xy"] if standard else list(matlab))
        file["node_names"] = np.array([n.encode() for n in get_layout("coco17").names])
        file["track_names"] = np.array([b"a", b"b"])
    return Written(folder / "a.h5", "sleap", "coco17", people)


def _jabs(folder: Path) -> Written:
    import h5py

    people = people_of([f"p{i}" for i in range(12)], 2, kind="other")
    with h5py.File(folder / "m_pose_est_v3.h5", "w") as file:
        file["poseest/points"] = np.round(people.transpose(1, 0, 2, 3)[..., ::-1]).astype(np.uint16)
        file["poseest/confidence"] = np.full((FRAMES, 2, 12), 0.9, np.float32)
        file["poseest/instance_count"] = np.full(FRAMES, 2, np.uint8)
        file["poseest/instance_track_id"] = np.tile(np.arange(2), (FRAMES, 1)).astype(np.uint32)
    return Written(folder / "m_pose_est_v3.h5", "jabs", "named", np.round(people))


def _pickled(value: object) -> np.bytes_:
    return np.bytes_(pickle.dumps(value, protocol=0))


def _dlc_values(people: F64) -> tuple[list[tuple[str, ...]], F64]:
    columns = [("DLC_resnet50", n, a) for n in MOUSE for a in ("x", "y", "likelihood")]
    return columns, np.concatenate([people[0], np.full((FRAMES, 4, 1), 0.9)], -1).reshape(FRAMES, -1)


def _dlc_table(folder: Path) -> Written:
    import h5py

    people = people_of(MOUSE, 1, kind="other")
    columns, values = _dlc_values(people)
    rows = np.zeros(FRAMES, [("index", "i8"), ("values_block_0", "f8", (len(columns),))])
    rows["index"], rows["values_block_0"] = np.arange(FRAMES), values
    with h5py.File(folder / "DLC.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_("frame_table")
        group.attrs["non_index_axes"] = _pickled([(1, columns)])
        table = group.create_dataset("table", data=rows)
        table.attrs["values_block_0_kind"] = _pickled(columns)
    return Written(folder / "DLC.h5", "deeplabcut", "named", people)


def _dlc_fixed(folder: Path) -> Written:
    import h5py

    people = people_of(MOUSE, 1, kind="other")
    columns, values = _dlc_values(people)
    with h5py.File(folder / "DLC.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_("frame")
        for axis in ("axis0", "block0_items"):
            for level in range(3):
                labels = sorted({c[level] for c in columns})
                group[f"{axis}_level{level}"] = np.array([v.encode() for v in labels])
                group[f"{axis}_label{level}"] = np.array([labels.index(c[level]) for c in columns])
        group["axis1"] = np.arange(FRAMES)
        group["block0_values"] = values
    return Written(folder / "DLC.h5", "deeplabcut", "named", people)


HDF5 = {
    "sleap": _slp,
    "sleap analysis, matlab": lambda f: _analysis(f, False, True),
    "sleap analysis, standard": lambda f: _analysis(f, True, True),
    "sleap analysis, old": lambda f: _analysis(f, False, False),
    "jabs": _jabs,
    "deeplabcut h5, table": _dlc_table,
    "deeplabcut h5, fixed": _dlc_fixed,
}
FAMILIES |= HDF5
