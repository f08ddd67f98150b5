"""Camera tracks in npz, npy, pickles and torch files: our own, solvers' matrices, results of human-motion programs."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from mvlift.cameras.distortion import Distortion
from mvlift.cameras.track import CameraTrack, Scale, track_from_poses
from mvlift.errors import CameraError
from mvlift.kinematics.quaternions import to_matrix
from mvlift.kinematics.rotations import exp_map
from mvlift.safe_reading import load_npy, load_npz, load_torch, unpickle
from mvlift.typing import F64

__all__ = ["own_track", "read_arrays"]

_TO_WORLD: Final = ("cam_c2w", "c2w", "cam2world", "camera_to_world", "cam_to_world", "poses_c2w", "camera_poses",
                    "cam_poses", "poses", "pose")  # fmt: skip
_TO_CAMERA: Final = ("w2c", "world2cam", "world_to_camera", "extrinsic", "extrinsics", "cam_w2c", "T_w2c")
_LENS: Final = ("intrinsic", "intrinsics", "K", "Ks", "cam_intrinsics", "K_fullimg")
_GRAPHICS: Final = ("opengl", "gl", "blender", "nerf")
_SMPL_PELVIS: Final = np.array([-0.0018, -0.2233, 0.0282])
_SMPLX_PELVIS: Final = np.array([0.0031, -0.3514, 0.0120])
"""Rest position of the root joint, about which the bodies turn; metres."""


def read_arrays(path: Path, fps: Fraction | None, image_size: tuple[int, int] | None) -> CameraTrack:
    """A camera among arrays.

    Raises:
        CameraError: there is none.
    """
    values = _values(path)
    name = str(path)
    if {"K", "R", "t"} <= set(values) or {"R", "t"} <= set(values):
        return own_track(values, name)
    if {"pred_cam_R", "pred_cam_T"} <= set(values):
        return _tram(values, name)
    bodies = _bodies(values)
    if bodies is not None:
        return _from_bodies(*bodies, name)
    for keys, to_world in ((_TO_CAMERA, False), (_TO_WORLD, True)):
        key = next((k for k in keys if k in values and np.ndim(values[k]) >= 2), None)
        if key is not None:
            return _matrices(values, key, to_world, name)
    known = ", ".join(list(values)[:8]) or "nothing"
    raise CameraError(f"{path.name} holds no camera ({known}).", "Save K (T,3,3), R (T,3,3) and t (T,3).")


def _values(path: Path) -> dict[str, Any]:
    data, suffix = path.read_bytes(), path.suffix.lower()
    if suffix == ".npz":
        return dict(load_npz(data, path.name))
    loaded: Any = load_npy(data, path.name) if suffix == ".npy" else (
        load_torch(data, path.name) if suffix in (".pt", ".pth") else unpickle(data, path.name))  # fmt: skip
    if isinstance(loaded, np.ndarray) and loaded.dtype == object and loaded.size == 1:
        loaded = loaded.reshape(-1)[0]
    if isinstance(loaded, np.ndarray):
        droid = loaded.ndim == 2 and loaded.shape[1] == 7
        return {"droid" if droid else "poses": loaded, **({"w2c": _droid(loaded)} if droid else {})}
    if isinstance(loaded, Mapping) and len(loaded) == 1 and isinstance(next(iter(loaded.values())), Mapping):
        loaded = next(iter(loaded.values()))  # WHAM: one entry for each person
    return dict(loaded) if isinstance(loaded, Mapping) else {}


def _droid(rows: F64) -> F64:
    """(T, 3, 4) world to camera of tx ty tz qx qy qz qw."""
    rows = np.asarray(rows, dtype=np.float64)
    quaternion = rows[:, [6, 3, 4, 5]] / np.linalg.norm(rows[:, 3:], axis=1, keepdims=True)
    return np.concatenate([to_matrix(quaternion), rows[:, :3, None]], -1)


def _text(value: Any) -> str:
    return str(np.asarray(value).reshape(-1)[0]) if np.size(value) else ""


def _size(values: Mapping[str, Any]) -> tuple[int, int] | None:
    both = values.get("image_size")
    if both is None or np.size(both) != 2:
        return None
    width, height = (int(v) for v in np.asarray(both).reshape(-1))
    return width, height


def own_track(values: Mapping[str, Any], name: str) -> CameraTrack:
    """Our own: R (T, 3, 3) and t (T, 3) world to camera; K, scale, up, first_frame, fps and image_size may be there.

    Raises:
        CameraError: a value is none of these.
    """
    R, t = np.asarray(values["R"], dtype=np.float64), np.asarray(values["t"], dtype=np.float64)
    K = np.asarray(values["K"], dtype=np.float64) if "K" in values else None
    count = max([len(a) for a, single in ((R, 2), (t, 1), (K, 2)) if a is not None and a.ndim > single], default=1)
    R = np.broadcast_to(R, (count, 3, 3)).copy() if R.ndim == 2 else R
    t = np.broadcast_to(t, (count, 3)).copy() if t.ndim == 1 else t
    scale = _text(values.get("scale", "unknown"))
    if scale not in ("metric", "unknown", "none"):
        raise CameraError(f"{name}: scale is {scale!r}.", "Write metric, unknown or none.")
    first = int(np.asarray(values.get("first_frame", 0)).reshape(-1)[0])
    rate = values.get("fps")
    fps = None if rate is None else Fraction(_text(rate)).limit_denominator(1001)
    frames = np.asarray(values.get("frames", first + np.arange(count)), dtype=np.int64)
    up = np.asarray(values["up"], dtype=np.float64) if "up" in values else None
    checked: Scale = "metric" if scale == "metric" else "none" if scale == "none" else "unknown"
    floor = bool(np.asarray(values.get("floor_known", False)).reshape(-1)[0])
    return CameraTrack(frames, R, t, K, _size(values), checked, up, fps, name, floor, _distortion(values, name))


def _distortion(values: Mapping[str, Any], name: str) -> Distortion | None:
    """Distortion of the lens: k1, k2, ... and p1, p2 beside the model's name.

    Raises:
        CameraError: there is no such model.
    """
    if "distortion" not in values:
        return None
    model = _text(values.get("distortion_model", "polynomial"))
    radial = tuple(float(k) for k in np.asarray(values["distortion"], dtype=np.float64).reshape(-1))
    p1, p2 = (float(p) for p in np.asarray(values.get("distortion_tangential", (0, 0)), dtype=np.float64).reshape(-1))
    if model == "polynomial":
        return Distortion("polynomial", radial, (p1, p2))
    if model == "division":
        return Distortion("division", radial)
    raise CameraError(f"{name}: the distortion model is {model!r}.", "Write polynomial or division.")


def _lens(values: Mapping[str, Any], count: int) -> F64 | None:
    """(T, 3, 3) K, from matrices or rows fx fy cx cy."""
    key = next((k for k in _LENS if k in values), None)
    if key is None:
        return None
    K = np.asarray(values[key], dtype=np.float64)
    if K.shape[-1] == 4 and K.ndim <= 2:
        fx, fy, cx, cy = np.broadcast_to(K, (count, 4)).T
        K = np.zeros((count, 3, 3))
        K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = fx, fy, cx, cy, 1
    return np.broadcast_to(K, (count, 3, 3)).copy() if K.ndim == 2 else K


def _matrices(values: Mapping[str, Any], key: str, to_world: bool, name: str) -> CameraTrack:
    poses = np.asarray(values[key], dtype=np.float64)
    poses = poses[0] if poses.ndim == 4 and len(poses) == 1 else poses
    if to_world and poses.ndim == 2 and poses.shape[1] == 7:
        poses, to_world = _droid(poses), False
    convention = _text(values.get("convention", values.get("coordinate_system", ""))).lower()
    return track_from_poses(
        np.arange(len(poses), dtype=np.int64), poses, camera_to_world=to_world,
        opengl=any(word in convention for word in _GRAPHICS), K=_lens(values, len(poses)), image_size=_size(values),
        source=name,
    )  # fmt: skip


def _tram(values: Mapping[str, Any], name: str) -> CameraTrack:
    """TRAM's camera.npy: camera to world, metres."""
    R, place = (np.asarray(values[k], dtype=np.float64) for k in ("pred_cam_R", "pred_cam_T"))
    K = None
    if "img_focal" in values and "img_center" in values:
        focal, centre = float(np.asarray(values["img_focal"])), np.asarray(values["img_center"], dtype=np.float64)
        K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    poses = np.concatenate([R, place.reshape(-1, 3, 1)], -1)
    frames = np.arange(len(R), dtype=np.int64)
    return track_from_poses(frames, poses, camera_to_world=True, opengl=False, K=K, scale="metric", source=name)


def _bodies(values: Mapping[str, Any]) -> tuple[F64, F64, F64, F64, F64, F64 | None] | None:
    """A body's orientation and place in the world and in the camera, its pelvis, and K; of GVHMR or WHAM."""
    world, camera = values.get("smpl_params_global"), values.get("smpl_params_incam")
    if isinstance(world, Mapping) and isinstance(camera, Mapping):
        parts = [np.asarray(b[k], dtype=np.float64).reshape(-1, 3) for b in (world, camera)
                 for k in ("global_orient", "transl")]  # fmt: skip
        return parts[0], parts[1], parts[2], parts[3], _SMPLX_PELVIS, _lens(values, len(parts[0]))
    keys = ("pose_world", "trans_world", "pose", "trans")
    if all(k in values for k in keys):
        parts = [np.asarray(values[k], dtype=np.float64).reshape(len(values[k]), -1)[:, :3] for k in keys]
        return parts[0], parts[1], parts[2], parts[3], _SMPL_PELVIS, None
    return None


def _from_bodies(
    world_turn: F64, world_place: F64, turn: F64, place: F64, pelvis: F64, K: F64 | None, name: str
) -> CameraTrack:
    """The camera that sees one body as both descriptions of it say."""
    R = exp_map(turn) @ exp_map(world_turn).transpose(0, 2, 1)
    t = place + pelvis - np.einsum("tab,tb->ta", R, world_place + pelvis)
    frames = np.arange(len(R), dtype=np.int64)
    return CameraTrack(frames, R, t, K, None, "metric", np.array([0.0, 1.0, 0.0]), None, name)
