"""AMASS motion files (.npz): SMPL, SMPL-H and SMPL-X poses in, and out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import rests_relaxed
from mvlift.bodies.hands.tables import flat_hand_vectors
from mvlift.bodies.skeletons import default_human_skeleton, default_human_skeleton_with_fingers
from mvlift.files import whole_file
from mvlift.keypoints.rates import exact_rate
from mvlift.motion import Camera, LiftedMotion
from mvlift.motion_files import MotionFileError, load_motion, motion_arrays
from mvlift.typing import F32

__all__ = ["Variant", "load_amass", "read_any_motion", "save_amass"]

Variant = Literal["smpl", "smplh", "smplx"]

_BODY_JOINTS: Final = 22
"""Pelvis to wrists: what the three models share, in the same order."""
_FINGERS: Final = 30
_BETAS: Final = 16
_SMPL_SHAPES: Final = ("smpl", "smplh")
_JOINTS: Final[Mapping[Variant, int]] = {"smpl": 24, "smplh": 52, "smplx": 55}
_PELVIS_X: Final = np.array([0.0031, -0.3514, 0.0120])
"""Where SMPL-X's neutral pelvis is at rest, metres: its origin is not SMPL's."""
_RATES: Final = ("mocap_frame_rate", "mocap_framerate", "fps")


def save_amass(motion: LiftedMotion, path: Path, variant: Variant = "smplh") -> Path:
    """Write a person's motion with the keys of AMASS.

    Args:
        motion: of a body with SMPL's joints.
        path: .npz.
        variant: "smpl" (T, 72), "smplh" (T, 156), or "smplx" (T, 165) with its parts beside it; fingers move where the
            motion has them, relative to the flat hand.

    Raises:
        MotionFileError: the body is no person's, or the folder cannot be written.
    """
    if motion.body != "smpl" or len(motion.joint_names) < _BODY_JOINTS:
        raise MotionFileError(f"AMASS files hold people, not {motion.body}.", "Save it as MVLift's own .npz.")
    frames = len(motion)
    poses = np.zeros((frames, _JOINTS[variant], 3), np.float32)
    has_fingers = len(motion.joint_names) == _JOINTS["smplh"]
    shared = _JOINTS["smpl"] if variant == "smpl" and not has_fingers else _BODY_JOINTS
    shared = min(shared, motion.rotations.shape[1])
    poses[:, :shared] = motion.rotations[:, :shared]
    if has_fingers and variant != "smpl":
        poses[:, -_FINGERS:] = _flat_hands(motion)[:, _BODY_JOINTS:]
    trans = np.asarray(motion.translation, np.float64)
    if variant == "smplx":
        trans = trans + np.asarray(motion.rest_joints[0], np.float64) - _PELVIS_X
    arrays: dict[str, Any] = {
        "trans": trans.astype(np.float32),
        "poses": poses.reshape(frames, -1),
        "betas": _betas(motion, variant),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(motion.fps)),
        "mocap_frame_rate": np.array(float(motion.fps)),
    }
    if variant == "smplh":
        arrays["dmpls"] = np.zeros((frames, 8), np.float32)
    if variant == "smplx":
        arrays["surface_model_type"] = np.array("smplx")
        parts = {
            "root_orient": (0, 1),
            "pose_body": (1, 22),
            "pose_jaw": (22, 23),
            "pose_eye": (23, 25),
            "pose_hand": (25, 55),
        }
        arrays |= {name: poses[:, first:stop].reshape(frames, -1) for name, (first, stop) in parts.items()}
    try:
        with whole_file(path) as part:
            np.savez_compressed(part, **arrays)
    except OSError as error:
        raise MotionFileError(f"{path} cannot be written ({error.strerror}).", "Choose another folder.") from error
    return path


def _betas(motion: LiftedMotion, variant: Variant) -> F32:
    """(16,) the fitted shape of a user's model whose coefficients mean what the variant's do; else zeros.

    SMPL and SMPL-H share their shape directions; SMPL-X and the default body have their own.
    """
    betas = np.zeros(_BETAS, np.float32)
    kind = motion.metadata.get("body_kind", "")
    if kind == variant or (kind in _SMPL_SHAPES and variant in _SMPL_SHAPES):
        known = motion.betas[:_BETAS]
        betas[: len(known)] = known
    return betas


def _flat_hands(motion: LiftedMotion) -> F32:
    """(T, 52, 3) rotations relative to SMPL-H's rest, whose hands are flat."""
    if not rests_relaxed(motion.joint_names, motion.rest_joints):
        return motion.rotations
    return flat_hand_vectors(motion.rotations, motion.parents)


def load_amass(path: Path) -> LiftedMotion:
    """Read an AMASS file as a motion of the default body, with fingers where they move; face and shape are passed over.

    Raises:
        MotionFileError: it is none, or holds values that are not numbers.
    """
    arrays = motion_arrays(path, "Use an AMASS .npz.")
    try:
        return _motion(arrays, path.name)
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise MotionFileError(f"{path.name} is damaged ({error!r}).", "Use an AMASS .npz.") from error


def read_any_motion(path: Path) -> LiftedMotion:
    """Read MVLift's own .npz or an AMASS file.

    Raises:
        MotionFileError: it is neither.
    """
    arrays = motion_arrays(path, "Use MVLift's own .npz or an AMASS file.")
    return load_motion(path) if "kind" in arrays else load_amass(path)


def _poses(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[F32, bool]:
    """Rotations (T, 24, 3), or (T, 52, 3) where fingers move, and whether they are SMPL-X's."""
    if "poses" in arrays:
        poses = np.asarray(arrays["poses"], np.float32)
    elif "root_orient" in arrays and "pose_body" in arrays:
        poses = np.concatenate([arrays["root_orient"], arrays["pose_body"]], axis=1).astype(np.float32)
    else:
        raise MotionFileError(
            f"{name} holds {', '.join(list(arrays)[:8])}, neither poses nor root_orient and pose_body.",
            "Use an AMASS .npz.",
        )
    poses = poses.reshape(len(poses), -1)
    if poses.shape[1] % 3 or poses.shape[1] < 3 * _BODY_JOINTS:
        raise MotionFileError(f"{name}: poses has {poses.shape[1]} columns.", "72, 156 or 165 are expected.")
    model = str(arrays["surface_model_type"]) if "surface_model_type" in arrays else ""
    rotations = np.zeros((len(poses), _JOINTS["smpl"], 3), np.float32)
    kept = _JOINTS["smpl"] if poses.shape[1] == 3 * _JOINTS["smpl"] else _BODY_JOINTS
    rotations[:, :kept] = poses[:, : 3 * kept].reshape(len(poses), kept, 3)
    is_x = model.startswith("smplx") or poses.shape[1] == 3 * _JOINTS["smplx"]
    hands = _hands(arrays, poses)
    return rotations if hands is None else np.concatenate([rotations[:, :_BODY_JOINTS], hands], 1), is_x


def _hands(arrays: Mapping[str, NDArray[Any]], poses: F32) -> F32 | None:
    """(T, 30, 3) rotations of the fingers relative to the flat hand, or None where they do not move."""
    if poses.shape[1] in (3 * _JOINTS["smplh"], 3 * _JOINTS["smplx"]):
        hands = poses[:, -3 * _FINGERS :]
    elif "pose_hand" in arrays and np.size(arrays["pose_hand"]) == len(poses) * 3 * _FINGERS:
        hands = np.asarray(arrays["pose_hand"], np.float32)
    else:
        return None
    return hands.reshape(len(poses), _FINGERS, 3) if np.any(hands) else None


def _motion(arrays: Mapping[str, NDArray[Any]], name: str) -> LiftedMotion:
    rotations, is_x = _poses(arrays, name)
    trans = np.asarray(arrays["trans"], np.float64).reshape(-1, 3)
    if len(trans) != len(rotations):
        raise ValueError(f"trans has {len(trans)} frames, poses {len(rotations)}")
    if not (np.isfinite(trans).all() and np.isfinite(rotations).all()):
        raise ValueError("there are values that are not numbers")
    rate = exact_rate(next((float(arrays[k]) for k in _RATES if k in arrays), 0.0))
    if rate is None:
        raise MotionFileError(f"{name} does not say its frame rate.", "It should hold mocap_frame_rate.")
    skeleton = default_human_skeleton()
    if rotations.shape[1] == _JOINTS["smplh"]:
        skeleton = default_human_skeleton_with_fingers()
        rotations = flat_hand_vectors(rotations, skeleton.parents, back=True)
    rest = np.asarray(skeleton.rest_joints, np.float32)
    if is_x:
        trans = trans + _PELVIS_X - rest[0]
    frames = len(trans)
    empty = np.zeros((frames, 0), np.float32)
    lens = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]], np.float32)
    # it looks along +Y from four metres in front of the origin, a metre above the floor
    view = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)
    return LiftedMotion(
        body="smpl",
        joint_names=tuple(skeleton.joint_names),
        parents=tuple(skeleton.parents),
        rest_joints=rest,
        betas=np.zeros(skeleton.shape_joints.shape[2], np.float32),
        translation=trans.astype(np.float32),
        rotations=rotations,
        keypoints=np.zeros((frames, 0, 3), np.float32),
        keypoint_names=(),
        keypoint_confidence=empty,
        reprojection_error=empty,
        contacts=empty,
        contact_names=(),
        camera=Camera(lens, view, np.array([0, 1, 4], np.float32), (1280, 720)),
        fps=rate,
        metadata={"source": name, "imported": "amass"},
    )
