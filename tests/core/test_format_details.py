"""What programs and scripts change within one format: units, order, first frames, strings, numbers behind keypoints."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import FRAMES, SIZE, _landmarks, flat, instances, people_of, save, spelled
from mvlift.keypoints import inspect_keypoints
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64

COCO = spelled(get_layout("coco17").names)


@dataclass(frozen=True)
class Expected:
    """What must be recognised.

    Attributes:
        format, layout, units: names.
        points: (P, T, J, 2) pixels of the people, from frame ``first`` on.
        size: of the picture.
        note: part of what is said about it.
    """

    format: str
    layout: str
    points: F64
    first: int = 0
    units: str = "pixels"
    size: tuple[int, int] | None = None
    note: str = ""


Maker = Callable[[Path], tuple[Path, Expected]]
CASES: dict[str, Maker] = {}


def case(maker: Maker) -> Maker:
    CASES[maker.__name__] = maker
    return maker


def openpose_files(folder: Path, frames: Sequence[Sequence[Sequence[Any]]]) -> Path:
    for t, people in enumerate(frames):
        save(folder / f"v_{t:012d}_keypoints.json", {"people": [{"pose_keypoints_2d": list(p)} for p in people]})
    return folder


@case
def openpose_in_fractions(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25")
    frames = [[flat(p / SIZE) for p in people[:, t]] for t in range(FRAMES)]
    path = openpose_files(folder / "json", frames)
    return path, Expected("openpose", "body25", people, units="fraction", size=SIZE, note="unknown size")


@case
def openpose_from_minus_one_to_one(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25")
    frames = [[flat(2 * p / SIZE - 1) for p in people[:, t]] for t in range(FRAMES)]
    path = openpose_files(folder / "json", frames)
    return path, Expected("openpose", "body25", people, units="centred", size=SIZE, note="unknown size")


@case
def openpose_nobody_at_first(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25b")
    frames = [[flat(p) for p in people[:, t]] if t > 2 else [] for t in range(FRAMES)]
    return openpose_files(folder / "json", frames), Expected("openpose", "body25b", people[:, 3:], first=3)


@case
def openpose_numbers_as_text(folder: Path) -> tuple[Path, Expected]:
    people = people_of("openpose18", 1)
    frames = [[[str(v) for v in flat(people[0, t])]] for t in range(FRAMES)]
    return openpose_files(folder / "json", frames), Expected("openpose", "openpose18", people)


@case
def openpose_documents_in_a_list(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25")
    document = [
        {"frame": t + 7, "people": [{"pose_keypoints_2d": flat(p)} for p in people[:, t]]} for t in range(FRAMES)
    ]  # fmt: skip
    return save(folder / "all.json", document), Expected("openpose", "body25", people, first=7)


@case
def openpose_documents_one_a_line(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25")
    lines = [
        json.dumps({"people": [{"pose_keypoints_2d": flat(p)} for p in people[:, t]]}) for t in range(FRAMES)
    ]  # fmt: skip
    path = folder / "all.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path, Expected("openpose", "body25", people)


@case
def pose2sim_failed_frames(folder: Path) -> tuple[Path, Expected]:
    people = people_of("halpe26", 1)
    frames = [[flat(people[0, t]) if t > 1 else [float("nan")] * 78] for t in range(FRAMES)]
    return openpose_files(folder / "json", frames), Expected("openpose", "halpe26", people[:, 2:], first=2)


@case
def alphapose_second_run_in_one_file(folder: Path) -> tuple[Path, Expected]:
    people = people_of("halpe26")
    rows = [
        {"image_id": f"cam1/frame{t:05d}.png", "category_id": 1, "keypoints": flat(p, 1.07), "score": 3.1}
        for _ in range(2) for t in range(FRAMES) for p in people[:, t]
    ]  # fmt: skip
    return save(folder / "alphapose-results.json", rows), Expected("alphapose", "halpe26", people)


@case
def results_that_begin_with_boxes(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17")
    boxes = [{"image_id": 0, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.2}]
    rows = [
        {"image_id": t, "category_id": 1, "keypoints": flat(p), "score": 0.9}
        for t in range(2, FRAMES) for p in people[:, t]
    ]  # fmt: skip
    return save(folder / "results.json", boxes + rows), Expected("coco-results", "coco17", people[:, 2:], first=2)


@case
def coco_ids_and_numbers_as_text(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17")
    images = [
        {"id": str(t + 100), "file_name": f"{t:04d}.jpg", "width": SIZE[1], "height": SIZE[0]} for t in range(FRAMES)
    ]  # fmt: skip
    rows = [
        {"image_id": str(t + 100), "category_id": 1, "keypoints": [str(v) for v in flat(p, 2)]}
        for t in range(FRAMES) for p in people[:, t]
    ]  # fmt: skip
    document = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "person", "keypoints": COCO}]}
    return save(folder / "coco.json", document), Expected("coco", "coco17", people, size=(SIZE[1], SIZE[0]))


@case
def sapiens_portrait(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17")
    frames = [{"image_name": f"{t:06d}.jpg", "instances": instances(people, t)} for t in range(FRAMES)]
    document = {"image_size": [SIZE[0], SIZE[1]], "num_keypoints": 17, "frames": frames}
    path = save(folder / "v_predictions.json", document)
    return path, Expected("sapiens", "coco17", people, size=(SIZE[1], SIZE[0]))


@case
def vitpose_nobody_at_first(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25", 1)
    names = {str(i): n for i, n in enumerate(spelled(get_layout("body25").names))}
    frames = [{"1": [[y, x, 0.9] for x, y in people[0, t]]} if t > 2 else {} for t in range(FRAMES)]
    path = save(folder / "v_result.json", {"keypoints": frames, "skeleton": names})
    return path, Expected("easy-vitpose", "body25", people[:, 3:], first=3)


@case
def mediapipe_null_at_first(folder: Path) -> tuple[Path, Expected]:
    people = people_of("mediapipe33", 1)
    document = [_landmarks(people[0, t]) if t > 1 else None for t in range(FRAMES)]
    path = save(folder / "pose.json", document)
    return path, Expected("mediapipe", "mediapipe33", people[:, 2:], first=2, units="fraction", size=SIZE)


@case
def posenet_parts(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    names = [n[0].lower() + n.title().replace("_", "")[1:] for n in COCO]
    frames = [
        {"score": 0.9, "keypoints": [{"position": {"x": x, "y": y}, "score": 0.9, "part": n}
                                     for n, (x, y) in zip(names, people[0, t].tolist(), strict=True)]}
        for t in range(FRAMES)
    ]  # fmt: skip
    return save(folder / "poses.json", frames), Expected("mediapipe", "coco17", people)


def result(points: F64) -> dict[str, Any]:
    return {"name": "person", "class": 0, "confidence": 0.9,
            "keypoints": {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "visible": [0.9] * 17}}  # fmt: skip


@case
def ultralytics_texts_in_a_list(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17")
    document = [json.dumps([result(p) for p in people[:, t]]) if t > 1 else "[]" for t in range(FRAMES)]
    return save(folder / "all.json", document), Expected("ultralytics", "coco17", people[:, 2:], first=2)


def _labels(each: int, behind: int) -> Maker:
    """``save_txt``: 2 or 3 numbers a keypoint, and behind them nothing, a confidence, or a confidence and a track."""

    def write(folder: Path) -> tuple[Path, Expected]:
        people = people_of("coco17")
        (folder / "labels").mkdir(parents=True)
        for t in range(FRAMES):
            lines = []
            for i, p in enumerate(people[:, t] / SIZE):
                numbers = [v for x, y in p for v in (x, y, 0.3)[:each]]
                lines.append(" ".join(f"{v:.9g}" for v in [0, 0.5, 0.5, 0.2, 0.6, *numbers, *(0.87, i + 1)[:behind]]))
            (folder / "labels" / f"clip_{t + 1}.txt").write_text("\n".join(lines))
        note = "numbered from 1"
        return folder / "labels", Expected("yolo-txt", "coco17", people, units="fraction", size=SIZE, note=note)

    return write


CASES |= {f"labels of {each} and {behind}": _labels(each, behind) for each in (2, 3) for behind in (0, 1, 2)}


@case
def label_studio_local_files_portrait(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    tasks = []
    for t in range(FRAMES):
        regions = [
            {"original_width": SIZE[1], "original_height": SIZE[0], "type": "keypointlabels",
             "value": {"x": 100 * x / SIZE[1], "y": 100 * y / SIZE[0], "width": 0.3, "keypointlabels": [n]}}
            for n, (x, y) in zip(COCO, people[0, t].tolist(), strict=True)
        ]  # fmt: skip
        tasks.append(
            {"data": {"image": f"/data/local-files/?d=v/{t + 5:04d}.png"}, "completions": [{"result": regions}]}
        )
    expected = Expected("label-studio", "coco17", people, first=5, units="percent", size=(SIZE[1], SIZE[0]))
    return save(folder / "export.json", tasks), expected


@case
def freemocap_renamed_and_short(folder: Path) -> tuple[Path, Expected]:
    people = people_of("mediapipe33", 1, frames=30)
    views = np.stack([0.9 * people[0] + 20, people[0], 1.1 * people[0] - 30])
    views[[0, 2], :5] = np.nan
    np.save(folder / "two_d.npy", views)
    return folder / "two_d.npy", Expected("arrays", "mediapipe33", people, note="3 cameras; number 1")


@case
def several_people_are_no_cameras(folder: Path) -> tuple[Path, Expected]:
    people = people_of("mediapipe33", 3, frames=10)
    np.save(folder / "two_d.npy", people.transpose(1, 0, 2, 3))
    return folder / "two_d.npy", Expected("arrays", "mediapipe33", people)


@case
def movenet_without_its_axes_of_length_one(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    share = (people[0] / SIZE)[..., ::-1]
    np.save(folder / "movenet.npy", np.concatenate([share, np.full((FRAMES, 17, 1), 0.9)], -1))
    path = folder / "movenet.npy"
    note = "y was read as standing before x"
    return path, Expected("arrays", "coco17", people, units="fraction", size=SIZE, note=note)


@case
def y_points_up(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    turned = people[0] * (1, -1) + (0, SIZE[1])
    np.savez(folder / "clip.npz", points=turned, image_size=np.array(SIZE))
    return folder / "clip.npz", Expected("arrays", "coco17", people, size=SIZE, note="y was read as pointing up")


@case
def flat_rows_of_x_and_y(folder: Path) -> tuple[Path, Expected]:
    people = people_of("body25", 1)
    np.save(folder / "poses.npy", people[0].reshape(FRAMES, 50))
    return folder / "poses.npy", Expected("arrays", "body25", people)


@case
def flat_rows_of_mediapipe(folder: Path) -> tuple[Path, Expected]:
    people = people_of("mediapipe33", 1)
    rest = np.stack([np.full((FRAMES, 33), -0.4), np.full((FRAMES, 33), 0.99)], -1)
    np.save(folder / "poses.npy", np.concatenate([people[0] / SIZE, rest], -1).reshape(FRAMES, 132))
    return folder / "poses.npy", Expected("arrays", "mediapipe33", people, units="fraction", size=SIZE)


@case
def mediapipe_with_its_depth_third(folder: Path) -> tuple[Path, Expected]:
    people = people_of("mediapipe33", 1)
    np.save(folder / "poses.npy", np.concatenate([people[0] / SIZE, np.full((FRAMES, 33, 1), -0.4)], -1))
    return folder / "poses.npy", Expected("arrays", "mediapipe33", people, units="fraction", size=SIZE)


@case
def a_pickled_array(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    (folder / "poses.pkl").write_bytes(pickle.dumps(people[0]))
    return folder / "poses.pkl", Expected("arrays", "coco17", people)


def long_table(people: F64, titles: str) -> str:
    rows = [f"{t},{n},{x:.9g},{y:.9g}" for t in range(FRAMES) for n, (x, y) in zip(COCO, people[t], strict=True)]
    return "\n".join([titles, *rows])


@case
def percent_in_a_table_of_columns(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    rows = [",".join(f"{v:.9g}" for v in p.reshape(-1)) for p in people[0] / SIZE * 100]
    (folder / "poses.csv").write_text("\n".join([",".join(f"{n}_{a}" for n in COCO for a in "xy"), *rows]))
    note = "taken for percent"
    return folder / "poses.csv", Expected("wide-csv", "coco17", people, units="percent", size=SIZE, note=note)


@case
def titles_that_tell_the_units(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    (folder / "poses.csv").write_text(long_table(people[0] / SIZE * 10, "frame,joint,X (%),Y (%)"))
    return folder / "poses.csv", Expected("csv", "coco17", people / 10, units="percent", size=SIZE)


@case
def few_pixels_that_are_said_to_be_pixels(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 1)
    (folder / "poses.csv").write_text(long_table(people[0] / 10, "frame,joint,x_px,y_px"))
    return folder / "poses.csv", Expected("csv", "coco17", people / 10)


@case
def openpose_coco17_with_the_neck_last(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17neck")
    frames = [[flat(p) for p in people[:, t]] for t in range(FRAMES)]
    return openpose_files(folder / "json", frames), Expected("openpose", "coco17neck", people)


@case
def people_before_frames(folder: Path) -> tuple[Path, Expected]:
    people = people_of("coco17", 3, frames=2)
    document = {f"person_{i}": {str(t): {"keypoints": flat(p[t])} for t in range(2)} for i, p in enumerate(people)}
    return save(folder / "poses.json", document), Expected("by-frame", "coco17", people)


@pytest.mark.parametrize("name", CASES)
def test_details(name: str, tmp_path: Path) -> None:
    path, expected = CASES[name](tmp_path)
    inspection = inspect_keypoints(path)
    assert (inspection.format, inspection.layout.name, inspection.units) == (
        expected.format,
        expected.layout,
        expected.units,
    )
    assert len(inspection.clips) == len(expected.points)
    last = expected.first + expected.points.shape[1] - 1
    assert inspection.frames == (expected.first, last)
    assert inspection.clips[0].image_size == expected.size
    assert expected.note in " ".join(inspection.notes)
    assert expected.note or not any("Everybody" in note for note in inspection.notes)
    clips = sorted(inspection.clips, key=lambda c: float(c.points[0, :, 0].mean()))
    for clip, points in zip(clips, expected.points, strict=True):
        assert clip.seen.all()
        np.testing.assert_allclose(clip.points, points, atol=0.02)
