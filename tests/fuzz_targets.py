"""What `fuzz_readers` mutates: keypoint files of every family, and the other files that MVLift opens.

Each target is a small valid file in a folder of its own, and the public function that reads it.
"""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from keypoint_files import FAMILIES
from mvlift import models
from mvlift.amass import load_amass
from mvlift.backends import onnx_runtime
from mvlift.backends.onnx_runtime import load_onnx
from mvlift.bodies import loading, pose_prior
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.bodies.loading import load_body
from mvlift.bodies.pose_prior import load_prior
from mvlift.cameras.reading import read_camera_track
from mvlift.commands.batch.planning import plan_tasks
from mvlift.detection.video import open_frames, probe_video
from mvlift.diffusion.denoiser import DenoiserConfig
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.keypoints.clip_file import load_clip, save_clip
from mvlift.keypoints.reading import inspect_keypoints
from mvlift.lifting import subjects
from mvlift.lifting.constraints import load_constraints
from mvlift.lifting.objects.shape import load_shape
from mvlift.lifting.subjects import get_subject
from mvlift.models import load_denoiser, save_denoiser
from mvlift.motion_files import load_motion
from scenes import WALK, small_motion

from mvlift_blender.importing.mp4 import has_variable_rate, pixel_aspect
from mvlift_blender.retargeting import bone_map

__all__ = ["TARGETS", "Target"]

_VIDEO: Final = Path(__file__).parent.parent / "examples" / "walk.mp4"


@dataclass(frozen=True)
class Target:
    """A file or folder, and what reads it; ``check`` says whether what came out is as it should be."""

    path: Path
    read: Callable[[Path], Any]
    check: Callable[[Any], bool] = lambda _: True


Maker = Callable[[Path], Target]
TARGETS: dict[str, Maker] = {}


def _complete_clips(result: Any) -> bool:
    clips = result.clips
    return bool(clips) and all(np.isfinite(c.points).all() and c.seen.any() for c in clips)


def _keypoints(name: str) -> Maker:
    return lambda folder: Target(FAMILIES[name](folder).path, inspect_keypoints, _complete_clips)


TARGETS |= {name: _keypoints(name) for name in FAMILIES}


def target(name: str) -> Callable[[Maker], Maker]:
    """Register a maker."""

    def register(maker: Maker) -> Maker:
        TARGETS[name] = maker
        return maker

    return register


def _written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _body() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "v_template": rng.normal(size=(12, 3)),
        "f": rng.integers(0, 12, (6, 3)),
        "J_regressor": np.full((24, 12), 1 / 12),
        "weights": np.full((12, 24), 1 / 24),
        "kintree_table": np.stack([np.arange(24) - 1, np.arange(24)]),
        "shapedirs": rng.normal(size=(12, 3, 10)),
        "posedirs": np.zeros((12, 3, 207)),
    }


def _anew(read: Callable[[Path], Any], *modules: ModuleType) -> Callable[[Path], Any]:
    """The function without its memory: what it read before of a path says nothing about the file that is there now."""

    def again(path: Path) -> Any:
        for function in (f for m in modules for f in vars(m).values() if hasattr(f, "cache_clear")):
            if "load" in function.__name__:
                function.cache_clear()
        return read(path)

    return again


_read_body = _anew(lambda path: load_body(str(path)), loading)


@target("body file, pkl")
def _body_pickle(folder: Path) -> Target:
    path = folder / "body.pkl"
    path.write_bytes(pickle.dumps(_body(), protocol=2))
    return Target(path, _read_body)


@target("body file, npz")
def _body_npz(folder: Path) -> Target:
    np.savez(folder / "body.npz", **_body())
    return Target(folder / "body.npz", _read_body)


@target("body file with a sparse matrix")
def _body_sparse(folder: Path) -> Target:
    from scipy.sparse import csc_matrix

    path = folder / "body.pkl"
    path.write_bytes(pickle.dumps({**_body(), "J_regressor": csc_matrix(_body()["J_regressor"])}, protocol=2))
    return Target(path, _read_body)


@target("weights")
def _weights(folder: Path) -> Target:
    from mvlift.diffusion.network import MotionDenoiser

    network = MotionDenoiser(DenoiserConfig(points=3, features=6, width=8, layers=1, heads=2))
    save_denoiser(network, CosineSchedule(10), "line", folder / "mine.safetensors", {"seed": 0})
    return Target(folder / "mine.safetensors", _anew(lambda p: load_denoiser(p, "line", "cpu"), models))


@target("weights in ONNX Runtime")
def _weights_onnx(folder: Path) -> Target:
    path = _weights(folder).path
    return Target(path, _anew(lambda p: load_onnx(p, "line", "cpu", 1), onnx_runtime))


@target("pose prior")
def _prior(folder: Path) -> Target:
    from safetensors.numpy import save_file

    path = folder / "prior.safetensors"
    tensors = {name: np.full(shape, 0.1, np.float32) for name, shape in pose_prior._shapes(4, 2).items()}
    save_file(tensors, path, metadata={"mvlift": '{"scale": 0.1}'})
    return Target(path, _anew(load_prior, pose_prior))


_POINTS: Final = {f"object_{i}": [0.1 * i, 0.2 * (i % 3), 0.3 * (i % 2)] for i in range(6)}


@target("object shape, json")
def _shape_json(folder: Path) -> Target:
    return Target(_written(folder / "box.json", {"points": _POINTS}), load_shape)


@target("object shape, csv")
def _shape_csv(folder: Path) -> Target:
    path = folder / "box.csv"
    path.write_text("name,x,y,z\n" + "\n".join(f"{n},{x},{y},{z}" for n, (x, y, z) in _POINTS.items()))
    return Target(path, load_shape)


@target("object shape, obj")
def _shape_obj(folder: Path) -> Target:
    path = folder / "box.obj"
    path.write_text("\n".join(f"v {x} {y} {z}" for x, y, z in _POINTS.values()) + "\nf 1 2 3\n")
    return Target(path, load_shape)


@target("subject")
def _subject(folder: Path) -> Target:
    shutil.copy(Path(subjects.__file__).parent / "human.json", folder / "mine.json")
    return Target(folder / "mine.json", lambda p: get_subject.__wrapped__(p))  # type: ignore[attr-defined]


@target("kinematic model")
def _kinematic_model(folder: Path) -> Target:
    import mvlift.bodies.kinematic_model as module

    data = next(p for p in Path(module.__file__).parent.rglob("human_kinematics.json"))
    shutil.copy(data, folder / "mine.json")
    return Target(folder / "mine.json", lambda p: get_kinematic_model.__wrapped__(p))  # type: ignore[attr-defined]


@target("bone map")
def _bone_map(folder: Path) -> Target:
    shutil.copy(Path(bone_map.__file__).parent / "maps" / "mixamo.json", folder / "mine.json")
    return Target(folder / "mine.json", bone_map.load_map)


@target("motion")
def _motion(folder: Path) -> Target:
    return Target(Path(small_motion(6).save(folder / "motion.npz")), load_motion)


@target("amass")
def _amass(folder: Path) -> Target:
    np.savez(
        folder / "amass.npz",
        poses=np.zeros((5, 156)),
        trans=np.zeros((5, 3)),
        betas=np.zeros(16),
        gender="neutral",
        mocap_framerate=60.0,
    )
    return Target(folder / "amass.npz", load_amass)


@target("clip file")
def _clip(folder: Path) -> Target:
    save_clip(inspect_keypoints(WALK).clips[0].restricted(0, 5), folder / "clip.npz")
    return Target(folder / "clip.npz", load_clip)


def _camera(name: str, write: Callable[[Path], None]) -> None:
    def make(folder: Path) -> Target:
        write(folder / name)
        return Target(folder / name, lambda p: read_camera_track(p, fps=Fraction(30), image_size=(1280, 720)))

    TARGETS[f"camera, {name}"] = make


def _poses(count: int = 6) -> Any:
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(count)
    return poses


_camera("own.npz", lambda p: np.savez(p, R=_poses()[:, :3, :3], t=_poses()[:, :3, 3], K=np.diag([900, 900, 1.0])))
_camera("extrinsic.npz", lambda p: np.savez(p, extrinsic=_poses()[:, :3], intrinsic=np.diag([900, 900, 1.0])))
_camera("droid.npy", lambda p: np.save(p, np.tile([0, 0, 0, 0, 0, 0, 1.0], (6, 1))))
_camera("tum.txt", lambda p: p.write_text("\n".join(f"{t / 30} 0.1 0 {t} 0 0 0 1" for t in range(6))) and None)
_camera("kitti.txt", lambda p: np.savetxt(p, _poses()[:, :3].reshape(6, 12)))
_camera("nuke.chan", lambda p: p.write_text("\n".join(f"{t} 0 1 {t} 0 5 0 40" for t in range(1, 7))) and None)
_camera(
    "transforms.json",
    lambda p: _written(
        p,
        {"w": 1280, "h": 720, "fl_x": 900.0, "frames": [
            {"file_path": f"images/{i:04d}.png", "transform_matrix": m.tolist()} for i, m in enumerate(_poses())
        ]},
    ) and None,
)  # fmt: skip


@target("batch folder")
def _batch(folder: Path) -> Target:
    (folder / "a.csv").write_text("x")
    return Target(folder / "a.csv", lambda p: plan_tasks([p], [p.parent / "out"], ["npz"], True, (".npz",)))


def _colmap(folder: Path, binary: bool) -> Path:
    """A COLMAP model: a pinhole camera and six pictures, in text or in its binary form."""
    model_folder = folder / "sparse"
    model_folder.mkdir()
    if not binary:
        (model_folder / "cameras.txt").write_text("# cameras\n1 SIMPLE_RADIAL 1280 720 900 640 360 0.01\n")
        lines = (f"{i + 1} 1 0 0 0 {0.1 * i} 0 2 1 frame_{i:04d}.png\n\n" for i in range(6))
        (model_folder / "images.txt").write_text("# images\n" + "".join(lines))
        return model_folder
    camera = struct.pack("<QIiQQ4d", 1, 1, 2, 1280, 720, 900, 640, 360, 0.01)
    (model_folder / "cameras.bin").write_bytes(camera)
    images = (struct.pack("<I7dI", i + 1, 1, 0, 0, 0, 0.1 * i, 0, 2, 1) + b"frame_%04d.png\0" % i + struct.pack("<Q", 0)
              for i in range(6))  # fmt: skip
    (model_folder / "images.bin").write_bytes(struct.pack("<Q", 6) + b"".join(images))
    return model_folder


def _read_camera(path: Path) -> Any:
    return read_camera_track(path, fps=Fraction(30), image_size=(1280, 720))


TARGETS["camera, COLMAP in text"] = lambda folder: Target(_colmap(folder, False), _read_camera)
TARGETS["camera, COLMAP in binary"] = lambda folder: Target(_colmap(folder, True), _read_camera)


@target("constraints")
def _constraints(folder: Path) -> Target:
    value = {"poses": [{"frame": 3, "rotations": {"left_elbow": [0.1, 0.2, 0.3]}, "root": [0, 0, 0.9]}],
             "pins": [{"joint": "left_ankle", "first": 1, "last": 4, "position": [0.1, 0.2, 0.0]}],
             "keypoints": [{"frame": 2, "keypoint": "l_wrist", "position": [300.0, 200.0]}]}  # fmt: skip
    return Target(_written(folder / "constraints.json", value), load_constraints)


def _small_video(path: Path, codec: str, pixels: str) -> Path:
    """Six frames of noise, 32x32: nearly all of the file is headers and indices."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, pixels
        for _ in range(6):
            picture = av.VideoFrame.from_ndarray(rng.integers(0, 255, (32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def _watch(path: Path) -> Any:
    """Header, all frames, and what Blender's importer reads of the boxes."""
    has_variable_rate(path)
    pixel_aspect(path, (32, 32))
    return probe_video(path), [f.number for f, _ in zip(open_frames(path), range(100), strict=False)]


_VIDEOS: Final = {"video.mp4": ("mpeg4", "yuv420p"), "video.mov": ("mjpeg", "yuvj420p"),
                  "video.mkv": ("vp8", "yuv420p"), "video.avi": ("mpeg4", "yuv420p"), "video.gif": ("gif", "rgb8"),
                  "video.ts": ("mpeg2video", "yuv420p")}  # fmt: skip


def _video(name: str) -> Maker:
    return lambda folder: Target(_small_video(folder / name, *_VIDEOS[name]), _watch)


if find_spec("av") is not None:
    TARGETS |= {name: _video(name) for name in _VIDEOS}
if _VIDEO.is_file():

    @target("video")
    def _video(folder: Path) -> Target:
        shutil.copy(_VIDEO, folder / "walk.mp4")
        return Target(folder / "walk.mp4", probe_video)
