"""What retargeting must hold, measured on Blender's own evaluation of the rigs."""

from __future__ import annotations

import bpy
import numpy as np
from synthetic_motion import matrices, rest_joints, walk

from mvlift_blender.retargeting.rig import detect_rig
from mvlift_blender.retargeting.roles import SIDES, key
from mvlift_blender.retargeting.source import sample_source
from mvlift_blender.scene.animation import curves_of
from mvlift_blender.scene.write import WriteOptions, write_motion

SEGMENTS = (("upper_arm", "lower_arm"), ("lower_arm", "hand"), ("upper_leg", "lower_leg"), ("lower_leg", "foot"))
ANIMAL_SEGMENTS = tuple(
    (f"{leg}_{a}", f"{leg}_{b}")
    for leg in ("front", "hind")
    for a, b in (("upper", "lower"), ("lower", "foot"), ("foot", "toe"))
)  # fmt: skip


def grounded_walk(frames: int = 60):
    """The walking person with feet that are level and planted in turn: ankles follow a stepping path by two-bone IK."""
    from mvlift_blender.retargeting.feet import two_bone

    motion = walk(frames)
    rest = rest_joints().astype(float)
    names = list(motion.joint_names)
    t = np.arange(frames) / float(motion.fps)
    rotations = motion.rotations.astype(float)
    base = matrices(np.array([[0, 0, np.pi / 2]])) @ matrices(np.array([[np.pi / 2, 0, 0]]))
    root = np.repeat(base, frames, 0)
    speed, step = 0.9, 0.6  # metres a second, seconds a step
    sole = 0.06
    hips = np.stack([speed * t, 0 * t, 0 * t + 0.9], -1)
    for side in ("left", "right"):
        phase = t / (2 * step) + (0.0 if side == "left" else 0.5)
        cycle, part = np.floor(phase), phase % 1
        swing = np.clip((part - 0.5) / 0.5, 0, 1)
        ease = swing * swing * (3 - 2 * swing)
        stride = 2 * speed * step
        shift = 0.0 if side == "left" else -0.5
        x = stride * (cycle + shift + ease + 0.25)
        goal = np.stack([x, 0 * t + (0.09 if side == "left" else -0.09), sole + 0.08 * np.sin(np.pi * swing) ** 2], -1)
        hip, knee, ankle = (names.index(f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        offset = (root @ (rest[hip] - rest[0])[:, None])[..., 0]
        start = hips + offset
        down = (root @ (rest[knee] - rest[hip])[:, None])[..., 0]
        shin = (root @ (rest[ankle] - rest[knee])[:, None])[..., 0]
        front = np.broadcast_to([1.0, 0, 0], down.shape)
        thigh, calf = two_bone(start, start + down, start + down + shin, goal, front)
        from mvlift.kinematics.quaternions import to_matrix

        G_hip = to_matrix(thigh) @ root
        G_knee = to_matrix(calf) @ root
        local = [np.swapaxes(root, 1, 2) @ G_hip, np.swapaxes(G_hip, 1, 2) @ G_knee, np.swapaxes(G_knee, 1, 2) @ root]
        for joint, R in zip((hip, knee, ankle), local, strict=True):
            rotations[:, joint] = _log(R)
    rotations[:, 0] = _log(root)
    object.__setattr__(motion, "rotations", rotations.astype(np.float32))
    object.__setattr__(motion, "translation", (hips - rest[0]).astype(np.float32))
    return motion


def _log(R):
    from mvlift.kinematics.quaternions import from_matrix, to_vector

    return to_vector(from_matrix(R))


def source_armature(motion=None):
    # the motion's own frames, whatever the rate of the scene
    options = WriteOptions(rate="CLIP")
    return write_motion(bpy.context, motion if motion is not None else grounded_walk(), options).armature


def sampled(source):
    return sample_source(bpy.context, source, detect_rig(source))


def posed(armature, bones):
    """(B, 3) heads in the world, as Blender evaluates them now."""
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[b].head for b in bones])


def path_of(armature, bones, frames):
    """(T, B, 3) heads over scene frames."""
    poses = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        poses.append(posed(armature, bones))
    return np.array(poses)


def worst_direction(result, motion, rows, segments=SEGMENTS):
    """Largest angle in degrees between a target's and the source's limb bones, by Blender's evaluation."""
    return _worst(result, motion.frames[rows], segments, lambda name: motion.place(name)[rows])


def worst_against_solve(result, frames, rows, segments=SEGMENTS):
    """Largest angle in degrees between a target's limb bones as Blender evaluates them and as they were solved."""
    keys = [k for k in result.rig.keys if k != "root"]
    heads = result.solved.heads[rows][:, -len(keys) :]
    return _worst(result, frames[rows], segments, lambda name: heads[:, keys.index(name)])


def _worst(result, frames, segments, place):
    worst = 0.0
    rig = result.rig
    pairs = [(key(a, s), key(b, s)) for a, b in segments for s in SIDES]
    pairs = [(a, b) for a, b in pairs if a in rig.bones and b in rig.bones]
    bones = [rig.geometry_bone(k) for pair in pairs for k in pair]
    heads = path_of(result.armature, bones, frames)
    for i, (a, b) in enumerate(pairs):
        ours = heads[:, 2 * i + 1] - heads[:, 2 * i]
        theirs = place(b) - place(a)
        cosine = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1)
        worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max()))
    assert pairs
    return worst


def slide(points, low):
    """Mean horizontal speed in metres a frame of points (T, 3) while they are down, by flags (T)."""
    both = low[1:] & low[:-1]
    return float(np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)[both].mean())


def fingerprint(armature):
    """Everything of a rig that retargeting must not change."""
    data = armature.data
    bones = {
        b.name: (
            tuple(b.head_local),
            tuple(b.tail_local),
            tuple(map(tuple, b.matrix_local)),
            b.parent and b.parent.name,
        )
        for b in data.bones
    }
    # an influence or a mute that a driver sets is not the rig's own value: None stands for it
    animation = armature.animation_data
    driven = {d.data_path for d in animation.drivers} if animation is not None else set()
    constraints = {
        p.name: [(c.type, c.name, *(_own(c, name, driven) for name in ("mute", "influence"))) for c in p.constraints]
        for p in armature.pose.bones
    }
    pose = {p.name: (p.rotation_mode, tuple(p.scale)) for p in armature.pose.bones}
    return bones, constraints, pose, tuple(map(tuple, armature.matrix_world))


def _own(constraint, name, driven):
    return None if constraint.path_from_id(name) in driven else getattr(constraint, name)


def action_print(action):
    """The curves of an Action."""
    return [
        (c.data_path, c.array_index, [tuple(k.co) for k in c.keyframe_points])
        for curves in curves_of(action)
        for c in curves
    ]
