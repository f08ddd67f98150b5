"""Keypoint files: OpenPose json, COCO json and our plain csv, which others read, and our npz."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvlift.errors import KeypointError
from mvlift.files import whole_file, whole_folder
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import save_clips
from mvlift.keypoints.mapping import map_clip
from mvlift.keypoints.readers.plain import HEADER

__all__ = ["write_keypoints"]

_OPENPOSE = ("body25", "openpose18", "halpe26", "body25b", "mpi15")


def write_keypoints(clips: Sequence[KeypointClip], path: str | Path) -> Path:
    """Write people of one video.

    Args:
        clips: tracks, all in one layout.
        path: ``.npz`` (MVLift's own, loses nothing), ``.csv`` (plain table), ``.json`` (COCO annotations with names),
            ``.zip`` or a folder without extension (OpenPose, one json a frame; layouts that OpenPose has not are
            mapped onto BODY_25).

    Raises:
        KeypointError: nothing to write, mixed layouts, an extension that is not known, or a folder that cannot be
            written.
    """
    target = check_output(path)
    if not clips:
        raise KeypointError("No people selected.", "Choose at least one person.")
    if len({c.layout.names for c in clips}) > 1:
        raise KeypointError("The people have different keypoint layouts.", "Write one file for each.")
    try:
        _write(clips, target)
    except OSError as error:
        raise KeypointError(f"{target} cannot be written ({error.strerror}).", "Choose another folder.") from error
    return target


def check_output(path: str | Path) -> Path:
    """The path, when keypoints can be written in the format of its extension.

    Raises:
        KeypointError: the extension is not known.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in ("", ".csv", ".json", ".npz", ".zip"):
        raise KeypointError(
            f"{target.name}: {suffix} cannot be written as a keypoint file.", "Use .npz, .csv, .json or .zip."
        )
    return target


def _write(clips: Sequence[KeypointClip], target: Path) -> None:
    suffix = target.suffix.lower()
    if suffix == ".csv":
        with whole_file(target) as part:
            part.write_text(_csv(clips), encoding="utf-8")
    elif suffix == ".npz":
        save_clips(clips, target)
    elif suffix == ".json":
        with whole_file(target) as part:
            part.write_text(json.dumps(_coco(clips)), encoding="utf-8")
    elif suffix == ".zip":
        with whole_file(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in _openpose(clips, target.stem):
                archive.writestr(name, text)
    else:
        _folder(clips, target)


def _number(value: float) -> str:
    """Shortest text that reads back as the same 32-bit number."""
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


def _csv(clips: Sequence[KeypointClip]) -> str:
    best = clips[0]
    facts = ["ids=certain", "units=pixels"]
    facts += [f"fps={best.fps}"] if best.fps is not None else []
    facts += [f"size={best.image_size[0]}x{best.image_size[1]}"] if best.image_size is not None else []
    out = io.StringIO()
    out.write("# " + " ".join(facts) + "\n")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(HEADER)
    for clip in clips:
        for t, frame in enumerate(clip.frames.tolist()):
            for j, name in enumerate(clip.layout.names):
                x, y = clip.points[t, j].tolist()
                score = float(clip.confidence[t, j])
                row = [_number(x), _number(y), _number(score)] if score > 0 else ["", "", "0"]
                table.writerow([frame, clip.track_id, name, *row])
    return out.getvalue()


def _coco(clips: Sequence[KeypointClip]) -> dict[str, Any]:
    best = clips[0]
    width, height = best.image_size or (0, 0)
    frames = sorted({f for c in clips for f in c.frames.tolist()})
    names = best.layout.names
    annotations: list[dict[str, Any]] = []
    for clip in clips:
        track = int(clip.track_id) if clip.track_id.isdigit() else clips.index(clip)
        for t, frame in enumerate(clip.frames.tolist()):
            seen = clip.seen[t]
            if not seen.any():
                continue
            values = np.concatenate([clip.points[t], clip.confidence[t][:, None]], 1)
            low, high = clip.points[t][seen].min(0), clip.points[t][seen].max(0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": frame,
                    "category_id": 1,
                    "track_id": track,
                    **({} if str(track) == clip.track_id else {"track_name": clip.track_id}),
                    "keypoints": [float(_number(v)) for v in values.reshape(-1)],
                    "num_keypoints": int(seen.sum()),
                    "bbox": [float(v) for v in (*low, *(high - low))],
                    "score": float(clip.confidence[t][seen].mean()),
                }
            )
    size = {"width": width, "height": height} if best.image_size else {}
    return {
        "info": {"fps": str(best.fps)} if best.fps is not None else {},
        "images": [{"id": f, "frame_id": f, "file_name": f"{f:06d}.jpg", **size} for f in frames],
        "annotations": annotations,
        "categories": [
            {
                "id": 1,
                "name": "person" if best.layout.family == "human" else best.layout.family,
                "keypoints": list(names),
                "skeleton": [[names.index(a) + 1, names.index(b) + 1] for a, b in best.layout.bones],
            }
        ],
    }


def _openpose(clips: Sequence[KeypointClip], stem: str) -> Iterator[tuple[str, str]]:
    known = clips[0].layout.name in _OPENPOSE
    try:
        mapped = clips if known else [map_clip(c, "body25") for c in clips]
    except KeypointError as error:
        raise KeypointError(
            f"OpenPose's json is for people; {clips[0].layout.title or clips[0].layout.name} has other keypoints.",
            "Write .csv or .json.",
        ) from error
    frames = [c.frames for c in mapped]
    for frame in range(min(int(f[0]) for f in frames), max(int(f[-1]) for f in frames) + 1):
        people = []
        for number, (clip, frame_numbers) in enumerate(zip(mapped, frames, strict=True)):
            t = frame - int(frame_numbers[0])
            if not 0 <= t < len(clip) or not clip.seen[t].any():
                continue
            values = np.concatenate([clip.points[t], clip.confidence[t][:, None]], 1).reshape(-1)
            body = [float(_number(v)) for v in values]
            people.append({"person_id": [number if len(clips) > 1 else -1], "pose_keypoints_2d": body})
        yield f"{stem}_{frame:012d}_keypoints.json", json.dumps({"version": 1.3, "people": people})


def _folder(clips: Sequence[KeypointClip], target: Path) -> None:
    if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
        raise KeypointError(f"{target} is there already.", "Choose a new folder.")
    with whole_folder(target) as part:
        for name, text in _openpose(clips, target.name):
            (part / name).write_text(text, encoding="utf-8")
