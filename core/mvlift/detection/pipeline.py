"""`detect_keypoints`: a video becomes one clip per person, as if a detector's file had been read."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from mvlift.detection.cuts import CutFinder
from mvlift.detection.detections_store import DetectionStore, load_store, save_store
from mvlift.detection.options import DetectionOptions, DetectionProgress, Report
from mvlift.detection.people import clips_of_video
from mvlift.detection.poses import PoseDetector
from mvlift.detection.registry import make_detector
from mvlift.detection.video import VideoInfo, open_frames, probe_video
from mvlift.errors import DetectionError
from mvlift.keypoints.clip import KeypointClip

__all__ = ["KEY", "detect_keypoints", "detection_key"]

KEY: Final = "detection"
"""Name in a clip's metadata of what `detection_key` gives."""

_SAVE_SECONDS: Final = 10.0
_REPORT_SECONDS: Final = 0.25


def detect_keypoints(
    path: str | Path,
    options: DetectionOptions | None = None,
    *,
    progress: Report | None = None,
    resume_file: Path | None = None,
    cancelled: Callable[[], bool] | None = None,
    detector: PoseDetector | None = None,
) -> list[KeypointClip]:
    """The people of a video, best first.

    Args:
        path: a video, or a folder of pictures.
        options: see `DetectionOptions`.
        progress: is told several times a second where the detection stands.
        resume_file: what was detected is kept here every ten seconds; a run that finds the file goes on from there,
            and deletes it in the end.
        cancelled: asked before every frame; True ends the run, keeping ``resume_file``.
        detector: instead of the one that the options name.

    Raises:
        DetectionError: the video cannot be read, nobody is in it, or a detector is not installed.
    """
    video, wanted = Path(path), options or DetectionOptions()
    info = probe_video(video)
    pose_detector = detector or make_detector(wanted)
    key, joints = detection_key(video, wanted), len(pose_detector.layout.names)
    store = load_store(resume_file, key, joints) if resume_file is not None else None
    if store is not None and store.numbers:
        pose_detector.restore(store.state)
    store = store or DetectionStore(key, joints)
    _run(info, wanted, pose_detector, store, progress, resume_file, cancelled)
    clips = clips_of_video(store, info, pose_detector.layout, wanted)
    clips = [replace(c, metadata={**c.metadata, KEY: key}) for c in clips]
    if resume_file is not None:
        resume_file.unlink(missing_ok=True)
    return clips


def detection_key(path: Path, options: DetectionOptions) -> str:
    """What keypoints that are kept must agree in: the file, its size and time, and the options."""
    stat = path.stat()
    facts = {k: str(v) for k, v in asdict(options).items() if k != "threads"}
    text = json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns, facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _run(
    info: VideoInfo,
    options: DetectionOptions,
    detector: PoseDetector,
    store: DetectionStore,
    progress: Report | None,
    resume_file: Path | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Detect in every frame that is not in the store yet."""
    low, high = options.frames or (info.first_frame, None)
    done_before = len(store.numbers)
    total = None if info.frame_count is None else min(info.frame_count, (high or 1 << 60) - low + 1)
    cuts, shot = CutFinder(), store.shots[-1] if store.shots else 0
    began = saved = time.monotonic()
    last_report = 0.0
    # the last frame that is done is decoded again, to see whether a cut follows it
    for frame in open_frames(info.path, max(store.numbers[-1] if store.numbers else 0, low)):
        if high is not None and frame.number > high:
            break
        cut = cuts.is_cut(frame.overview)
        if store.numbers and frame.number <= store.numbers[-1]:
            continue
        if cancelled is not None and cancelled():
            if resume_file is not None:
                save_store(store, resume_file)
            raise DetectionError(f"The detection in {info.path.name} was cancelled.")
        if cut:
            shot += 1
            detector.reset()
        poses = detector.detect(frame)
        store.add(frame.number, frame.time, shot, poses, frame.scale)
        store.state = detector.state()
        now = time.monotonic()
        if resume_file is not None and now - saved > _SAVE_SECONDS:
            save_store(store, resume_file)
            saved = time.monotonic()
        if progress is not None and now - last_report > _REPORT_SECONDS:
            last_report = now
            progress(_progress(store, done_before, total, len(poses), now - began))
    if progress is not None:
        done = len(store.numbers)
        last = _progress(store, done_before, done, 0, time.monotonic() - began)
        progress(last)


def _progress(store: DetectionStore, before: int, total: int | None, people: int, seconds: float) -> DetectionProgress:
    done = len(store.numbers)
    rate = (done - before) / max(seconds, 1e-6)
    left = None if total is None or rate <= 0 else max(total - done, 0) / rate
    return DetectionProgress(done, total, people, rate, left)
