"""The page of file formats lists the keys, and the shapes, of the files that are really written."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mvlift.cameras.track import CameraTrack
from mvlift.cameras.writing import save_track
from mvlift.commands.batch.report import Outcome
from mvlift.commands.inspect import as_json
from mvlift.keypoints import inspect_keypoints, write_keypoints
from mvlift.keypoints.clip_file import save_clips
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.lifting.constraints import Constraints, KeypointConstraint, PinConstraint, PoseConstraint
from mvlift.lifting.objects.shape import load_shape
from scenes import ROOT, small_motion

WALK = ROOT / "examples" / "walk.zip"


@pytest.fixture(scope="module")
def files() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_files", ROOT / "tools" / "reference_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference_files"] = module
    spec.loader.exec_module(module)
    return module


def check(files: ModuleType, kind: str, written: Mapping[str, Any], complete: bool = True) -> None:
    """The keys are those listed (every one of them for a ``complete`` file); letters of shapes agree over the file."""
    listed = files.FORMATS[kind]
    keys = {k for k in listed.keys if "." not in k}
    assert set(written) <= keys
    assert keys - set(listed.optional) <= set(written)
    if complete:
        assert set(written) == keys
    sizes: dict[str, int] = {}
    for key, value in written.items():
        shape = files.described(listed.keys[key])[0]
        if isinstance(value, np.ndarray) and (match := re.fullmatch(r"\(([\dA-Z, ]*)\)", shape)):
            names = [n.strip() for n in match[1].split(",") if n.strip()]
            if any(" " in n for n in names):
                continue
            assert len(names) == value.ndim, (key, shape, value.shape)
            for name, size in zip(names, value.shape, strict=True):
                assert (int(name) if name.isdigit() else sizes.setdefault(name, size)) == size, (key, shape)


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as data:
        return dict(data)


def test_a_motion(files: ModuleType, tmp_path: Path) -> None:
    motion = small_motion(objects=True)
    confidence = np.ones((len(motion), len(motion.joint_names)), np.float32)
    motion = replace(motion, joint_confidence=confidence)
    written = arrays(motion.save(tmp_path / "a.npz"))
    assert "rotations" not in written  # a body without fingers
    check(files, "motion", {**written, "rotations": motion.rotations})


def test_keypoints(files: ModuleType, tmp_path: Path) -> None:
    clip = inspect_keypoints(WALK).clips[0]
    count = len(clip)
    points = np.zeros((count, 2, 21, 2), np.float32)
    hands = HandKeypoints(points, np.zeros(points.shape[:3], np.float32), np.zeros(points.shape[:3], np.float32))
    save_clips([replace(clip, hands=hands)], tmp_path / "a.npz")
    check(files, "keypoints", arrays(tmp_path / "a.npz"))
    table = write_keypoints([clip], tmp_path / "a.csv")
    with table.open() as stream:
        next(stream)
        check(files, "table", dict.fromkeys(next(csv.reader(stream))))


def test_a_camera_track(files: ModuleType, tmp_path: Path) -> None:
    still = np.tile(np.eye(3), (5, 1, 1))
    track = CameraTrack(
        frames=np.arange(5), R=still, t=np.zeros((5, 3)), K=900 * still, image_size=(1280, 720), scale="metric",
        up=np.array([0, 0, 1.0]), fps=Fraction(30), floor_known=True,
    )  # fmt: skip
    check(files, "camera", arrays(save_track(track, tmp_path / "a.npz")))


def test_json_files(files: ModuleType, tmp_path: Path) -> None:
    pose = PoseConstraint(3, ("neck",), np.zeros((1, 3)), np.zeros(3))
    pin = PinConstraint("left_wrist", 2, np.zeros((4, 3)))
    point = KeypointConstraint(3, "nose", np.zeros(2))
    written = Constraints((pose,), (pin,), (point,)).to_json()
    nested = {f"{key}.{name}": value for key, rows in written.items() for name, value in rows[0].items()}
    assert set(files.FORMATS["constraints"].keys) == set(written) | set(nested)
    corners = {f"corner_{i}": [float(i & 1), float(i >> 1 & 1), float(i >> 2)] for i in range(8)}
    (tmp_path / "a.json").write_text(json.dumps(corners))
    check(files, "object", load_shape(tmp_path / "a.json").to_json())
    check(files, "inspection", as_json(inspect_keypoints(WALK)))
    check(files, "report", Outcome(WALK).to_json())


def test_subjects(files: ModuleType) -> None:
    shipped = list((ROOT / "core" / "mvlift" / "lifting" / "subjects").glob("*.json"))
    subjects = [json.loads(path.read_text(encoding="utf-8")) for path in shipped]
    assert {key for s in subjects for key in s} == set(files.FORMATS["subject"].keys) - {
        key for key in files.FORMATS["subject"].optional if not any(key in s for s in subjects)
    }
    for subject in subjects:
        if "extends" not in subject:
            check(files, "subject", subject, complete=False)
