"""Every family of keypoint files, read back; and each trap that they hold."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import keypoint_archives  # imported for the families that it registers, too
import numpy as np
import pytest
from keypoint_files import FAMILIES, SIZE, Written, flat, people_of, save, spelled
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.reading import Inspection, inspect_keypoints
from mvlift.typing import F64


def placed(clips: tuple[KeypointClip, ...], frames: range) -> F64:
    """(P, T, J, 2) of the clips over some frames, people from left to right, NaN where missing."""
    joints = len(clips[0].layout.names)
    made = np.full((len(clips), len(frames), joints, 2), np.nan)
    for person, clip in zip(made, clips, strict=True):
        for t, number in enumerate(frames):
            row = number - clip.first_frame
            if 0 <= row < len(clip):
                person[t] = np.where(clip.seen[row][:, None], clip.points[row], np.nan)
    return made[np.argsort(np.nanmean(made[..., 0], (1, 2)))]


def check(made: Written) -> Inspection:
    """Reads a file with the video's size, compares it with what was written, and returns what was recognised."""
    inspection = inspect_keypoints(made.path, image_size=None if made.sized else SIZE)
    assert inspection.format == made.format
    assert inspection.layout.name == made.layout
    assert len(inspection.clips) == len(made.points)
    assert all(c.image_size == SIZE for c in inspection.clips)
    assert {c.fps for c in inspection.clips} == {made.fps}
    frames = range(made.first, made.first + made.points.shape[1])
    np.testing.assert_allclose(placed(inspection.clips, frames), made.points, atol=made.tolerance)
    return inspection


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    if name in keypoint_archives.HDF5:
        pytest.importorskip("h5py", reason="HDF5 files need h5py")
    check(FAMILIES[name](tmp_path))


def without_size(path: Path, **options: object) -> Inspection:
    return inspect_keypoints(path, **options)  # type: ignore[arg-type]


def people(frames: dict[int, list[list[float]]], folder: Path, stem: str = "clip_") -> Path:
    """OpenPose files of these frames."""
    for number, keypoint_rows in frames.items():
        document = {"people": [{"pose_keypoints_2d": values} for values in keypoint_rows]}
        save(folder / f"{stem}{number:012d}_keypoints.json", document)
    return folder


def test_frames_keep_their_numbers_and_gaps(tmp_path: Path) -> None:
    walk = people_of("body25", 1)[0]
    frames = {t: [flat(walk[t])] for t in (3, 4, 5, 9, 10)} | {6: [], 7: [[]]}
    (clip,) = without_size(people(frames, tmp_path)).clips
    assert (clip.first_frame, len(clip)) == (3, 8)
    assert clip.gaps() == [(6, 8)]
    np.testing.assert_allclose(clip.points[-1], walk[10], atol=1e-3)


def test_files_outside_the_series_are_left_out(tmp_path: Path) -> None:
    walk = people_of("body25", 1)[0]
    people({t: [flat(walk[t])] for t in range(5)}, tmp_path, "cam01.")
    save(tmp_path / "del_000001_0.json", {"people": []})
    inspection = without_size(tmp_path)
    assert inspection.frames == (0, 4)
    assert any("del_000001_0.json" in note for note in inspection.notes)


def test_missing_is_what_has_no_confidence_even_where_it_has_a_place(tmp_path: Path) -> None:
    """A rescaled OpenPose file: the offset was added to the zeros of missing keypoints."""
    walk = people_of("body25", 1)[0]
    values = [flat(p) for p in walk]
    for row in values:
        row[12:15] = [-16.5, -29.3, 0]
    (clip,) = without_size(people({t: [v] for t, v in enumerate(values)}, tmp_path)).clips
    assert not clip.seen[:, 4].any()
    assert clip.seen.sum() == clip.seen.size - len(clip)
    assert (clip.points[:, 4] == 0).all()


@pytest.mark.parametrize(("scale", "units"), [("3", "fraction"), ("4", "centred")])
def test_openpose_can_write_shares_of_the_picture(tmp_path: Path, scale: str, units: str) -> None:
    walk = people_of("body25", 1)[0]
    share = walk / SIZE if scale == "3" else 2 * walk / SIZE - 1
    people({t: [flat(p)] for t, p in enumerate(share)}, tmp_path)
    inspection = without_size(tmp_path, image_size=SIZE)
    assert inspection.units == units
    np.testing.assert_allclose(inspection.clips[0].points, walk, atol=0.01)
    assert "1280x720" in " ".join(without_size(tmp_path).notes)  # unknown size: assumed, and said


def test_confidence_above_one_is_sure(tmp_path: Path) -> None:
    made = FAMILIES["mmpose inferencer"](tmp_path)
    assert all(c.confidence.max() == 1 for c in without_size(made.path).clips)


@pytest.mark.parametrize("layout", ["coco17", "h36m17", "ap10k17", "body25", "body25b", "openpose18", "coco17neck"])
def test_proportions_tell_unnamed_layouts_of_one_size_apart(tmp_path: Path, layout: str) -> None:
    np.save(tmp_path / "poses.npy", people_of(layout, 1)[0])
    inspection = without_size(tmp_path / "poses.npy")
    assert inspection.layout.name == layout
    assert inspection.alternatives[0][0] == layout
    assert len(inspection.alternatives) > 1
    other = inspection.alternatives[1][0]
    assert without_size(tmp_path / "poses.npy", layout=other).layout.name == other


def test_an_unknown_number_of_unnamed_keypoints_asks_for_names(tmp_path: Path) -> None:
    values = [float(v) for j in range(11) for v in (5 + j, 6, 1)]
    rows = [{"image_id": t, "category_id": 1, "keypoints": values} for t in range(4)]
    with pytest.raises(KeypointError, match="11 unnamed keypoints"):
        without_size(save(tmp_path / "r.json", rows))


def test_time_stamps_give_the_frame_rate(tmp_path: Path) -> None:
    titles = ["frame", "timestamp", *(f"{n}_{a}" for n in get_layout("coco17").names for a in "xy")]
    walk = people_of("coco17", 1, frames=40)[0]
    lines = [",".join(map(str, [t, round(t / 59.94, 4), *p.reshape(-1).tolist()])) for t, p in enumerate(walk)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(titles), *lines]))
    assert without_size(tmp_path / "a.csv").clips[0].fps == Fraction(60000, 1001)


@pytest.mark.parametrize(
    "title", ["{n}_{a}", "{n}.{a}", "{n} {a}", "{n}-{a}", "{n}:{A}", "{n}{A}", "{a}_{n}", "{A} {n}", "2D{A}_{n}"]
)
def test_columns_may_be_spelled_in_many_ways(tmp_path: Path, title: str) -> None:
    names = [n.replace("_", "") if "{n}{A}" in title else n for n in spelled(get_layout("coco17").names)]
    names = [n.replace("left", "left_").replace("right", "right_") for n in names] if "{n}{A}" in title else names
    walk = people_of("coco17", 1)[0]
    values = walk / SIZE if title.startswith("2D") else walk
    titles = [title.format(n=n, a=a, A=a.upper()) for n in names for a in "xy"]
    rows = [",".join(f"{v:.9g}" for v in p.reshape(-1)) for p in values]
    (tmp_path / "a.csv").write_text("\n".join([",".join(titles), *rows]))
    inspection = without_size(tmp_path / "a.csv", image_size=SIZE)
    assert inspection.layout.name == "coco17"
    np.testing.assert_allclose(inspection.clips[0].points, walk, atol=0.01)


@pytest.mark.parametrize("lead", ["index", "id", "", "frame_id"])
def test_a_column_that_counts_the_rows_is_nobody(tmp_path: Path, lead: str) -> None:
    walk = people_of("coco17", 1)[0]
    titles = [lead, *(f"{n}_{a}" for n in get_layout("coco17").names for a in "xy")]
    rows = [",".join(map(str, [t + 7, *p.reshape(-1)])) for t, p in enumerate(walk)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(titles), *rows]))
    (clip,) = without_size(tmp_path / "a.csv").clips
    assert (clip.first_frame, len(clip)) == (0 if lead == "id" else 7, len(walk))


def test_a_table_of_mediapipe_has_a_depth_and_is_still_flat(tmp_path: Path) -> None:
    names = spelled(get_layout("mediapipe33").names)
    walk = people_of("mediapipe33", 1)[0]
    titles = [f"{n.replace('big_toe', 'foot_index')}_{a}" for n in names for a in ("x", "y", "z", "visibility")]
    rows = [",".join(f"{v:.9g}" for x, y in p / SIZE for v in (x, y, -0.3, 0.8)) for p in walk]
    (tmp_path / "a.csv").write_text("\n".join([",".join(titles), *rows]))
    (clip,) = without_size(tmp_path / "a.csv", image_size=SIZE).clips
    assert clip.layout.name == "mediapipe33"
    assert clip.confidence.min() == pytest.approx(0.8)
    np.testing.assert_allclose(clip.points, walk, atol=0.01)


def test_key_frames_are_joined_by_lines_until_the_keypoint_leaves(tmp_path: Path) -> None:
    def skeleton(frame: int, x: float, outside: int) -> str:
        point = f'<points label="nose" outside="{outside}" points="{x},20"/><points label="tail" points="7,{x}"/>'
        point += '<points label="ear" points="9,9"/>'
        return f'<skeleton frame="{frame}" keyframe="1">{point}</skeleton>'

    shapes = skeleton(10, 100, 0) + skeleton(14, 140, 0) + skeleton(18, 180, 1) + skeleton(20, 200, 0)
    text = f'<annotations><version>1.1</version><track id="5" label="cat">{shapes}</track></annotations>'
    (tmp_path / "a.xml").write_text(text)
    (clip,) = without_size(tmp_path / "a.xml").clips
    assert (clip.first_frame, len(clip), clip.track_id) == (10, 11, "5")
    assert clip.points[:5, 0, 0].tolist() == [100, 110, 120, 130, 140]
    assert clip.points[:, 1, 1].tolist() == [100 + 10 * t for t in range(11)]
    assert clip.seen[:, 0].tolist() == [True] * 8 + [False] * 2 + [True]


def test_rows_of_deeplabcut_may_be_shuffled_and_gappy(tmp_path: Path) -> None:
    made = FAMILIES["deeplabcut csv"](tmp_path)
    lines = made.path.read_text().splitlines()
    header, rows = lines[:3], lines[3:]
    made.path.write_text("\r\n".join(header + rows[8:] + rows[:4]) + "\r\n", encoding="utf-8-sig")
    (clip,) = without_size(made.path).clips
    assert clip.gaps() == [(4, 7)]
    np.testing.assert_allclose(clip.points[11], made.points[0, 11], atol=1e-3)


def test_parts_that_only_one_animal_has_are_left_out_and_named(tmp_path: Path) -> None:
    """DeepLabCut lists unique parts of the scene as an individual called single."""
    made = FAMILIES["deeplabcut csv, several animals"](tmp_path)
    lines = made.path.read_text().splitlines()
    extra = ["DLC_resnet50"] * 3, ["single"] * 3, ["corner"] * 3, ["x", "y", "likelihood"]
    heads = [",".join([line, *more]) for line, more in zip(lines, extra, strict=False)]
    made.path.write_text("\n".join(heads + [f"{line},5,6,0.9" for line in lines[4:]]))
    assert any("single" in note for note in check(made).notes)


def test_numbers_instead_of_names_order_the_keypoints(tmp_path: Path) -> None:
    walk = people_of("coco17", 1)[0]
    lines = [f"{t},{j},{x},{y}" for t, p in enumerate(walk) for j, (x, y) in reversed(list(enumerate(p.tolist())))]
    (tmp_path / "a.csv").write_text("\n".join(["frame,keypoint_id,x,y", *lines]))
    inspection = without_size(tmp_path / "a.csv")
    assert inspection.layout.name == "coco17"
    np.testing.assert_allclose(inspection.clips[0].points, walk, atol=1e-3)


def test_two_people_with_one_id_are_still_two(tmp_path: Path) -> None:
    """AlphaPose writes 0 for everybody when nobody was tracked."""
    made = FAMILIES["alphapose coco17"](tmp_path)
    rows = json.loads(made.path.read_text())
    save(made.path, [{**row, "idx": 0} for row in rows])
    check(made)


def test_json_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    made = FAMILIES["mediapipe B"](tmp_path)
    rows = json.loads(made.path.read_text())
    made.path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8-sig")
    check(made)


def test_names_that_lie_are_overruled_by_the_index_table(tmp_path: Path) -> None:
    """Convention F: names come from a wrong table, the numbers in it are MediaPipe's."""
    table = {f"Wrong_{i}": i for i in range(33)}
    walk = people_of("mediapipe33", 1)[0]
    frames = [
        {"frame": t, "landmarks": {n: {"x": float(p[i, 0] / SIZE[0]), "y": float(p[i, 1] / SIZE[1]), "z": 0,
         "pixel_x": int(p[i, 0]), "pixel_y": int(p[i, 1])} for n, i in reversed(table.items())}}
        for t, p in enumerate(walk)
    ]  # fmt: skip
    path = save(tmp_path / "f.json", {"metadata": {"landmark_indices": table}, "frames": frames})
    (clip,) = without_size(path).clips
    assert clip.layout.name == "mediapipe33"
    assert clip.image_size == SIZE
    np.testing.assert_allclose(clip.points, walk, atol=0.02)


def test_a_copied_frame_is_a_frame_without_a_person(tmp_path: Path) -> None:
    made = FAMILIES["mediapipe A"](tmp_path)
    rows = json.loads(made.path.read_text())
    (clip,) = without_size(save(made.path, [*rows[:5], rows[4], rows[4], *rows[7:]])).clips
    assert clip.gaps() == [(5, 6)]
