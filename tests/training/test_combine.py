"""`mvlift-train combine`: which sequences come, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift_training.combine import combine

LENGTHS = (3, 5, 2, 4)
SETS = ("walk", "run", "walk", "run")


def write(path: Path, first: float, **changes: Any) -> Path:
    """Four sequences whose coordinates count on from ``first``."""
    frames = sum(LENGTHS)
    xy = first + np.arange(frames * 4, dtype=np.float32).reshape(frames, 2, 2)
    arrays = {"names": np.array(["a", "b"]), "fps": 30.0, "start": np.cumsum([0, *LENGTHS[:-1]]),
              "length": np.array(LENGTHS), "image_size": np.full((4, 2), 640), "set": np.array(SETS),
              "xy": xy}  # fmt: skip
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return path


def test_sets_and_strides_choose_the_sequences(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.npz", 0.0), write(tmp_path / "2.npz", 1000.0)
    output = tmp_path / "both.npz"
    assert combine([f"{one}:walk", f"{two}@3"], output) == 4
    both = np.load(output)
    assert both["length"].tolist() == [3, 2, 3, 4]
    assert both["start"].tolist() == [0, 3, 5, 8]
    assert both["set"].tolist() == ["walk", "walk", "walk", "run"]
    first, second = np.load(one)["xy"], np.load(two)["xy"]
    np.testing.assert_array_equal(both["xy"], np.concatenate([first[:3], first[8:10], second[:3], second[10:]]))
    assert (both["confidence"] == 1).all()


def test_missing_points_have_no_confidence(tmp_path: Path) -> None:
    xy = np.zeros((sum(LENGTHS), 2, 2))
    xy[4, 1] = np.nan
    combine([str(write(tmp_path / "1.npz", 0.0, xy=xy))], tmp_path / "out.npz")
    confidence = np.load(tmp_path / "out.npz")["confidence"]
    assert confidence[4, 1] == 0
    assert confidence.sum() == confidence.size - 1


def test_motion_capture_is_combined_likewise(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(sum(LENGTHS), 2, 3)).astype(np.float32)
    mocap = write(tmp_path / "1.npz", 0.0, xy=None, image_size=None, points3d=points)
    assert combine([f"{mocap}:run", f"{mocap}"], tmp_path / "out.npz") == 6
    out = np.load(tmp_path / "out.npz")
    assert sorted(out) == ["fps", "length", "names", "points3d", "set", "start"]
    np.testing.assert_array_equal(out["points3d"], np.concatenate([points[3:8], points[10:], points]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": 25.0}, "another rate"),
        ({"names": np.array(["a", "c"])}, "other keypoints"),
        ({"xy": None, "points3d": np.zeros((14, 2, 3))}, "other keypoints"),
        ({"xy": None}, "neither 2D keypoints"),
        ({"length": None}, "length"),
    ],
)
def test_unlike_files_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    one, two = write(tmp_path / "1.npz", 0.0), write(tmp_path / "2.npz", 0.0, **changes)
    with pytest.raises(KeypointError, match=words) as refusal:
        combine([str(one), str(two)], tmp_path / "out.npz")
    assert "2.npz" in str(refusal.value)
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("text", ["{}:swim", "{}@0", "{}@x"])
def test_what_chooses_nothing_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeypointError):
        combine([text.format(write(tmp_path / "1.npz", 0.0))], tmp_path / "out.npz")
