"""Continues `keypoint_files`: annotation tools, and point tracks of compositing programs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from keypoint_files import FAMILIES, FRAMES, SIZE, Written, family, people_of, save, spelled
from keypoint_tables import COCO, write
from mvlift.keypoints.layouts import get_layout
from mvlift.typing import F64

__all__ = ["box_points"]


def _cvat_points(points: F64) -> str:
    return "".join(
        f'<points label="{n}" outside="0" occluded="0" points="{x},{y}"></points>'
        for n, (x, y) in zip(spelled(COCO), points.tolist(), strict=True)
    )


CVAT_META = "<meta><task><original_size><width>1280</width><height>720</height></original_size></task></meta>"


@family("cvat video")
def _cvat(folder: Path) -> Written:
    """Only every other frame is a key frame; those between lie on a line."""
    people = people_of("coco17", frames=FRAMES - 1)
    people[:, 1::2] = (people[:, :-1:2] + people[:, 2::2]) / 2
    shapes = [
        [f'<skeleton frame="{t}" keyframe="1">{_cvat_points(p[t])}</skeleton>' for t in range(0, FRAMES - 1, 2)]
        for p in people
    ]
    tracks = [
        f'<track id="{i}" label="person">{"".join(person_shapes)}</track>' for i, person_shapes in enumerate(shapes)
    ]
    text = f"<annotations><version>1.1</version>{CVAT_META}{''.join(tracks)}</annotations>"
    path = write(folder / "annotations.xml", '<?xml version="1.0" encoding="utf-8"?>\n' + text)
    return Written(path, "cvat", "coco17", people, sized=True)


@family("cvat video, a track for each keypoint")
def _cvat_nested(folder: Path) -> Written:
    people = people_of("coco17", 1)
    keys = [
        "".join(
            f'<points frame="{t}" keyframe="1" points="{x},{y}"/>' for t, (x, y) in enumerate(person_points.tolist())
        )
        for person_points in people[0].transpose(1, 0, 2)
    ]
    inner = [f'<track id="{j}" label="{n}">{keys[j]}</track>' for j, n in enumerate(spelled(COCO))]
    track = f'<track id="7" label="person"><skeleton frame="0" points="0,0"/>{"".join(inner)}</track>'
    path = write(folder / "a.xml", f"<annotations><version>1.1</version>{CVAT_META}{track}</annotations>")
    return Written(path, "cvat", "coco17", people, sized=True)


@family("cvat images")
def _cvat_images(folder: Path) -> Written:
    people = people_of("coco17")
    images = [
        f'<image id="{t}" name="f_{t:04d}.png" width="1280" height="720">'
        + "".join(f'<skeleton label="person">{_cvat_points(p)}</skeleton>' for p in people[:, t])
        + "</image>"
        for t in range(FRAMES)
    ]
    path = write(folder / "a.xml", f"<annotations><version>1.1</version>{''.join(images)}</annotations>")
    return Written(path, "cvat", "coco17", people, sized=True)


def _darwin(folder: Path, version: int) -> Written:
    people = people_of("halpe26")
    names = get_layout("halpe26").names
    order = np.random.default_rng(1).permutation(len(names)).tolist()

    def nodes(points: F64) -> dict[str, Any]:
        pairs = [(names[j].replace("_", " "), points[j].tolist()) for j in order]
        return {"nodes": [{"name": n, "occluded": False, "x": x, "y": y} for n, (x, y) in pairs]}

    life = "segments" if version == 1 else "ranges"
    marks = [
        {"id": f"a{i}", "name": "body26", "interpolated": True, life: [[0, FRAMES]],
         "frames": {str(t): {"keyframe": True, "skeleton": nodes(p[t])} for t in range(FRAMES)}}
        for i, p in enumerate(people)
    ]  # fmt: skip
    facts = {"width": SIZE[0], "height": SIZE[1], "fps": 30.0}
    header = {"dataset": "d", "image": facts} if version == 1 else {"version": "2.0", "item": {"slots": [facts]}}
    path = save(folder / "clip.json", {**header, "annotations": marks})
    return Written(path, "darwin", "halpe26", people, sized=True, fps=Fraction(30))


FAMILIES |= {"darwin 1": lambda f: _darwin(f, 1), "darwin 2": lambda f: _darwin(f, 2)}


@family("labelme")
def _labelme(folder: Path) -> Written:
    people = people_of("coco17")
    for t in range(FRAMES):
        shapes = [
            {"label": n, "points": [[x, y]], "shape_type": "point", "group_id": i}
            for i, p in enumerate(people[:, t]) for n, (x, y) in zip(spelled(COCO), p.tolist(), strict=True)
        ]  # fmt: skip
        document = {"shapes": shapes, "imagePath": f"{t}.jpg", "imageWidth": SIZE[0], "imageHeight": SIZE[1]}
        save(folder / "labels" / f"{t:04d}.json", document)
    return Written(folder / "labels", "labelme", "coco17", people, sized=True)


@family("label studio")
def _studio(folder: Path) -> Written:
    people = people_of("coco17", 1)
    tasks = [
        {"id": t, "data": {"image": f"/data/upload/frame_{t:04d}.jpg"}, "annotations": [{"result": [
            {"type": "keypointlabels", "original_width": SIZE[0], "original_height": SIZE[1],
             "value": {"x": 100 * x / SIZE[0], "y": 100 * y / SIZE[1], "width": 0.3, "keypointlabels": [n]}}
            for n, (x, y) in zip(spelled(COCO), people[0, t].tolist(), strict=True)]}]}
        for t in range(FRAMES)
    ]  # fmt: skip
    return Written(save(folder / "project.json", tasks), "label-studio", "coco17", people, sized=True)


def box_points(points: int = 6) -> F64:
    """(1, T, N, 2) points of a box that moves."""
    box = np.stack([np.linspace(300, 420, points), 300 + 50 * np.cos(np.arange(points))], -1)
    return np.round(box + np.array([5.0, 2.0]) * np.arange(FRAMES)[:, None, None], 3)[None]


@family("nuke")
def _nuke(folder: Path) -> Written:
    points = box_points()
    rows = [
        f' {{ {{curve K 1}} "track {j + 1}" {{curve {" ".join(map(str, points[0, :, j, 0].tolist()))}}} '
        f"{{curve {' '.join(map(str, (SIZE[1] - points[0, :, j, 1]).tolist()))}}} {{curve}} }}"
        for j in range(points.shape[2])
    ]
    text = "\n".join(
        ["Root {", " inputs 0", " first_frame 1001", " fps 24", ' format "1280 720 0 0 1280 720 1 HD"', "}",
         "Tracker4 {", "tracks { { 1 31 6 }", "{ { 5 1 20 enable e 1 }", "{ 3 1 75 name name 1 } }", "{", *rows,
         "}", "}", "}"]
    )  # fmt: skip
    path = write(folder / "comp.nk", text)
    return Written(path, "nuke", "named", points, sized=True, fps=Fraction(24))


@family("after effects")
def _after_effects(folder: Path) -> Written:
    points = box_points()
    lines = ["Adobe After Effects 8.0 Keyframe Data", "", "\tUnits Per Second\t25", "\tSource Width\t1280",
             "\tSource Height\t720", ""]  # fmt: skip
    for j in range(points.shape[2]):
        lines += [f"Motion Trackers\tTracker #1\tTrack Point #{j + 1}\tFeature Center", "\tFrame\tX pixels\tY pixels\t"]
        lines += [f"\t{t}\t{x}\t{y}\t" for t, (x, y) in enumerate(points[0, :, j].tolist())] + [""]
    path = write(folder / "ae.txt", "\n".join([*lines, "End of Keyframe Data"]))
    return Written(path, "after-effects", "named", points, sized=True, fps=Fraction(25))


@family("3dequalizer")
def _equalizer(folder: Path) -> Written:
    points = box_points()
    lines = [str(points.shape[2])]
    for j in range(points.shape[2]):
        lines += [f"p{j}", "0", str(FRAMES)]
        lines += [f"{t + 1} {x} {y}" for t, (x, y) in enumerate(points[0, :, j].tolist())]
    path = write(folder / "tracks.txt", "\n".join(lines))
    turned = points.copy()  # y is up and the picture's height unknown: the highest point lies at 0
    turned[..., 1] = points[..., 1].max() - points[..., 1]
    made = Written(path, "3dequalizer", "named", turned)
    return replace(made, tolerance=0.01)
