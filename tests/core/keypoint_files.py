"""Small valid files of every family of keypoint formats: two people (or one) who walk, written as the programs do.

`FAMILIES` maps a name to a function that writes into a folder and says what a reader must find there. Binary files are
in `keypoint_archives`.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import mvlift.keypoints
import numpy as np
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64

__all__ = ["F64", "FAMILIES", "FRAMES", "SIZE", "Written", "family", "flat", "people_of", "save", "spelled"]

SIZE: Final = (1280, 720)
FRAMES: Final = int(os.environ.get("MVLIFT_TEST_FRAMES", "12"))
"""Of each file; fuzzing takes fewer, because it reads them a million times."""
_ANATOMY: Final = json.loads((Path(mvlift.keypoints.__file__).parent / "anatomy.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Written:
    """A file, and what is in it.

    Attributes:
        path: file or folder.
        format: the reader's name for it.
        points: (P, T, J, 2) pixels in a picture of SIZE; NaN where missing.
        layout: name of the layout, "named" for none of the known.
        first: number of the first frame.
        sized: the file knows the picture's size.
        fps: the file's frame rate.
        tolerance: pixels by which the format rounds.
    """

    path: Path
    format: str
    layout: str
    points: F64
    first: int = 0
    sized: bool = False
    fps: Fraction | None = None
    tolerance: float = 0.02


Writer = Callable[[Path], Written]
FAMILIES: dict[str, Writer] = {}


def family(name: str) -> Callable[[Writer], Writer]:
    """Register a writer."""

    def register(writer: Writer) -> Writer:
        FAMILIES[name] = writer
        return writer

    return register


def _place(name: str, kind: str) -> tuple[float, float]:
    """Where a keypoint lies on a body of height 1."""
    table = _ANATOMY["human" if kind == "human" else "quadruped"]
    side, plain = (name[0], name[2:]) if name[:2] in ("l_", "r_") else ("", name)
    if plain not in table:
        plain = "wrist" if plain.startswith("hand") else "nose" if kind == "human" else "withers"
    x, y = table[plain]
    if kind == "human":
        return (-x if side == "r" else x), y
    return x + (0.04 if side == "r" else 0), y


def people_of(layout: str | Sequence[str], people: int = 2, frames: int = FRAMES, kind: str = "human") -> F64:
    """(P, T, J, 2) pixels of people who walk to the right and swing their limbs, in a picture of SIZE."""
    known = get_layout(layout) if isinstance(layout, str) else None
    names = known.names if known else tuple(layout)
    kind = known.family if known else kind
    spread = np.stack([0.3 * np.cos(np.arange(len(names))), 0.05 * np.arange(len(names)) % 0.9], -1)
    body = np.array([_place(n, kind) for n in names]) if kind != "other" else spread
    t = np.arange(frames)
    phase = np.array([(1 if n[:2] == "l_" else -1) * max(_place(n, kind)[1] - 0.3, 0) for n in names])
    swing = 40 * np.sin(t / 5)[:, None] * phase  # (T, J)
    height = 380 + 40 * np.arange(people)
    centre = 180 + 480 * np.arange(people)[:, None] + 4 * t  # (P, T)
    small = np.random.default_rng(0).uniform(-1.5, 1.5, (people, 1, len(names), 2))
    points = body * height[:, None, None, None] + small
    points = np.repeat(points, frames, 1)
    points[..., 0] += centre[..., None] + swing
    points[..., 1] += 120
    return rounded(points)


def rounded(values: F64, digits: int = 3) -> F64:
    return np.round(values, digits)


def flat(points: F64, confidence: float = 0.9) -> list[float]:
    """[x, y, c, x, y, c, ...] of one person."""
    return [float(v) for x, y in points for v in (x, y, confidence)]


def save(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def shuffled(people: F64, t: int) -> list[F64]:
    """The people of a frame in an order that changes from frame to frame, as detectors list them."""
    return list(people[:: 1 if t % 3 else -1, t])


def _openpose(folder: Path, layout: str, key: str = "pose_keypoints_2d", stem: str = "my video 12_") -> Written:
    people = people_of(layout)
    for t in range(FRAMES):
        entries = [{"person_id": [-1], key: flat(p), "face_keypoints_2d": []} for p in shuffled(people, t)]
        save(folder / "json" / f"{stem}{t:012d}_keypoints.json", {"version": 1.3, "people": entries})
    return Written(folder / "json", "openpose", layout, people)


FAMILIES |= {
    "openpose body25": lambda f: _openpose(f, "body25"),
    "openpose body25b": lambda f: _openpose(f, "body25b"),
    "openpose coco18": lambda f: _openpose(f, "openpose18"),
    "openpose 1.0": lambda f: _openpose(f, "openpose18", "pose_keypoints"),
    "openpose mpi": lambda f: _openpose(f, "mpi15"),
}


@family("openpose zip")
def _openpose_zip(folder: Path) -> Written:
    made = _openpose(folder, "body25")
    with zipfile.ZipFile(folder / "clip.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(made.path.iterdir(), reverse=True):  # members in no order
            archive.write(file, f"out/{file.name}")
    return replace(made, path=folder / "clip.zip")


@family("rtmlib, pose2sim")
def _rtmlib(folder: Path) -> Written:
    """Slots of the list are tracked people; an empty slot is literal NaN."""
    people = people_of("halpe26")
    people[1, 4:6] = np.nan
    for t in range(FRAMES):
        slots = [{"person_id": [-1], "pose_keypoints_2d": flat(p)} for p in people[:, t]]
        save(folder / "clip_json" / f"clip_{t:06d}.json", {"version": 1.3, "people": slots})
    return Written(folder / "clip_json", "openpose", "halpe26", people)


@family("openpose in one file")
def _aggregate(folder: Path) -> Written:
    people = people_of("openpose18", 1)
    document = {f"clip_{t:012d}_keypoints": flat(people[0, t]) for t in range(FRAMES)}
    return Written(save(folder / "all.json", document), "openpose-aggregate", "openpose18", people)


def _alphapose(folder: Path, layout: str, tracked: bool) -> Written:
    people = people_of(layout)
    rows = [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": flat(p, 1.04), "score": 3.1, "box": [0, 0, 9, 9],
         "idx": i + 1 if tracked else [0.0]}
        for t in sorted(range(FRAMES), key=str) for i, p in enumerate(people[:, t])
    ]  # fmt: skip
    return Written(save(folder / "alphapose-results.json", rows), "alphapose", layout, people)


FAMILIES |= {
    "alphapose coco17": lambda f: _alphapose(f, "coco17", False),
    "alphapose halpe26 tracked": lambda f: _alphapose(f, "halpe26", True),
    "alphapose halpe136": lambda f: _alphapose(f, "halpe136", False),
}


@family("alphapose cmu")
def _cmu(folder: Path) -> Written:
    people = people_of("openpose18")
    document = {
        f"{t}.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": flat(p)} for p in people[:, t]]}
        for t in range(FRAMES)
    }
    return Written(save(folder / "cmu.json", document), "alphapose-cmu", "openpose18", people)


@family("poseflow")
def _poseflow(folder: Path) -> Written:
    people = people_of("coco17")
    document = {
        f"{t:05d}.jpg": [{"keypoints": flat(p), "idx": i} for i, p in enumerate(people[:, t])] for t in range(FRAMES)
    }
    return Written(save(folder / "tracked.json", document), "by-frame", "coco17", people)


@family("alphapose by person")
def _by_person(folder: Path) -> Written:
    people = people_of("coco17")
    document = {str(i): {str(t): {"keypoints": flat(p[t]), "scores": 3.2} for t in range(FRAMES)}
                for i, p in enumerate(people)}  # fmt: skip
    return Written(save(folder / "persons.json", document), "by-frame", "coco17", people)


@family("pictures, x and y only")
def _pictures(folder: Path) -> Written:
    people = people_of("coco17")
    document = {
        rf"C:\video\img_{t:04d}_jpg.rf.0123456789abcdef.jpg": [{"keypoints": p.tolist()} for p in people[:, t]]
        for t in range(FRAMES)
    }
    return Written(save(folder / "results.json", document), "by-frame", "coco17", people)


def instances(people: F64, t: int) -> list[dict[str, Any]]:
    return [
        {"keypoints": p.tolist(), "keypoint_scores": [1.08] * len(p), "bbox": [[0, 0, 9, 9]], "bbox_score": 0.9}
        for p in shuffled(people, t)
    ]


@family("mmpose inferencer")
def _mmpose(folder: Path) -> Written:
    people = people_of("coco17")
    document = [{"frame_id": t, "instances": instances(people, t)} for t in range(FRAMES)]
    return Written(save(folder / "video.json", document), "mmpose", "coco17", people)


def spelled(names: Sequence[str]) -> list[str]:
    """Names as data sets spell them: left_big_toe."""
    return [{"l_": "left_", "r_": "right_"}.get(n[:2], n[:2]) + n[2:] for n in names]


def _meta(layout: str, dataset: str) -> dict[str, Any]:
    names = spelled(get_layout(layout).names)
    return {"dataset_name": dataset, "num_keypoints": len(names),
            "keypoint_id2name": {str(i): n for i, n in enumerate(names)}}  # fmt: skip


@family("mmpose demo")
def _mmpose_demo(folder: Path) -> Written:
    people = people_of("coco17")
    frames = [{"frame_id": t + 1, "instances": instances(people, t)} for t in range(FRAMES)]
    document = {"meta_info": _meta("coco17", "coco"), "instance_info": frames}
    return Written(save(folder / "results_video.json", document), "mmpose-demo", "coco17", people)


@family("sapiens 1")
def _sapiens1(folder: Path) -> Written:
    people = people_of("goliath308")
    for t in range(FRAMES):
        document = {"meta_info": _meta("goliath308", "goliath3d"), "instance_info": instances(people, t)}
        save(folder / "out" / f"{t:06d}.json", document)
    return Written(folder / "out", "sapiens", "goliath308", people)


@family("sapiens 2")
def _sapiens2(folder: Path) -> Written:
    people = people_of("goliath308", 1)
    frames = [{"image_name": f"{t:06d}.jpg", "instances": instances(people, t)} for t in range(FRAMES)]
    document = {"video": "v", "image_size": [SIZE[1], SIZE[0]], "num_keypoints": 308, "kpt_thr_used": 0.3,
                "frames": frames}  # fmt: skip
    path = save(folder / "v_predictions.json", document)
    return Written(path, "sapiens", "goliath308", people, sized=True)


@family("easy_ViTPose")
def _vitpose(folder: Path) -> Written:
    people = people_of("coco17")
    frames = [{str(i + 1): [[y, x, 0.9] for x, y in p] for i, p in enumerate(people[:, t])} for t in range(FRAMES)]
    document = {"keypoints": frames, "skeleton": {str(i): n for i, n in enumerate(spelled(get_layout("coco17").names))}}
    return Written(save(folder / "video_result.json", document), "easy-vitpose", "coco17", people)


@family("comfyui")
def _comfyui(folder: Path) -> Written:
    people = people_of("openpose18")
    frames = [
        {"people": [{"pose_keypoints_2d": flat(p, 1.0), "hand_left_keypoints_2d": None} for p in shuffled(people, t)],
         "canvas_width": SIZE[0], "canvas_height": SIZE[1]} for t in range(FRAMES)
    ]  # fmt: skip
    return Written(save(folder / "PoseKeypoint_00001.json", frames), "comfyui", "openpose18", people, sized=True)


@family("comfyui animals")
def _comfyui_animals(folder: Path) -> Written:
    animals = people_of("ap10k17", 1)
    frames = [
        {"version": "ap10k", "animals": [[[x, y, 1] for x, y in animals[0, t].tolist()]], "canvas_width": SIZE[0],
         "canvas_height": SIZE[1]} for t in range(FRAMES)
    ]  # fmt: skip
    return Written(save(folder / "animals.json", frames), "comfyui", "ap10k17", animals, sized=True)


def _landmarks(points: F64) -> list[dict[str, float]]:
    return [{"x": x / SIZE[0], "y": y / SIZE[1], "z": -0.1, "visibility": 0.99} for x, y in points.tolist()]


def _mediapipe(folder: Path, frame: Callable[[int, list[dict[str, float]]], object]) -> Written:
    people = people_of("mediapipe33", 1)
    document = [frame(t, _landmarks(people[0, t])) for t in range(FRAMES)]
    return Written(save(folder / "pose_data.json", document), "mediapipe", "mediapipe33", people)


def _named(landmarks: Sequence[Any], detected: bool) -> dict[str, Any]:
    return {"has_pose": detected, "landmarks": _by_name(landmarks) if detected else {}}


def _by_name(landmarks: Sequence[Any]) -> dict[str, Any]:
    names = [n.upper() for n in spelled(get_layout("mediapipe33").names)]
    return dict(zip([n.replace("BIG_TOE", "FOOT_INDEX") for n in names], landmarks, strict=True))


FAMILIES |= {
    "mediapipe A": lambda f: _mediapipe(f, lambda t, m: m),
    "mediapipe B": lambda f: _mediapipe(f, lambda t, m: {"frame": t, "landmarks": m}),
    "mediapipe C": lambda f: _mediapipe(f, lambda t, m: {"frame": t + 1, "landmarks": m}),
    "mediapipe lists": lambda f: _mediapipe(f, lambda t, m: [list(p.values()) for p in m]),
}


@family("mediapipe D")
def _mediapipe_d(folder: Path) -> Written:
    made = _mediapipe(
        folder,
        lambda t, m: {"frame_number": t, "timestamp": t / 25, **_named(m, t != 3)},
    )  # fmt: skip
    points = made.points.copy()
    points[:, 3] = np.nan
    return replace(made, points=points, fps=Fraction(25))


@family("mediapipe E")
def _mediapipe_e(folder: Path) -> Written:
    people = people_of("coco17neck")
    names = [n.title() for n in spelled(get_layout("coco17neck").names)]
    poses = [[dict(zip(names, _landmarks(p), strict=True)) for p in people[:, t]] for t in range(FRAMES)]
    document = {f"frame_{t:04d}": {f"person_{i}": p for i, p in enumerate(poses[t])} for t in range(FRAMES)}
    return Written(save(folder / "all_keypoints.json", document), "mediapipe", "coco17neck", people)


@family("tensorflow.js")
def _tfjs(folder: Path) -> Written:
    people = people_of("coco17", 1)
    names = spelled(get_layout("coco17").names)
    points = [[{"x": x, "y": y, "score": 0.9} for x, y in people[0, t].tolist()] for t in range(FRAMES)]
    named = [[{**p, "name": n} for p, n in zip(frame, names, strict=True)] for frame in points]
    document = [[{"score": 0.9, "keypoints": frame}] for frame in named]
    return Written(save(folder / "poses.json", document), "mediapipe", "coco17", people)
