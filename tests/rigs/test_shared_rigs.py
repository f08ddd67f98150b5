"""Skeletons of real characters with landmarks that a person named: all recognised right, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvlift_blender.retargeting.detect import LEAST_CONFIDENCE, NotRecognisedError, recognise
from mvlift_blender.retargeting.report import rig_report
from mvlift_blender.retargeting.shape import RigShape

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "rigs"
FILES = sorted(FOLDER.glob("*.json"))


def shape_of_file(path: Path) -> tuple[dict[str, Any], RigShape]:
    """Landmarks and skeleton of a file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    matrix = np.array(data["object_matrix"], float)
    if np.abs(matrix[3, :3]).max() > 1e-9:
        matrix = matrix.T
    by_name = {bone["name"]: bone for bone in data["bones"]}
    order: list[str] = []

    def add(name: str) -> None:
        if name not in order:
            if by_name[name]["parent"]:
                add(by_name[name]["parent"])
            order.append(name)

    for name in by_name:
        add(name)
    number = {name: i for i, name in enumerate(order)}
    parents = tuple(number.get(by_name[name]["parent"], -1) for name in order)
    heads, tails = (
        np.array([by_name[n][end] for n in order]) @ matrix[:3, :3].T + matrix[:3, 3] for end in ("head", "tail")
    )
    return data["landmarks"], RigShape(tuple(order), parents, heads, tails)


@pytest.mark.skipif(not FILES, reason="no folder of shared skeletons beside the project")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_landmarks_of_real_characters(path: Path) -> None:
    landmarks, shape = shape_of_file(path)
    if not landmarks:
        with pytest.raises(NotRecognisedError, match="have no common parent bone"):
            recognise(shape)
        return
    rig = recognise(shape)
    assert rig.confidence >= LEAST_CONFIDENCE
    bones = rig_report(rig)["bones"]
    for part, bone in landmarks.items():
        named = bones[part][0] if part == "neck" and isinstance(bones[part], list) else bones[part]
        assert named == bone, part
