"""What the tests of the engine share: synthetic people, tiny networks, clips and motions with known numbers."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.lifting import subjects
from mvlift.models import save_denoiser
from mvlift.motion import Camera, LiftedMotion, ObjectMotion
from mvlift.typing import F64
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
WALK = ROOT / "examples" / "walk.zip"
FIXTURES = ROOT.parent / "shared" / "bodies"


def tiny_network(seed: int = 0, cross_view: bool = True, **changes: Any) -> MotionDenoiser:
    """A one-layer denoiser whose every weight is random, so that every input matters."""
    values: dict[str, Any] = {"points": 25, "features": 6, "width": 32, "layers": 1, "heads": 2, "patch": 4}
    network = MotionDenoiser(DenoiserConfig(**{**values, "cross_view": cross_view, **changes}))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    return network.eval().requires_grad_(False)


def write_tiny_subject(folder: Path) -> Path:
    """A subject file like the person's, whose models are tiny random networks beside it."""
    source = Path(subjects.__file__).with_name("human.json")
    subject = json.loads(source.read_text(encoding="utf-8"))
    for role, cross_view in (("multiview", True), ("line", False)):
        path = folder / f"tiny-{role}.safetensors"
        save_denoiser(tiny_network(cross_view=cross_view), CosineSchedule(), role, path, {"about": "random"})
        subject["models"][role] = str(path)
    path = folder / "tiny.json"
    path.write_text(json.dumps(subject), encoding="utf-8")
    return path


def still_clip(layout: Layout | str, frames: int, fps: float | Fraction | None = 30, **changes: Any) -> KeypointClip:
    """Every keypoint at a place of its own that does not move, all seen with confidence 0.9."""
    clip_layout = get_layout(layout) if isinstance(layout, str) else layout
    joints = len(clip_layout.names)
    points = np.stack([100.0 + 10 * np.arange(joints), 200.0 + 7 * np.arange(joints)], 1)
    values: dict[str, Any] = {
        "points": np.broadcast_to(points, (frames, joints, 2)),
        "confidence": np.full((frames, joints), 0.9),
        "layout": clip_layout,
        "fps": None if fps is None else Fraction(fps),
        "image_size": (1920, 1080),
    }
    return KeypointClip(**{**values, **changes})


def standing_person(height: float = 300.0) -> F64:
    """(17, 2) COCO-17 keypoints of somebody who stands and faces the camera, pixels about the pelvis, y down."""
    at = {
        "nose": (0, -0.42), "eye": (0.02, -0.45), "ear": (0.05, -0.43), "shoulder": (0.11, -0.30),
        "elbow": (0.16, -0.13), "wrist": (0.18, 0.02), "hip": (0.06, 0.0), "knee": (0.07, 0.25), "ankle": (0.07, 0.48),
    }  # fmt: skip
    sides = {"l_": 1.0, "r_": -1.0}
    points = [
        (sides.get(name[:2], 0.0) * at[name.removeprefix("l_").removeprefix("r_")][0],
         at[name.removeprefix("l_").removeprefix("r_")][1])
        for name in get_layout("coco17").names
    ]  # fmt: skip
    return height * np.array(points)


def walking_people(paths: F64, heights: tuple[float, ...], seed: int = 0, fps: int = 30) -> F64:
    """(P, T, 17, 2) people who walk along paths (P, T, 2), limbs swinging, each with a step of their own."""
    people, frames = paths.shape[:2]
    random = np.random.default_rng(seed)
    names = get_layout("coco17").names
    swing = np.array([{"ankle": 0.10, "knee": 0.06, "wrist": 0.09, "elbow": 0.05}.get(n[2:], 0.0) for n in names])
    side = np.array([{"l_": 1.0, "r_": -1.0}.get(n[:2], 0.0) for n in names])
    out = np.empty((people, frames, len(names), 2))
    for p in range(people):
        phase = random.uniform(0, 2 * math.pi) + 2 * math.pi * np.arange(frames) * 30 / fps / random.uniform(26, 36)
        out[p] = standing_person(heights[p])
        out[p, :, :, 0] += heights[p] * np.sin(phase)[:, None] * swing * side
        out[p] += paths[p][:, None]
    return out + random.normal(size=out.shape) * 1.5


def detections(people: F64, seen: NDArray[np.bool_], seed: int = 0) -> dict[str, NDArray[Any]]:
    """What a detector says of people (P, T, J, 2) where they are seen (P, T): rows in random order within a frame.

    Returns:
        ``frame`` (N,), ``points`` (N, J, 2), ``confidence`` (N, J), ``truth`` (N,) whom each row shows.
    """
    random = np.random.default_rng(seed)
    person, frame = np.nonzero(seen)
    order = np.lexsort((random.random(len(person)), frame))
    person, frame = person[order], frame[order]
    points = people[person, frame]
    confidence = random.uniform(0.6, 0.95, points.shape[:2])
    return {
        "frame": frame.astype(np.int64),
        "points": points,
        "confidence": confidence,
        "truth": person.astype(np.int64),
    }


def id_f1(people: list[tuple[str, list[int]]], truth: NDArray[np.int64]) -> float:
    """Identity F1 (Ristani et al. 2016): 2 IDTP / (true + found detections) at the best pairing of identities."""
    from scipy.optimize import linear_sum_assignment

    names = np.unique(truth[truth >= 0])
    hits = np.array([[int((truth[rows] == name).sum()) for name in names] for _, rows in people])
    a, b = linear_sum_assignment(-hits)
    return 2 * float(hits[a, b].sum()) / (int((truth >= 0).sum()) + sum(len(rows) for _, rows in people))


def small_motion(frames: int = 12, fps: Fraction = Fraction(24000, 1001), objects: bool = False) -> LiftedMotion:
    """The default body turning, bending and walking; every array holds numbers of its own."""
    from mvlift.bodies import default_human_skeleton

    skeleton = default_human_skeleton()
    random = np.random.default_rng(5)
    keys, joints = len(skeleton.keypoint_names), len(skeleton.joint_names)
    t = np.arange(frames)
    rotations = 0.5 * np.sin(0.3 * t[:, None, None] + random.uniform(0, 6, (joints, 3)))
    rotations[:, 0] += [math.pi / 2, 0, 0]
    rotations[:, 0, 1] += 0.9 * t
    translation = np.stack([0.05 * t, -0.02 * t, 0.9 + 0.01 * t], 1)
    rigid_object = ObjectMotion(
        name="box",
        position=random.normal(size=(frames, 3)).astype(np.float32),
        rotation=np.tile(np.array([1, 0, 0, 0], np.float32), (frames, 1)),
        size=np.array([0.3, 0.2, 0.1], np.float32),
        points=random.normal(size=(8, 3)).astype(np.float32),
        point_names=tuple(f"corner{i}" for i in range(8)),
    )
    error = random.uniform(0, 9, (frames, keys)).astype(np.float32)
    error[0, 0] = np.nan
    return LiftedMotion(
        body="smpl",
        joint_names=skeleton.joint_names,
        parents=skeleton.parents,
        rest_joints=skeleton.rest_joints.astype(np.float32),
        betas=np.linspace(-1, 1, 10).astype(np.float32),
        translation=translation.astype(np.float32),
        rotations=rotations.astype(np.float32),
        keypoints=random.normal(size=(frames, keys, 3)).astype(np.float32),
        keypoint_names=skeleton.keypoint_names,
        keypoint_confidence=random.uniform(0, 1, (frames, keys)).astype(np.float32),
        reprojection_error=error,
        contacts=random.uniform(0, 1, (frames, 2)).astype(np.float32),
        contact_names=("l_heel", "r_heel"),
        camera=Camera(
            K=np.array([[1000, 0, 640], [0, 1000, 360], [0, 0, 1]], np.float32),
            R=np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32),
            t=np.array([0, 1, 4], np.float32),
            image_size=(1280, 720),
        ),
        fps=fps,
        first_frame=17,
        objects=(rigid_object,) if objects else (),
        metadata={"seed": 3, "note": "Grüße", "assumptions": ["one", "two"]},
    )


def world_joints(motion: LiftedMotion) -> F64:
    """(T, J, 3) joint positions by plain recursion from rest joints, rotations and translation."""
    from scipy.spatial.transform import Rotation

    rest = np.asarray(motion.rest_joints, np.float64)
    turns = [Rotation.from_rotvec(np.asarray(motion.rotations[:, j], np.float64)) for j in range(len(rest))]
    place = np.empty((len(motion), len(rest), 3))
    world: list[Rotation] = []
    for j, parent in enumerate(motion.parents):
        if parent < 0:
            place[:, j] = rest[j] + motion.translation
            world.append(turns[j])
        else:
            place[:, j] = place[:, parent] + world[parent].apply(rest[j] - rest[parent])
            world.append(world[parent] * turns[j])
    return place


class Evil:
    """Runs a command when it is unpickled by Python's own unpickler."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)
