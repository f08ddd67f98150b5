"""Odd but honest files: other scales of confidence, other marks for missing keypoints, time stamps, axes, sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import SIZE, people_of
from mvlift.keypoints import Inspection, inspect_keypoints, map_clip
from mvlift.keypoints.completing import repeated_to, with_guessed_hips
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.mirror import handedness
from mvlift.keypoints.missing import normalised_confidence
from mvlift.keypoints.rates import place_by_time
from mvlift.preview import _lifted_part
from mvlift.typing import F64
from scenes import WALK, small_motion

COCO = get_layout("coco17").names


def trembling(frames: int = 40) -> F64:
    """(T, 17, 2) pixels of one walker, no two coordinates alike."""
    points = people_of("coco17", 1, frames)[0]
    return points + np.random.default_rng(3).normal(0, 0.5, points.shape)


def by_frame(path: Path, points: F64, confidence: F64 | None = None) -> Path:
    columns = [points] if confidence is None else [points, confidence[..., None]]
    frames = {str(t): [{"keypoints": p}] for t, p in enumerate(np.concatenate(columns, -1).tolist())}
    path.write_text(json.dumps(frames))
    return path


def notes(inspection: Inspection) -> str:
    return " ".join(inspection.notes)


@pytest.mark.parametrize("mark", [(0.0, 0.0), (-1.0, -1.0), (103.25, 77.5)], ids=["zero", "minus one", "crop"])
def test_marks_of_missing_keypoints(tmp_path: Path, mark: tuple[float, float]) -> None:
    points = trembling()
    lost = np.random.default_rng(0).random(points.shape[:2]) < 0.25
    points[lost] = mark
    clip = inspect_keypoints(by_frame(tmp_path / "a.json", points)).clips[0]
    np.testing.assert_array_equal(clip.seen, ~lost)


def test_a_crop_that_moves(tmp_path: Path) -> None:
    points = trembling()
    corner = points.min(1) - 40  # of each frame
    lost = np.zeros(points.shape[:2], dtype=np.bool_)
    lost[:, [3, 9, 15, 16]] = True
    points[lost] = np.repeat(corner[:, None], 4, 1).reshape(-1, 2)
    clip = inspect_keypoints(by_frame(tmp_path / "a.json", points)).clips[0]
    np.testing.assert_array_equal(clip.seen, ~lost)


def test_keypoints_in_one_pixel_of_a_small_face_are_kept(tmp_path: Path) -> None:
    points = trembling()
    points[:, 1:5] = points[:, :1].round()
    points[:, 0] = points[:, 1]
    assert inspect_keypoints(by_frame(tmp_path / "a.json", points)).clips[0].seen.all()


def test_a_keypoint_that_never_moves_is_missing(tmp_path: Path) -> None:
    points = trembling()
    points[:, 9] = 371.5, 200.25
    inspection = inspect_keypoints(by_frame(tmp_path / "a.json", points))
    assert (inspection.clips[0].seen.mean(0) == 0).nonzero()[0].tolist() == [9]
    assert "l_wrist" in notes(inspection)


@pytest.mark.parametrize(
    ("scale", "divided", "said"),
    [(1, 1, ""), (1.1, 1, ""), (4.7, 1, ""), (100, 100, "percent"), (255, 255, "255"), (1000, 1000, "1000")],
)
def test_scales_of_confidence(scale: float, divided: float, said: str) -> None:
    confidence = np.random.default_rng(1).uniform(0.2, 1, (60, 17)) * scale
    messages: list[str] = []
    np.testing.assert_allclose(normalised_confidence(confidence, messages), np.clip(confidence / divided, 0, 1))
    assert said in " ".join(messages)
    assert bool(messages) == bool(said)


def test_logits_and_tiny_confidences() -> None:
    logits = np.array([[-2.0, 0.5, 3.0]] * 20)
    np.testing.assert_allclose(normalised_confidence(logits, [])[0], 1 / (1 + np.exp(-logits[0])))
    tiny = np.array([[0.01, 0.04]] * 20)
    np.testing.assert_allclose(normalised_confidence(tiny, [])[0], [0.25, 1.0])


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6])
def test_time_stamps_of_a_live_stream_place_the_frames(unit: float) -> None:
    kept = np.sort(np.random.default_rng(5).choice(150, 85, replace=False))
    kept[0] = 0
    placed = place_by_time(np.arange(85), (12.0 + kept / 30 + np.random.default_rng(6).normal(0, 0.002, 85)) * unit)
    assert placed is not None
    assert placed[1] == 30
    np.testing.assert_array_equal(placed[0], kept)


def test_regular_time_stamps_leave_the_frame_numbers() -> None:
    assert place_by_time(np.arange(50), np.round(np.arange(50) / 29.97, 3)) is None
    assert place_by_time(np.arange(0, 100, 2), np.arange(0, 100, 2) / 25) is None
    assert place_by_time(np.arange(50), np.zeros(50)) is None


def test_a_table_with_irregular_stamps(tmp_path: Path) -> None:
    points = trembling(60)
    kept = np.flatnonzero(np.random.default_rng(2).random(60) < 0.6)
    lines = [",".join(["timestamp", *(f"{n}_{a}" for n in COCO for a in "xy")])]
    lines += [",".join(map(str, [round(t / 30, 4), *points[t].reshape(-1).tolist()])) for t in kept]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    inspection = inspect_keypoints(tmp_path / "a.csv")
    assert inspection.clips[0].fps == Fraction(30)
    np.testing.assert_array_equal(np.flatnonzero(inspection.clips[0].seen.any(1)), kept - kept[0])
    assert "irregular" in notes(inspection)


def test_a_table_with_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    points = trembling(12)
    wide = [";".join(["frame", *(f"{n}_{a}" for n in COCO for a in "xy")])]
    wide += [";".join([str(t), *(f"{v:.3f}".replace(".", ",") for v in p.reshape(-1))]) for t, p in enumerate(points)]
    long = ["frame;person;keypoint;x;y;confidence"]
    long += [
        f"{t};0;{n};{x:.3f};{y:.3f};0.9".replace(".", ",")
        for t, p in enumerate(points)
        for n, (x, y) in zip(COCO, p.tolist(), strict=True)
    ]
    for name, lines in (("wide.csv", wide), ("long.csv", long)):
        (tmp_path / name).write_text("\n".join(lines))
        read = inspect_keypoints(tmp_path / name).clips[0]
        assert read.layout.name == "coco17", name
        np.testing.assert_allclose(read.points, points, atol=0.001)


def test_y_up_in_named_landmarks(tmp_path: Path) -> None:
    points = trembling(12) / SIZE
    frames = [
        {"frame": t, "keypoints": [{"name": n, "x": x, "y": 1 - y} for n, (x, y) in zip(COCO, p.tolist(), strict=True)]}
        for t, p in enumerate(points)
    ]
    (tmp_path / "a.json").write_text(json.dumps(frames))
    inspection = inspect_keypoints(tmp_path / "a.json", image_size=SIZE)
    np.testing.assert_allclose(inspection.clips[0].points, points * SIZE, atol=0.01)
    assert "y was read as pointing up" in notes(inspection)


@pytest.mark.parametrize(("size", "said"), [(SIZE, ""), ((320, 180), "outside"), ((3840, 2160), "smaller picture")])
def test_a_size_that_does_not_fit_is_doubted(tmp_path: Path, size: tuple[int, int], said: str) -> None:
    inspection = inspect_keypoints(by_frame(tmp_path / "a.json", trembling()), image_size=size)
    assert said in notes(inspection)
    assert ("picture of" in notes(inspection)) == bool(said)


def test_mirrored_keypoints_are_noticed_and_turned_back(tmp_path: Path) -> None:
    original = inspect_keypoints(WALK, image_size=SIZE).clips[0]
    names = original.layout.names
    assert handedness(original.points, original.confidence, original.layout) > 0
    turned = np.stack([SIZE[0] - original.points[..., 0], original.points[..., 1]], -1)
    turned[~original.seen] = 0
    swap = original.layout.mirrored()
    for labelling, points, score in (
        ("labels kept", turned, original.confidence),
        ("mirrored video", turned[:, swap], original.confidence[:, swap]),
    ):
        path = tmp_path / f"{labelling}.npz"
        np.savez(path, points=points, confidence=score, names=np.array(names), image_size=SIZE)
        inspection = inspect_keypoints(path)
        assert ("seem to have changed places" in notes(inspection)) == (labelling == "labels kept"), labelling
        back = inspect_keypoints(path, mirrored=True)
        assert "seem to have changed places" not in notes(back)
        np.testing.assert_allclose(back.clips[0].points, original.points, atol=0.01, err_msg=labelling)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    points = trembling()
    inspection = inspect_keypoints(by_frame(tmp_path / "a.json", points), image_size=(720, 576), pixel_aspect=64 / 45)
    clip = inspection.clips[0]
    np.testing.assert_allclose(clip.points, points * [64 / 45, 1], rtol=1e-5)
    assert clip.image_size == (1024, 576)


def test_one_picture_is_repeated() -> None:
    clip = inspect_keypoints(WALK, image_size=SIZE).clips[0].restricted(3, 3)
    still = repeated_to(clip, 30)
    assert len(still) == 30
    assert (still.points == clip.points[0]).all()
    assert "one picture" in still.assumptions[-1]
    assert repeated_to(still, 30) is still


@pytest.mark.parametrize(("first", "last", "lifted"), [(3, 3, 30), (0, 40, 12)])
def test_pictures_show_the_keypoints_of_the_frames_that_were_lifted(first: int, last: int, lifted: int) -> None:
    whole = inspect_keypoints(WALK, image_size=SIZE).clips[0]
    start = whole.first_frame + 3
    motion = replace(small_motion(lifted), first_frame=start)
    part = _lifted_part(whole.restricted(whole.first_frame + first, whole.first_frame + last), motion)
    assert len(part) == lifted
    rows = np.minimum(np.arange(3, 3 + lifted), max(last, 3) if first == 0 else 3)
    np.testing.assert_array_equal(part.points, whole.points[rows])


def test_hips_that_are_never_seen_are_guessed_below_the_shoulders() -> None:
    """Walking people: the guess is right to a third of the trunk, and those who have hips keep them."""
    clip = map_clip(inspect_keypoints(WALK, image_size=SIZE).clips[0], "openpose24")
    assert with_guessed_hips(clip) is clip
    hips = [clip.layout.index(n) for n in ("l_hip", "r_hip")]
    confidence = clip.confidence.copy()
    confidence[:, hips] = 0
    guessed = with_guessed_hips(replace(clip, confidence=confidence))
    seen = clip.seen[:, hips].all(1) & guessed.seen[:, hips].all(1)
    assert seen.mean() > 0.9
    shoulders = [clip.layout.index(n) for n in ("l_shoulder", "r_shoulder")]
    trunk = np.linalg.norm(clip.points[:, hips].mean(1) - clip.points[:, shoulders].mean(1), axis=1)
    error = np.linalg.norm(guessed.points[:, hips].mean(1) - clip.points[:, hips].mean(1), axis=1)
    assert np.median(error[seen] / trunk[seen]) < 0.33
    assert 0 < guessed.confidence[:, hips].max() < 0.5
    assert "hips are never seen" in guessed.assumptions[-1]


def table(path: Path, points: F64, separator: str = ",", decimal: str = ".", encoding: str = "utf-8") -> Path:
    """A keypoint a row; every fifth is missing, in words of spreadsheets."""
    words = ["N/A", "-", "null", "#N/A"]
    lines = [separator.join(["frame", "keypoint", "x", "y"])]
    for t, pose in enumerate(points):
        for j, (name, place) in enumerate(zip(COCO, pose, strict=True)):
            cells = [f"{v:.3f}".replace(".", decimal) for v in place]
            lines.append(separator.join([str(t), name, *([words[t % 4]] * 2 if (t + j) % 5 == 0 else cells)]))
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "separator", "decimal"), [("a.csv", ";", ","), ("a.tsv", "\t", ","), ("b.csv", ",", ".")]
)
def test_tables_as_spreadsheets_write_them(
    tmp_path: Path, name: str, separator: str, decimal: str, encoding: str
) -> None:
    points = trembling(20)
    clip = inspect_keypoints(table(tmp_path / name, points, separator, decimal, encoding)).clips[0]
    t, j = np.indices((20, len(COCO)))
    np.testing.assert_array_equal(clip.seen, (t + j) % 5 != 0)
    np.testing.assert_allclose(clip.points[clip.seen], points[clip.seen], atol=1e-3)


def test_fractions_from_minus_one_to_one(tmp_path: Path) -> None:
    centred = 2 * trembling() / SIZE - 1
    assert (centred.min(axis=(0, 1)) < -0.02).all()
    inspection = inspect_keypoints(table(tmp_path / "a.csv", centred), image_size=SIZE)
    clip = inspection.clips[0]
    assert inspection.units == "centred"
    np.testing.assert_allclose(clip.points[clip.seen], trembling()[clip.seen], atol=1)


@pytest.mark.parametrize("stamps", ["backwards", "restarted", "equal"])
def test_time_stamps_that_do_not_grow_are_said_to_be_of_no_use(tmp_path: Path, stamps: str) -> None:
    t = np.arange(40)
    times = {"backwards": 3000 - 33 * t, "restarted": 1000 + 33 * (t % 25), "equal": 0 * t + 7}[stamps].tolist()
    points = trembling()
    frames = [
        {"timestamp_ms": time, "landmarks": [{"name": n, "x": x, "y": y} for n, (x, y) in zip(COCO, pose, strict=True)]}
        for time, pose in zip(times, (points / SIZE).tolist(), strict=True)
    ]
    (tmp_path / "a.json").write_text(json.dumps(frames))
    inspection = inspect_keypoints(tmp_path / "a.json", image_size=SIZE)
    assert "time stamps do not grow" in notes(inspection)
    assert inspection.clips[0].fps is None
    np.testing.assert_allclose(inspection.clips[0].points, points, atol=1e-2)


def test_ids_that_number_the_detections_are_no_people(tmp_path: Path) -> None:
    points = trembling()
    for t, pose in enumerate(points):
        flat = np.concatenate([pose, np.full((len(COCO), 1), 0.9)], 1).reshape(-1).tolist()
        person = {"keypoints": flat, "bbox": [0, 0, 9, 9], "score": 0.8, "category_id": 1, "id_": t}
        (tmp_path / f"{t:06d}.jpg.predictions.json").write_text(json.dumps([person]))
    inspection = inspect_keypoints(tmp_path)
    (clip,) = inspection.clips
    assert "id of its own" in notes(inspection)
    np.testing.assert_allclose(clip.points, points, atol=1e-2)


def test_the_outputs_of_a_workflow_of_roboflow(tmp_path: Path) -> None:
    points, frames = trembling(), []
    for pose in points.tolist():
        keypoints = [
            {"x": x, "y": y, "class": name.replace("l_", "left-").replace("r_", "right-"), "class_id": j}
            for j, (name, (x, y)) in enumerate(zip(COCO, pose, strict=True))
        ]
        image = {"width": SIZE[0], "height": SIZE[1]}
        people = [{"class": "person", "keypoints": keypoints}]
        frames.append([{"my output": {"image": image, "predictions": people}}])
    (tmp_path / "a.json").write_text(json.dumps(frames))
    inspection = inspect_keypoints(tmp_path / "a.json")
    assert (inspection.format, inspection.clips[0].image_size) == ("roboflow", SIZE)
    np.testing.assert_allclose(inspection.clips[0].points, points, atol=1e-2)
