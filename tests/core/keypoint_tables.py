"""Continues `keypoint_files`: YOLO, COCO and its kin, and tables."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from keypoint_files import FRAMES, SIZE, Written, family, flat, people_of, save, spelled
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64

__all__ = ["COCO", "MOUSE", "write"]

COCO = get_layout("coco17").names


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@family("ultralytics json")
def _ultralytics(folder: Path) -> Written:
    people = people_of("coco17")
    people[0, 3, 9] = np.nan
    zeros = np.nan_to_num(people)  # low confidence: placed at 0, 0 and kept
    frames = [
        [
            {"name": "person", "class": 0, "confidence": 0.9, "box": {}, "track_id": i + 1,
             "keypoints": {"x": p[:, 0].tolist(), "y": p[:, 1].tolist(), "visible": [0.4] * 17}}
            for i, p in enumerate(zeros[:, t])
        ]
        for t in range(FRAMES)
    ]  # fmt: skip
    return Written(save(folder / "results.json", frames), "ultralytics", "coco17", people)


def _label_row(points: F64, track: int | None) -> str:
    share = points / SIZE
    numbers = [0.5, 0.5, 0.3, 0.6, *(v for x, y in share.tolist() for v in (x, y, 0.9))]
    tail = [] if track is None else [0.8, track]
    return "0 " + " ".join(f"{v:.8g}" for v in [*numbers, *tail])


@family("ultralytics save_txt")
def _save_txt(folder: Path) -> Written:
    people = people_of("coco17")
    for t in range(FRAMES):
        rows = [_label_row(p, i + 1) for i, p in enumerate(people[:, t])]
        write(folder / "labels" / f"video_{t + 1}.txt", "\n".join(rows * 2) + "\n")  # run twice: every row is doubled
    return Written(folder / "labels", "yolo-txt", "coco17", people)


@family("yolov7 rows")
def _yolov7(folder: Path) -> Written:
    people = people_of("coco17")
    rows = [[t, i, 5, 5, 9, 9, 0.9, *flat(p)] for t in range(FRAMES) for i, p in enumerate(people[:, t])]
    return Written(save(folder / "keypoints.json", rows), "yolov7", "coco17", people)


def _wide(people: F64, titles: list[str], lead: list[str], ids: bool, score: bool) -> str:
    lines = [",".join([*lead, *titles])]
    for t in range(FRAMES):
        for i, p in enumerate(people[:, t]):
            values = [v for x, y in p.tolist() for v in ((x, y, 0.9) if score else (x, y))]
            cells = ["" if np.isnan(v) else f"{v:.9g}" for v in values]
            lines.append(",".join([str(t), *([f"who{i}"] if ids else []), *cells]))
    return "\n".join(lines) + "\n"


@family("ultralytics csv")
def _yolo_csv(folder: Path) -> Written:
    people = people_of("coco17")
    titles = [f"{n}.{a}" for n in spelled(COCO) for a in "xyc"]
    text = _wide(people, titles, ["frame", "person"], True, True)
    return Written(write(folder / "poses.csv", text), "wide-csv", "coco17", people)


@family("ultralytics to_csv")
def _to_csv(folder: Path) -> Written:
    people = people_of("coco17")
    lines = ["frame,name,class,confidence,box,track_id,keypoints"]
    for t in range(FRAMES):
        for i, p in enumerate(people[:, t]):
            points = {"x": p[:, 0].tolist(), "y": p[:, 1].tolist(), "visible": [0.9] * 17}
            lines.append(f'{t},person,0,0.9,"{{\'x1\': 1.0}}",{i},"{points}"')
    return Written(write(folder / "to.csv", "\n".join(lines)), "ultralytics-csv", "coco17", people)


@family("wide csv, numbered columns")
def _numbered(folder: Path) -> Written:
    people = people_of("coco17", 1)
    text = _wide(people, [f"{a}{j}" for j in range(17) for a in "xy"], ["frame"], False, False)
    return Written(write(folder / "poses.csv", text), "wide-csv", "coco17", people)


@family("wide csv, semicolons")
def _semicolons(folder: Path) -> Written:
    people = people_of("animalpose20", 1)
    titles = [f"{n}_{a}" for n in get_layout("animalpose20").names for a in "xy"]
    text = _wide(people, titles, ["frame"], False, False).replace(",", ";").replace(".", ",")
    return Written(write(folder / "horse.csv", text), "wide-csv", "animalpose20", people)


@family("sleap csv")
def _sleap_csv(folder: Path) -> Written:
    people = people_of("coco17")
    lines = ["track,frame_idx,instance.score," + ",".join(f"{n}.{a}" for n in COCO for a in ("x", "y", "score"))]
    for i, person in enumerate(people):
        for t in range(FRAMES):
            cells = [f"{v:.9g}" for x, y in person[t].tolist() for v in (x, y, 0.9)]
            lines.append(",".join([f"track_{i}", str(t), "0.8", *cells]))
    return Written(write(folder / "a.csv", "\n".join(lines)), "sleap-csv", "coco17", people)


@family("mocapnet")
def _mocapnet(folder: Path) -> Written:
    people = people_of("openpose18", 1)
    titles = [f"{a}{n}" for n in spelled(get_layout("openpose18").names) for a in ("2DX_", "2DY_", "visible_")]
    path = write(folder / "2d.csv", _wide(people / SIZE, titles, ["frameNumber"], False, True))
    return Written(path, "mocapnet", "openpose18", people)


@family("landmark csv")
def _landmark_csv(folder: Path) -> Written:
    people = people_of("mediapipe33", 1)
    lines = ["frame,landmark,x,y,z,visibility"]
    for t in range(FRAMES):
        lines += [
            f"{t},{j},{x / SIZE[0]:.9g},{y / SIZE[1]:.9g},-0.2,0.9" for j, (x, y) in enumerate(people[0, t].tolist())
        ]
    return Written(write(folder / "landmarks.csv", "\n".join(lines)), "landmark-csv", "mediapipe33", people)


@family("own csv")
def _own_csv(folder: Path) -> Written:
    people = people_of("coco17")
    lines = ["# fps=30000/1001 size=1280x720", "frame,person,keypoint,x,y,confidence"]
    for t in range(FRAMES):
        for i, p in enumerate(people[:, t]):
            lines += [f"{t},{i},{n},{x},{y},0.9" for n, (x, y) in zip(COCO, p.tolist(), strict=True)]
    path = write(folder / "clip.csv", "\n".join(lines))
    return Written(path, "csv", "coco17", people, sized=True, fps=Fraction(30000, 1001))


def _dlc(folder: Path, people: F64, names: list[str], individuals: bool, labels: bool) -> Path:
    axes = ("x", "y") if labels else ("x", "y", "likelihood")
    blank = ["", ""] if labels else []
    columns = [(f"mouse{i}", n, a) for i in range(len(people)) for n in names for a in axes]
    lines = [["scorer", *blank, *("DLC_resnet50" for _ in columns)]]
    lines += [["individuals", *blank, *(c[0] for c in columns)]] if individuals else []
    lines += [["bodyparts", *blank, *(c[1] for c in columns)], ["coords", *blank, *(c[2] for c in columns)]]
    for t in range(FRAMES):
        values = [v for p in people[:, t] for x, y in p.tolist() for v in ((x, y) if labels else (x, y, 0.9))]
        index = ["labeled-data", "video", f"img{t:03d}.png"] if labels else [str(t)]
        lines.append([*index, *("" if np.isnan(v) else f"{v:.9g}" for v in values)])
    return write(folder / "DLC.csv", "\n".join(map(",".join, lines)) + "\n")


SUPERANIMAL = [
    "nose", "upper_jaw", "lower_jaw", "mouth_end_right", "mouth_end_left", "right_eye", "right_earbase", "right_earend",
    "right_antler_base", "right_antler_end", "left_eye", "left_earbase", "left_earend", "left_antler_base",
    "left_antler_end", "neck_base", "neck_end", "throat_base", "throat_end", "back_base", "back_end", "back_middle",
    "tail_base", "tail_end", "front_left_thai", "front_left_knee", "front_left_paw", "front_right_thai",
    "front_right_knee", "front_right_paw", "back_left_paw", "back_left_thai", "back_right_thai", "back_left_knee",
    "back_right_knee", "back_right_paw", "belly_bottom", "body_middle_right", "body_middle_left",
]  # fmt: skip
MOUSE = ["snout", "leftear", "rightear", "tailbase"]


@family("deeplabcut csv")
def _dlc_csv(folder: Path) -> Written:
    people = people_of(MOUSE, 1, kind="other")
    people[0, 5, 2] = np.nan
    return Written(_dlc(folder, people, MOUSE, False, False), "deeplabcut", "named", people)


@family("deeplabcut csv, several animals")
def _dlc_multi(folder: Path) -> Written:
    people = people_of(MOUSE, 2, kind="other")
    return Written(_dlc(folder, people, MOUSE, True, False), "deeplabcut", "named", people)


@family("deeplabcut labels")
def _dlc_labels(folder: Path) -> Written:
    people = people_of(MOUSE, 1, kind="other")
    people[0, 4] = np.nan
    return Written(_dlc(folder, people, MOUSE, False, True), "deeplabcut", "named", people)


@family("deeplabcut superanimal")
def _superanimal(folder: Path) -> Written:
    people = people_of("superanimal39", 1)
    return Written(_dlc(folder, people, SUPERANIMAL, False, False), "deeplabcut", "superanimal39", people)


def _coco(people: F64, names: list[str], **extra: Any) -> dict[str, Any]:
    marks = [
        {"id": t * 10 + i, "image_id": t, "category_id": 1, "track_id": i, "bbox": [0, 0, 9, 9],
         "num_keypoints": len(names), "keypoints": flat(p, 2)}
        for t in range(FRAMES) for i, p in enumerate(people[:, t])
    ]  # fmt: skip
    images = [
        {"id": t, "file_name": f"{t:06d}.jpg", "width": SIZE[0], "height": SIZE[1], **extra} for t in range(FRAMES)
    ]
    return {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "one", "keypoints": names}]}


@family("coco annotations")
def _coco_annotations(folder: Path) -> Written:
    people = people_of("coco17")
    path = save(folder / "annotations.json", _coco(people, spelled(COCO)))
    return Written(path, "coco", "coco17", people, sized=True)


@family("ap-10k")
def _ap10k(folder: Path) -> Written:
    animals = people_of("ap10k17", 1)
    names = ["left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
             "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
             "right_knee", "right_back_paw"]  # fmt: skip
    return Written(save(folder / "ap10k.json", _coco(animals, names)), "coco", "ap10k17", animals, sized=True)


@family("posetrack")
def _posetrack(folder: Path) -> Written:
    people = people_of("posetrack18")
    names = spelled(get_layout("posetrack18").names)
    names[1:3] = "head_bottom", "head_top"
    document = _coco(people, names, vid_id="001012", nframes=FRAMES)
    for t, image in enumerate(document["images"]):
        image["frame_id"] = 10010120000 + t
    return Written(save(folder / "val.json", document), "coco", "posetrack18", people, sized=True)


@family("coco results")
def _coco_results(folder: Path) -> Written:
    people = people_of("coco17")
    rows = [{"image_id": t, "category_id": 1, "keypoints": flat(p), "score": 0.8}
            for t in range(FRAMES) for p in people[:, t]]  # fmt: skip
    return Written(save(folder / "results.json", rows), "coco-results", "coco17", people)
