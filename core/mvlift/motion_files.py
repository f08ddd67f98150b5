"""Motion files: npz with AMASS keys and everything else beside them, and BVH."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.hands.model import rests_relaxed
from mvlift.bodies.hands.tables import flat_hand_vectors
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.motion import Camera, LiftedMotion, ObjectMotion
from mvlift.safe_reading import load_npz

__all__ = ["MotionFileError", "load_motion", "motion_arrays", "save_motion"]

VERSION: Final = 1
_KIND: Final = "mvlift-motion"


class MotionFileError(MvliftError):
    """A motion file cannot be read or written."""


def save_motion(motion: LiftedMotion, path: str | Path) -> Path:
    """Write a motion; the extension says how.

    Args:
        motion: what to write.
        path: ``.npz`` (AMASS keys ``poses trans betas gender mocap_frame_rate`` and all else) or ``.bvh``.

    Returns:
        The path.

    Raises:
        MotionFileError: the extension is not known or the folder cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".npz", ".bvh"):
        raise MotionFileError(f"{target.name}: {suffix or 'no extension'} is not written here.", "Use .npz or .bvh.")
    try:
        with whole_file(target) as part:
            if suffix == ".npz":
                np.savez_compressed(part, **_arrays(motion))  # type: ignore[arg-type]
            else:
                from mvlift.bvh import bvh_text

                part.write_text(bvh_text(motion), encoding="ascii", errors="replace")
    except OSError as error:
        raise MotionFileError(f"{target} cannot be written ({error.strerror}).", "Choose another folder.") from error
    return target


def _arrays(motion: LiftedMotion) -> dict[str, NDArray[Any]]:
    camera = motion.camera
    flat = rests_relaxed(motion.joint_names, motion.rest_joints)  # AMASS's hands are flat where their poses are zero
    poses = flat_hand_vectors(motion.rotations, motion.parents) if flat else motion.rotations
    arrays: dict[str, Any] = {
        "poses": poses.reshape(len(motion), -1),
        "trans": motion.translation,
        "betas": motion.betas,
        "gender": motion.gender,
        "mocap_frame_rate": float(motion.fps),
        "mocap_framerate": float(motion.fps),
        "kind": _KIND,
        "version": VERSION,
        "body": motion.body,
        "joint_names": np.array(motion.joint_names),
        "parents": np.array(motion.parents),
        "rest_joints": motion.rest_joints,
        "keypoints3d": motion.keypoints,
        "keypoint_names": np.array(motion.keypoint_names),
        "keypoint_confidence": motion.keypoint_confidence,
        "reprojection_error": motion.reprojection_error,
        "contacts": motion.contacts,
        "contact_names": np.array(motion.contact_names),
        "camera_K": camera.K,
        "camera_R": camera.R,
        "camera_t": camera.t,
        "image_size": np.array(camera.image_size),
        "fps": np.array([motion.fps.numerator, motion.fps.denominator]),
        "first_frame": motion.first_frame,
        "metadata": json.dumps(dict(motion.metadata)),
        "object_names": np.array([o.name for o in motion.objects], dtype=np.str_),
    }
    if flat:
        arrays["rotations"] = motion.rotations  # relative to the relaxed hands of rest_joints, which poses are not
    if motion.joint_confidence is not None:
        arrays["joint_confidence"] = motion.joint_confidence
    for i, rigid_object in enumerate(motion.objects):
        for key in ("position", "rotation", "size", "points"):
            arrays[f"object{i}_{key}"] = getattr(rigid_object, key)
        arrays[f"object{i}_point_names"] = np.array(rigid_object.point_names, dtype=np.str_)
    return {k: np.asarray(v) for k, v in arrays.items()}


def motion_arrays(path: Path, remedy: str) -> dict[str, NDArray[Any]]:
    """The arrays of a motion file by name.

    Raises:
        MotionFileError: it cannot be read; ``remedy`` says what to do where it is damaged.
    """
    try:
        return load_npz(path.read_bytes(), path.name)
    except OSError as error:
        raise MotionFileError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except MvliftError as error:
        raise MotionFileError(error.message, remedy) from error


def load_motion(path: str | Path) -> LiftedMotion:
    """Read a motion that ``save_motion`` wrote as npz.

    Raises:
        MotionFileError: it is none, is damaged, or is of a later version.
    """
    source = Path(path)
    arrays = motion_arrays(source, "Lift the clip again.")
    if str(arrays.get("kind", "")) != _KIND:
        raise MotionFileError(
            f"{source.name} is not a motion of MVLift ({', '.join(list(arrays)[:8])}).", "Lift a clip."
        )
    try:
        if int(arrays["version"]) > VERSION:
            raise MotionFileError(f"{source.name} is of version {int(arrays['version'])}.", "Update MVLift to read it.")
        return _motion(arrays)
    except (KeyError, ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise MotionFileError(f"{source.name} is damaged ({error!r}).", "Lift the clip again.") from error


def _motion(arrays: Mapping[str, NDArray[Any]]) -> LiftedMotion:
    def names(key: str) -> tuple[str, ...]:
        return tuple(str(n) for n in arrays[key])

    frames, joints = len(arrays["trans"]), len(arrays["joint_names"])
    for key in ("keypoints3d", "keypoint_confidence", "reprojection_error", "contacts"):
        if len(arrays[key]) != frames:
            raise ValueError(f"{key} has {len(arrays[key])} frames, trans {frames}")
    numerator, denominator = (int(v) for v in arrays["fps"])
    width, height = (int(v) for v in arrays["image_size"])
    floats = {k: np.asarray(v, np.float32) for k, v in arrays.items() if v.dtype.kind == "f"}
    objects = tuple(
        ObjectMotion(
            name=name,
            position=floats[f"object{i}_position"],
            rotation=floats[f"object{i}_rotation"],
            size=floats[f"object{i}_size"],
            points=floats[f"object{i}_points"],
            point_names=names(f"object{i}_point_names"),
        )
        for i, name in enumerate(names("object_names"))
    )
    return LiftedMotion(
        body=str(arrays["body"]),
        joint_names=names("joint_names"),
        parents=tuple(int(p) for p in arrays["parents"]),
        rest_joints=floats["rest_joints"],
        betas=floats["betas"],
        translation=floats["trans"],
        rotations=floats["rotations" if "rotations" in arrays else "poses"].reshape(frames, joints, 3),
        keypoints=floats["keypoints3d"],
        keypoint_names=names("keypoint_names"),
        keypoint_confidence=floats["keypoint_confidence"],
        reprojection_error=floats["reprojection_error"],
        contacts=floats["contacts"],
        contact_names=names("contact_names"),
        camera=Camera(floats["camera_K"], floats["camera_R"], floats["camera_t"], (width, height)),
        fps=Fraction(numerator, denominator),
        first_frame=int(arrays["first_frame"]),
        objects=objects,
        gender=str(arrays["gender"]),
        joint_confidence=floats.get("joint_confidence"),
        metadata=json.loads(str(arrays["metadata"])),
    )
