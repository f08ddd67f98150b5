"""Subject files, those of version 0.1 included."""

from __future__ import annotations

import json
from pathlib import Path

from mvlift.lifting.subjects import get_subject


def test_keys_of_version_0_1_are_read(tmp_path: Path) -> None:
    """``looks`` counted the first pass; ``notions`` and ``rig`` have other names today."""
    old = {
        "name": "old",
        "title": "Old",
        "extends": "human",
        "looks": 3,
        "rig": "human",
        "notions": [{"keypoints": ["l_hip"], "joint": "pelvis", "sigma": [0.01, 0.02, 0.03]}],
    }
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    subject = get_subject(path)
    assert subject.refinement_passes == 2
    assert subject.sampling_steps == 1
    assert subject.kinematic_model == "human"
    assert subject.keypoint_offsets[0].sigma == (0.01, 0.02, 0.03)
