"""RTMPose and RTMW through the optional package rtmlib, which fetches its weights on the user's own machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.backends.onnx_runtime import onnx_runtime
from mvlift.detection.options import DetectionOptions
from mvlift.detection.poses import FramePoses, PoseDetector, distinct_poses, pose_sizes
from mvlift.detection.video import Frame
from mvlift.errors import DetectionError
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.typing import F64

__all__ = ["RtmDetector", "make_rtmlib"]

Model = Callable[[NDArray[np.uint8]], tuple[Any, Any]]
"""From a picture (H, W, 3), blue first, to keypoints (P, J, 2) and scores (P, J)."""
_KINDS: Final = {"rtmpose": ("BodyWithFeet", "halpe26"), "rtmw": ("Wholebody", "coco133")}
"""rtmlib's solution and our layout of its keypoints."""
_LEAST_SCORE: Final = 0.3


class RtmDetector:
    """People of each frame by a function that finds them anew.

    Args:
        model: finds everybody in a picture.
        layout: of its keypoints.
        max_people: at most so many, the largest; 0 for no limit.
    """

    def __init__(self, model: Model, layout: Layout, max_people: int = 0) -> None:
        self._model = model
        self._layout = layout
        self._max_people = max_people

    @property
    def layout(self) -> Layout:
        """Of the model's keypoints."""
        return self._layout

    def detect(self, frame: Frame) -> FramePoses:
        """The people of a frame.

        Raises:
            DetectionError: the model has other keypoints than the layout.
        """
        joints = len(self._layout.names)
        keypoints, scores = self._model(np.ascontiguousarray(frame.image[..., 2::-1]))
        points = np.asarray(keypoints, dtype=np.float64)
        if not points.size:
            return FramePoses(np.zeros((0, joints, 2)), np.zeros((0, joints)))
        if points.shape[1:] != (joints, 2):
            raise DetectionError(
                f"The model has {points.shape[1]} keypoints, not the {joints} of {self._layout.name}.",
                "Choose the detector that goes with the model.",
            )
        confidence = np.clip(np.asarray(scores, dtype=np.float64).reshape(-1, joints), 0, 1)
        kept = np.flatnonzero(confidence.mean(1) >= _LEAST_SCORE)
        points, confidence = points[kept], confidence[kept]
        chosen = distinct_poses(points, confidence, confidence.mean(1), self._layout)
        if self._max_people:
            chosen = chosen[np.argsort(-pose_sizes(points, confidence)[chosen], kind="stable")[: self._max_people]]
        return FramePoses(points[chosen], confidence[chosen])

    def reset(self) -> None:
        """Nothing is carried from frame to frame."""

    def state(self) -> dict[str, F64]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, F64]) -> None:
        """Nothing."""


def make_rtmlib(kind: str, options: DetectionOptions, threads: int) -> PoseDetector:
    """A detector of rtmlib.

    Args:
        kind: "rtmpose" or "rtmw".
        options: as asked.
        threads: not used: ONNX Runtime decides.

    Raises:
        DetectionError: rtmlib is not installed, or its weights are not to be had.
    """
    solution, layout = _KINDS[kind]
    try:
        onnx_runtime()  # rtmlib loads it too
        import rtmlib
    except ImportError as error:
        raise DetectionError(
            f"Detector {kind} needs rtmlib, which is not installed.", "pip install rtmlib onnxruntime"
        ) from error
    try:
        model: Any = getattr(rtmlib, solution)(mode="balanced", backend="onnxruntime", device="cpu")
    except (OSError, RuntimeError, ValueError) as error:
        raise DetectionError(
            f"rtmlib could not prepare {kind} ({error}).", "It downloads its weights once; check the connection."
        ) from error

    def find(picture: NDArray[np.uint8]) -> tuple[Any, Any]:
        keypoints, scores = model(picture)[:2]
        return keypoints, scores

    return RtmDetector(find, get_layout(layout), options.max_people)
