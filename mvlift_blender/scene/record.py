"""Metadata of a lift, stored with its Action, so that clean-up and lifting again work in reopened files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from mvlift.motion import Camera, LiftedMotion
from mvlift.typing import F32
from numpy.typing import NDArray

from ..motion.timing import Timing

__all__ = [
    "LiftNames",
    "LiftRecord",
    "no_camera",
    "read_record",
    "replace_contacts",
    "write_contacts",
    "write_plain_record",
    "write_record",
]

_KEY: Final = "mvlift"
_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class LiftRecord:
    """A lift's facts.

    Attributes:
        body: kind of body.
        timing: where its samples lie in the scene.
        first_frame: number in the video of the first sample.
        contacts: (T, C) contact probabilities.
        contact_names: (C,).
        camera: that reproduces the video.
        source: keypoint file, "" when unknown.
        track: which person of the file.
        summary: what the panel says about the lift.
        subject: what was lifted, "" when unknown.
        lift: identifies the lift among others, "" when unknown.
    """

    body: str
    timing: Timing
    first_frame: int
    contacts: NDArray[np.float64]
    contact_names: tuple[str, ...]
    camera: Camera
    source: str
    track: str
    summary: str
    subject: str = ""
    lift: str = ""


@dataclass(frozen=True)
class LiftNames:
    """What a record keeps of a lift besides the motion: keypoint file, person, subject, identifier."""

    source: str = ""
    track: str = ""
    subject: str = ""
    lift: str = ""


def write_record(action: Any, motion: LiftedMotion, timing: Timing, names: LiftNames, summary: str) -> None:
    """Keep a lift's facts as a custom property of its Action.

    Args:
        action: of the lifted armature.
        motion: in metres.
        timing: where its samples lie in the scene.
        names: where it comes from.
        summary: what the panel says about the lift.
    """
    action[_KEY] = _data(motion.body, motion.camera, timing) | {
        "first_frame": motion.first_frame,
        "contact_names": "\n".join(motion.contact_names),
        "contacts": np.asarray(motion.contacts, dtype=np.float64).ravel().tolist() or [0.0],
        "source": names.source,
        "track": names.track,
        "subject": names.subject,
        "lift": names.lift,
        "summary": summary,
    }


def write_plain_record(action: Any, body: str, timing: Timing, summary: str) -> None:
    """Keep the facts of a motion that no lift made: which feet rest is not known."""
    action[_KEY] = _data(body, no_camera(), timing) | {
        "first_frame": 0,
        "contact_names": "",
        "contacts": [0.0],
        "source": "",
        "track": "",
        "summary": summary,
    }


def _data(body: str, camera: Camera, timing: Timing) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "body": body,
        "count": timing.count,
        "clip_fps": str(timing.clip_fps),
        "scene_fps": str(timing.fps),
        "start": float(timing.start),
        "camera": np.concatenate([np.ravel(camera.K), np.ravel(camera.R), np.ravel(camera.t)]).astype(float).tolist(),
        "camera_rows": [len(part) if moves else 0 for part, moves in _parts(camera)],
        "image_size": [int(v) for v in camera.image_size],
    }


def no_camera() -> Camera:
    """A camera that looks along Y, for motions that were not filmed."""
    lens = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]], np.float32)
    view = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    return Camera(lens, view, np.array([0, 1, 4], np.float32), (1280, 720))


def _parts(camera: Camera) -> tuple[tuple[F32, bool], ...]:
    """K, R and t of a camera, each with whether it has a row for each frame."""
    return (camera.K, camera.K.ndim == 3), (camera.R, camera.R.ndim == 3), (camera.t, camera.t.ndim == 2)


def _read_camera(data: Any, size: tuple[int, int]) -> Camera:
    values = np.array(data["camera"], dtype=np.float32)
    rows = [int(n) for n in data.get("camera_rows", (0, 0, 0))]
    parts: list[F32] = []
    begin = 0
    for count, shape in zip(rows, ((3, 3), (3, 3), (3,)), strict=True):
        end = begin + max(count, 1) * int(np.prod(shape))
        parts.append(values[begin:end].reshape((count, *shape) if count else shape))
        begin = end
    K, R, t = parts
    return Camera(K, R, t, size)


def read_record(action: Any) -> LiftRecord | None:
    """The facts that an Action carries, or None when no lift made it."""
    data = action.get(_KEY) if action is not None else None
    if data is None or data.get("version") != _VERSION:
        return None
    names = tuple(data["contact_names"].split("\n")) if data["contact_names"] else ()
    count = int(data["count"])
    contacts = np.array(data["contacts"], dtype=np.float64)[: count * len(names)].reshape(count, len(names))
    width, height = data["image_size"]
    return LiftRecord(
        body=data["body"],
        timing=Timing(count, Fraction(data["clip_fps"]), Fraction(data["scene_fps"]), float(data["start"])),
        first_frame=int(data["first_frame"]),
        contacts=contacts,
        contact_names=names,
        camera=_read_camera(data, (int(width), int(height))),
        source=data["source"],
        track=data["track"],
        summary=data["summary"],
        subject=data.get("subject", ""),
        lift=data.get("lift", ""),
    )


def replace_contacts(action: Any, motion: LiftedMotion) -> None:
    """Exchange the contacts of the video frames that a motion of the same clip covers."""
    record = read_record(action)
    if record is None or record.contact_names != tuple(motion.contact_names):
        return
    contacts, first = record.contacts.copy(), motion.first_frame - record.first_frame
    rows = slice(max(first, 0), min(first + len(motion), len(contacts)))
    contacts[rows] = motion.contacts[rows.start - first : rows.stop - first]
    action[_KEY]["contacts"] = contacts.ravel().tolist()


def write_contacts(armature: Any, contacts: NDArray[np.float64]) -> None:
    """Exchange the contacts (T, C) of an armature's present Action."""
    armature.animation_data.action[_KEY]["contacts"] = contacts.ravel().tolist()
