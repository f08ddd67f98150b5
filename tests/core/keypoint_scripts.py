"""Continues `keypoint_files`: what scripts write, and OpenPose's old matrices."""

from __future__ import annotations

from pathlib import Path

from keypoint_files import FRAMES, SIZE, Written, family, flat, people_of, save, shuffled
from keypoint_tables import COCO, write
from mvlift.typing import F64

__all__ = ["matrix_xml", "matrix_yml"]


def matrix_yml(people: list[F64]) -> str:
    """What OpenCV writes of (P, J, 3) numbers, and of nobody."""
    if not people:
        return "%YAML:1.0\n---\npose_0: !!opencv-matrix\n   rows: 0\n   cols: 0\n   dt: u\n   data: []\n"
    values = ", ".join(str(v) for p in people for v in flat(p))
    sizes = f"{len(people)}, {len(people[0])}, 3"
    return (
        f"%YAML:1.0\n---\npose_0: !!opencv-nd-matrix\n   sizes: [ {sizes} ]\n   dt: f\n   data: [ {values} ]\n"
    )  # fmt: skip


def matrix_xml(people: list[F64]) -> str:
    """The same as xml."""
    values = "\n    ".join(str(v) for p in people for v in flat(p))
    sizes = f"{len(people)} {len(people[0])} 3"
    return (
        '<?xml version="1.0"?>\n<opencv_storage>\n<pose_0 type_id="opencv-nd-matrix">\n  <sizes>\n    '
        f"{sizes}</sizes>\n  <dt>f</dt>\n  <data>\n    {values}</data></pose_0>\n</opencv_storage>\n"
    )


@family("openpose yml")
def _openpose_yml(folder: Path) -> Written:
    people = people_of("body25")
    for t in range(FRAMES):
        write(folder / "yml" / f"v_{t:012d}_pose.yml", matrix_yml(shuffled(people, t)))
        write(folder / "yml" / f"v_{t:012d}_face.yml", matrix_yml([]))
    return Written(folder / "yml", "openpose-matrix", "body25", people)


@family("openpose xml")
def _openpose_xml(folder: Path) -> Written:
    people = people_of("openpose18")
    for t in range(FRAMES):
        write(folder / "xml" / f"v_{t:012d}_pose.xml", matrix_xml(shuffled(people, t)))
    return Written(folder / "xml", "openpose-matrix", "openpose18", people)


@family("openpose matrices in json")
def _openpose_matrix_json(folder: Path) -> Written:
    people = people_of("openpose18")
    for t in range(FRAMES):
        frame_people = shuffled(people, t)
        matrix = {"type_id": "opencv-nd-matrix", "sizes": [len(frame_people), 18, 3], "dt": "f",
                  "data": [v for p in frame_people for v in flat(p)]}  # fmt: skip
        save(folder / "json" / f"v_{t:012d}_pose.json", {"pose_0": matrix})
    return Written(folder / "json", "openpose-matrix", "openpose18", people)


@family("people by number")
def _people_by_number(folder: Path) -> Written:
    people = people_of("coco17")
    document = {str(t): {str(i + 1): {"keypoints": flat(p)} for i, p in enumerate(people[:, t])} for t in range(FRAMES)}
    return Written(save(folder / "poses.json", document), "by-frame", "coco17", people)


@family("bare people by number")
def _bare_people(folder: Path) -> Written:
    people = people_of("coco17")
    frames = {f"frame_{t}": {"people": {str(i): flat(p) for i, p in enumerate(people[:, t])}} for t in range(FRAMES)}
    return Written(save(folder / "poses.json", {"frames": frames}), "by-frame", "coco17", people)


@family("csv in percent")
def _percent(folder: Path) -> Written:
    people = people_of("coco17")
    lines = ["frame,person,keypoint,x,y"]
    for t in range(FRAMES):
        for i, p in enumerate(people[:, t] / SIZE * 100):
            lines += [f"{t},{i},{n},{x:.9g},{y:.9g}" for n, (x, y) in zip(COCO, p.tolist(), strict=True)]
    return Written(write(folder / "poses.csv", "\n".join(lines)), "csv", "coco17", people)
