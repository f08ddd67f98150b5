"""Continues `keypoint_files`: predictions of services, phones and programs for human mesh recovery."""

from __future__ import annotations

import pickle
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from keypoint_files import FRAMES, SIZE, Written, family, flat, people_of, save, shuffled
from keypoint_tables import COCO, write
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64

__all__ = ["joblib_dump", "torch_file"]

APPLE = {
    "nose": "head_joint",
    "l_eye": "left_eye_joint",
    "r_eye": "right_eye_joint",
    "l_ear": "left_ear_joint",
    "r_ear": "right_ear_joint",
    "l_shoulder": "left_shoulder_1_joint",
    "r_shoulder": "right_shoulder_1_joint",
    "l_elbow": "left_forearm_joint",
    "r_elbow": "right_forearm_joint",
    "l_wrist": "left_hand_joint",
    "r_wrist": "right_hand_joint",
    "l_hip": "left_upLeg_joint",
    "r_hip": "right_upLeg_joint",
    "l_knee": "left_leg_joint",
    "r_knee": "right_leg_joint",
    "l_ankle": "left_foot_joint",
    "r_ankle": "right_foot_joint",
}


@family("roboflow")
def _roboflow(folder: Path) -> Written:
    people = people_of("coco17")
    spelled = [n.replace("l_", "left_", 1) if n[:2] == "l_" else n.replace("r_", "right_", 1) for n in COCO]
    frames = [
        {
            "frame_id": t,
            "image": {"width": SIZE[0], "height": SIZE[1]},
            "predictions": [
                {"x": 1, "y": 2, "width": 3, "height": 4, "class": "person", "confidence": 0.9, "keypoints": [
                    {"x": x, "y": y, "confidence": 0.9, "class_id": j, "class": spelled[j]}
                    for j, (x, y) in reversed(list(enumerate(p.tolist())))
                ]} for p in shuffled(people, t)
            ],
        } for t in range(FRAMES)
    ]  # fmt: skip
    return Written(save(folder / "predictions.json", frames), "roboflow", "coco17", people, sized=True)


@family("openpifpaf pictures")
def _pifpaf(folder: Path) -> Written:
    people = people_of("coco17")
    for t in range(FRAMES):
        entries = [{"keypoints": flat(p), "bbox": [0, 0, 9, 9], "score": 0.8, "category_id": 1} for p in people[:, t]]
        save(folder / "pictures" / f"frame_{t:04d}.png.predictions.json", entries)
    return Written(folder / "pictures", "openpifpaf", "coco17", people)


@family("apple vision")
def _apple(folder: Path) -> Written:
    people = people_of("coco17", 1)
    frames = [
        {"frame": t, "joints": {
            APPLE[n]: {"x": x, "y": 1 - y, "confidence": 0.9} for n, (x, y) in zip(COCO, p.tolist(), strict=True)
        }} for t, p in enumerate(people[0] / SIZE)
    ]  # fmt: skip
    return Written(save(folder / "vision.json", frames), "apple-vision", "coco17", people)


@family("apple vision of swift")
def _swift(folder: Path) -> Written:
    """Swift writes a dictionary with keys that are no strings as a list of keys and values, and points as pairs."""
    people = people_of("coco17", 1)
    frames = []
    for t, p in enumerate(people[0] / SIZE):
        pairs = [
            (APPLE[n], {"location": [x, 1 - y], "confidence": 0.9}) for n, (x, y) in zip(COCO, p.tolist(), strict=True)
        ]
        frames.append({"frame": t, "recognizedPoints": [part for pair in pairs for part in pair]})
    return Written(save(folder / "vision.json", frames), "apple-vision", "coco17", people)


@family("ml kit")
def _ml_kit(folder: Path) -> Written:
    people = people_of("mediapipe33", 1)
    frames = [
        {"frameNumber": t, "imageWidth": SIZE[0], "imageHeight": SIZE[1], "allPoseLandmarks": [
            {"landmarkType": j, "position3D": {"x": x, "y": y, "z": -3.0}, "inFrameLikelihood": 0.9}
            for j, (x, y) in reversed(list(enumerate(p.tolist())))
        ]} for t, p in enumerate(people[0])
    ]  # fmt: skip
    return Written(save(folder / "poses.json", {"frames": frames}), "mediapipe", "mediapipe33", people, sized=True)


@family("kinetics skeleton")
def _kinetics(folder: Path) -> Written:
    people = people_of("openpose18")
    data = [
        {"frame_index": t + 1, "skeleton": [
            {"pose": (p / SIZE).reshape(-1).tolist(), "score": [0.9] * 18} for p in shuffled(people, t)
        ]} for t in range(FRAMES)
    ]  # fmt: skip
    document = {"data": data, "label": "walk", "label_index": 3}
    return Written(save(folder / "walk.json", document), "kinetics-skeleton", "openpose18", people)


@family("pyskl")
def _pyskl(folder: Path) -> Written:
    people = people_of("coco17")
    clip = {
        "frame_dir": "walk",
        "total_frames": FRAMES,
        "original_shape": (SIZE[1], SIZE[0]),
        "label": 0,
        "keypoint": people.astype(np.float32),
        "keypoint_score": np.full(people.shape[:3], 0.9, np.float32),
    }
    path = folder / "walk.pkl"
    path.write_bytes(pickle.dumps({"split": {"all": ["walk"]}, "annotations": [clip]}))
    return Written(path, "pyskl", "coco17", people, sized=True)


@family("sports2d trc")
def _trc(folder: Path) -> Written:
    people = people_of("coco17", 1)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tclip_px_person00.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"30\t30\t{FRAMES}\t17\tm\t30\t0\t{FRAMES}",
        "Frame#\tTime\t" + "\t\t\t".join(COCO) + "\t\t",
        "\t\t" + "\t".join(f"{a}{j + 1}" for j in range(17) for a in "XYZ"),
    ]
    for t, p in enumerate(people[0]):
        lines.append("\t".join(map(str, [t, f"{t / 30:.4f}", *np.pad(p, ((0, 0), (0, 1))).reshape(-1).tolist()])))
    path = write(folder / "clip_px_person00.trc", "\n".join(lines))
    return Written(path, "sports2d-trc", "coco17", people, fps=Fraction(30))


@family("sam 3d body")
def _sam(folder: Path) -> Written:
    people = people_of("mhr70")
    (folder / "sam").mkdir()
    for t in range(FRAMES):
        entries = [
            {"bbox": np.zeros(4), "pred_keypoints_2d": p.astype(np.float32), "pred_cam_t": np.zeros(3)}
            for p in shuffled(people, t)
        ]
        (folder / "sam" / f"frame_{t:05d}.pkl").write_bytes(pickle.dumps({"outputs": np.array(entries, dtype=object)}))
    return Written(folder / "sam", "sam3d-body", "mhr70", people)


@family("sam 3d body json")
def _sam_json(folder: Path) -> Written:
    people = people_of("mhr70")
    frames = {
        f"frame_{t}": [{"pred_keypoints_2d": p.tolist(), "focal_length": 900.0} for p in people[:, t]]
        for t in range(FRAMES)
    }
    return Written(save(folder / "sam.json", frames), "sam3d-body", "mhr70", people)


class _JoblibPickler(pickle._Pickler):  # type: ignore[misc, name-defined]
    """joblib's way to write arrays: a mark with shape and type, then padding and the bytes, between opcodes."""

    file: BinaryIO

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(value, np.ndarray):
            super().save(value, save_persistent_id)
            return
        facts = {
            "subclass": np.ndarray,
            "shape": value.shape,
            "order": "C",
            "dtype": value.dtype,
            "allow_mmap": True,
            "numpy_array_alignment_bytes": 16,
        }
        self.write(pickle.GLOBAL + b"joblib.numpy_pickle\nNumpyArrayWrapper\n" + pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        super().save(facts)
        self.write(pickle.BUILD)
        self.file.write(bytes([3]) + b"\xff" * 3 + value.tobytes())


def joblib_dump(value: object, path: Path) -> None:
    """Writes a pickle as ``joblib.dump`` does."""
    with path.open("wb") as stream:
        pickler = _JoblibPickler(stream, protocol=3)
        pickler.file = stream
        pickler.dump(value)


@family("wham tracks")
def _wham(folder: Path) -> Written:
    people = people_of("coco17")
    tracks = {
        i: {
            "frame_id": np.arange(FRAMES),
            "bbox": np.zeros((FRAMES, 3)),
            "keypoints": np.concatenate([p, np.full((FRAMES, 17, 1), 0.9)], -1),
        }
        for i, p in enumerate(people)
    }
    path = folder / "tracking_results.pth"
    joblib_dump(tracks, path)
    return Written(path, "wham", "coco17", people)


def torch_file(array: F64, path: Path) -> Path:
    """Writes an array as ``torch.save`` writes a tensor of 32 bits."""
    strides = [n // 4 for n in np.ascontiguousarray(array.astype("<f4")).strides]
    reference = (
        pickle.MARK + _text("storage") + pickle.GLOBAL + b"torch\nFloatStorage\n" + _text("0") + _text("cpu")
        + _number(array.size) + pickle.TUPLE + pickle.BINPERSID
    )  # fmt: skip
    body = (
        pickle.PROTO + b"\x02" + pickle.GLOBAL + b"torch._utils\n_rebuild_tensor_v2\n" + pickle.MARK + reference
        + _number(0) + pickle.MARK + b"".join(map(_number, array.shape)) + pickle.TUPLE
        + pickle.MARK + b"".join(map(_number, strides)) + pickle.TUPLE + pickle.NEWFALSE
        + pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
        + pickle.TUPLE + pickle.REDUCE + pickle.STOP
    )  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vitpose/data.pkl", body)
        archive.writestr("vitpose/data/0", array.astype("<f4").tobytes())
        archive.writestr("vitpose/version", "3\n")
    return path


def _text(text: str) -> bytes:
    return pickle.BINUNICODE + len(text).to_bytes(4, "little") + text.encode()


def _number(value: int) -> bytes:
    return pickle.BININT + int(value).to_bytes(4, "little")


@family("gvhmr vitpose")
def _gvhmr(folder: Path) -> Written:
    people = people_of("coco17", 1)
    tensor = np.concatenate([people[0], np.full((FRAMES, 17, 1), 0.9)], -1)
    return Written(torch_file(tensor, folder / "vitpose.pt"), "arrays", "coco17", people)


@family("holistic")
def _holistic(folder: Path) -> Written:
    people = people_of("mediapipe33", 1)
    names = get_layout("mediapipe33").names

    def landmarks(points: F64) -> list[dict[str, float]]:
        return [{"x": x, "y": y, "z": 0.0} for x, y in (points / SIZE).tolist()]

    frames = []
    for t, p in enumerate(people[0]):
        hand = p[names.index("l_wrist")] + np.arange(42).reshape(21, 2)
        frames.append({
            "frame": t, "poseLandmarks": [{**v, "visibility": 0.9} for v in landmarks(p)],
            "leftHandLandmarks": landmarks(hand), "rightHandLandmarks": None, "faceLandmarks": landmarks(hand),
        })  # fmt: skip
    return Written(save(folder / "holistic.json", frames), "mediapipe", "mediapipe33", people)
