"""Motion files: npz with AMASS keys, BVH as another program reads it, clip files, exact frame rates."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.amass import Variant, load_amass, save_amass
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.clip_file import load_clip, save_clip
from mvlift.kinematics.rotations import exp_map
from mvlift.motion import LiftedMotion
from mvlift.motion_files import MotionFileError
from numpy.typing import NDArray
from scenes import small_motion, still_clip, world_joints

RATES = [Fraction(24000, 1001), Fraction(30), Fraction(30000, 1001), Fraction(120), Fraction(25, 2)]


def assert_same(a: LiftedMotion, b: LiftedMotion) -> None:
    for field in fields(LiftedMotion):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype, field.name
            np.testing.assert_array_equal(x, y, err_msg=field.name)
        elif field.name in ("camera", "objects"):
            pairs = [(x, y)] if field.name == "camera" else list(zip(x, y, strict=True))
            for one, other in pairs:
                for part in fields(one):
                    np.testing.assert_array_equal(getattr(one, part.name), getattr(other, part.name))
        else:
            assert x == y, field.name


@pytest.mark.parametrize("objects", [False, True])
@pytest.mark.parametrize("fps", RATES)
def test_npz_loses_nothing(tmp_path: Path, fps: Fraction, objects: bool) -> None:
    motion = small_motion(fps=fps, objects=objects)
    loaded = mvlift.load_motion(motion.save(tmp_path / "m.npz"))
    assert_same(motion, loaded)
    assert loaded.fps == fps


def test_npz_has_the_keys_of_amass(tmp_path: Path) -> None:
    motion = small_motion(12)
    with np.load(motion.save(tmp_path / "m.npz"), allow_pickle=False) as data:
        assert data["poses"].shape == (12, 72)
        assert data["trans"].shape == (12, 3)
        assert data["betas"].shape == (10,)
        assert str(data["gender"]) == "neutral"
        assert float(data["mocap_framerate"]) == float(data["mocap_frame_rate"]) == pytest.approx(23.976024, abs=1e-6)
        np.testing.assert_array_equal(data["poses"].reshape(12, 24, 3), motion.rotations)


def handed_motion(frames: int = 6) -> LiftedMotion:
    """A motion with fingers, at random."""
    motion, skeleton = small_motion(frames), default_human_skeleton_with_fingers()
    rng = np.random.default_rng(4)
    return replace(
        motion,
        joint_names=skeleton.joint_names,
        parents=skeleton.parents,
        rest_joints=skeleton.rest_joints.astype(np.float32),
        rotations=np.concatenate([motion.rotations[:, :22], rng.normal(0, 0.4, (frames, 30, 3))], 1, dtype=np.float32),
        joint_confidence=rng.uniform(0, 1, (frames, 52)).astype(np.float32),
    )


def test_npz_keeps_fingers_and_its_poses_are_those_of_a_flat_hand(tmp_path: Path) -> None:
    motion = handed_motion()
    path = motion.save(tmp_path / "m.npz")
    assert_same(motion, mvlift.load_motion(path))
    with np.load(path, allow_pickle=False) as data:
        flat = exp_map(data["poses"].reshape(6, 52, 3).astype(np.float64))
    posed = default_human_skeleton_with_fingers(relaxed=False).posed(np.zeros(10), flat, motion.translation)[0]
    truth = default_human_skeleton_with_fingers().posed(
        np.zeros(10), exp_map(motion.rotations.astype(np.float64)), motion.translation
    )[0]
    np.testing.assert_allclose(posed, truth, atol=1e-5)


@pytest.mark.parametrize("variant", ["smplh", "smplx"])
def test_amass_files_carry_fingers(tmp_path: Path, variant: Variant) -> None:
    motion = handed_motion()
    path = save_amass(motion, tmp_path / "m.npz", variant)
    with np.load(path, allow_pickle=False) as data:
        poses = data["poses"].reshape(6, -1, 3)
        np.testing.assert_array_equal(poses[:, :22], motion.rotations[:, :22])
        if variant == "smplx":
            assert not poses[:, 22:25].any()
            np.testing.assert_array_equal(data["pose_hand"].reshape(6, 30, 3), poses[:, 25:])
    loaded = load_amass(path)
    assert loaded.joint_names == motion.joint_names
    np.testing.assert_allclose(
        exp_map(loaded.rotations.astype(np.float64)), exp_map(motion.rotations.astype(np.float64)), atol=1e-5
    )


def test_amass_file_without_moving_fingers_is_a_body_without_them(tmp_path: Path) -> None:
    assert len(load_amass(save_amass(small_motion(6), tmp_path / "m.npz", "smplh")).joint_names) == 24
    assert len(load_amass(save_amass(handed_motion(), tmp_path / "n.npz", "smpl")).joint_names) == 24


class Bvh:
    """A reader of its own: hierarchy, channels and frames, forward kinematics by matrices."""

    def __init__(self, text: str) -> None:
        head, body = text.split("MOTION\n")
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[list[str]] = []
        self.ends = 0
        stack: list[int] = []
        inside_end = False
        for line in head.splitlines():
            words = line.split()
            if words[0] in ("ROOT", "JOINT"):
                self.parents.append(stack[-1] if stack else -1)
                self.names.append(words[1])
            elif words[0] == "End":
                inside_end = True
                self.ends += 1
            elif words[0] == "{":
                stack.append(stack[-1] if inside_end else len(self.names) - 1)
            elif words[0] == "}":
                stack.pop()
                inside_end = False
            elif words[0] == "OFFSET" and not inside_end:
                self.offsets.append([float(w) for w in words[1:]])
            elif words[0] == "CHANNELS":
                assert int(words[1]) == len(words) - 2
                self.channels.append(words[2:])
        lines = body.strip().splitlines()
        self.frames = int(lines[0].split(":")[1])
        self.frame_time = float(lines[1].split(":")[1])
        self.rows = np.array([[float(w) for w in line.split()] for line in lines[2:]])

    @staticmethod
    def _about(axis: str, degrees: float) -> NDArray[np.float64]:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
        matrix = np.eye(3)
        matrix[i, i] = matrix[j, j] = c
        matrix[i, j], matrix[j, i] = -s, s
        return matrix

    def joints(self) -> NDArray[np.float64]:
        """(T, J, 3) as the file has them: y up, centimetres."""
        out = np.empty((self.frames, len(self.names), 3))
        for t, row in enumerate(self.rows):
            values = iter(row.tolist())
            world: list[NDArray[np.float64]] = []
            for j, parent in enumerate(self.parents):
                place, turn = np.array(self.offsets[j]), np.eye(3)
                for channel in self.channels[j]:
                    value = next(values)
                    if channel.endswith("position"):
                        place = place + value * np.eye(3)["XYZ".index(channel[0])]
                    else:
                        turn = turn @ self._about(channel[0], value)
                if parent < 0:
                    out[t, j] = place
                    world.append(turn)
                else:
                    out[t, j] = out[t, parent] + world[parent] @ place
                    world.append(world[parent] @ turn)
        return out


@pytest.mark.parametrize("fps", RATES)
def test_bvh_puts_every_joint_where_the_motion_has_it(tmp_path: Path, fps: Fraction) -> None:
    motion = small_motion(20, fps=fps)
    bvh = Bvh(motion.save(tmp_path / "m.bvh").read_text(encoding="ascii"))
    assert (bvh.frames, len(bvh.rows), bvh.rows.shape[1]) == (20, 20, 3 + 3 * 24)
    assert bvh.frames * bvh.frame_time == pytest.approx(20 / float(fps), abs=1e-5)
    assert sorted(bvh.names) == sorted(motion.joint_names)
    order = [bvh.names.index(n) for n in motion.joint_names]
    x, y, z = np.moveaxis(bvh.joints()[:, order] / 100, -1, 0)
    assert np.abs(np.stack([x, -z, y], -1) - world_joints(motion)).max() < 2e-5
    parents = [motion.joint_names[p] if p >= 0 else None for p in motion.parents]
    assert [bvh.names[bvh.parents[i]] if bvh.parents[i] >= 0 else None for i in order] == parents
    leaves = set(range(24)) - set(motion.parents)
    assert bvh.ends == len(leaves)


def test_bvh_angles_do_not_jump(tmp_path: Path) -> None:
    motion = small_motion(40)
    bvh = Bvh(motion.save(tmp_path / "m.bvh").read_text(encoding="ascii"))
    steps = np.abs(np.diff(bvh.rows[:, 3:], axis=0))
    assert steps.max() < 120  # the body spins at 0.9 radians a frame; a jump would be 360 or 180


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_motions(tmp_path: Path, frames: int) -> None:
    motion = small_motion(frames)
    assert_same(motion, mvlift.load_motion(motion.save(tmp_path / "m.npz")))
    assert Bvh(motion.save(tmp_path / "m.bvh").read_text()).frames == frames


@pytest.mark.parametrize("layout", ["coco17", "body25", "ap10k17"])
@pytest.mark.parametrize("fps", [None, *RATES])
def test_a_clip_file_loses_nothing(tmp_path: Path, layout: str, fps: Fraction | None) -> None:
    clip = still_clip(
        layout, 5, fps, first_frame=181, track_id="left one", source=Path("a b/c.json"), source_format="openpose",
        assumptions=("a", "b"), metadata={"x": [1, 2]}, image_size=None if fps is None else (7, 9),
    )  # fmt: skip
    save_clip(clip, tmp_path / "c.npz")
    loaded = load_clip(tmp_path / "c.npz")
    for field in fields(KeypointClip):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(clip, field.name), err_msg=field.name)
    assert loaded.layout == clip.layout
    assert dict(loaded.layout.derived) == dict(clip.layout.derived)
    assert loaded.fps == fps


def damaged(path: Path, what: str) -> Path:
    """A motion file with something wrong."""
    if what == "truncated":
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        return path
    with np.load(path, allow_pickle=False) as data:
        arrays = dict(data)
    if what == "key":
        del arrays["poses"]
    elif what == "version":
        arrays["version"] = np.asarray(99)
    elif what == "no version":
        del arrays["version"]
    elif what == "kind":
        del arrays["kind"]
    elif what == "shape":
        arrays["poses"] = arrays["poses"][:, :-1]
    elif what == "metadata":
        arrays["metadata"] = np.asarray("{")
    elif what == "fps":
        arrays["fps"] = np.array([24, 0])
    elif what == "pickle":
        arrays["poses"] = np.array([{"a": print}], dtype=object)
    elif what == "lengths":
        arrays["trans"] = arrays["trans"][:-2]
    elif what == "keypoints":
        arrays["keypoints3d"] = arrays["keypoints3d"][:-2]
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    "what",
    ["truncated", "key", "version", "no version", "kind", "shape", "metadata", "fps", "pickle", "lengths", "keypoints"],
)
def test_a_damaged_motion_is_one_clear_error(tmp_path: Path, what: str) -> None:
    path = damaged(small_motion().save(tmp_path / "bad.npz"), what)
    with pytest.raises(MotionFileError, match=r"bad\.npz") as caught:
        mvlift.load_motion(path)
    assert caught.value.remedy


def test_missing_files_and_unknown_extensions(tmp_path: Path) -> None:
    with pytest.raises(MotionFileError, match="absent"):
        mvlift.load_motion(tmp_path / "absent.npz")
    for name in ("m.c3d", "m"):
        with pytest.raises(MotionFileError, match=r"\.npz or \.bvh"):
            small_motion().save(tmp_path / name)
    with pytest.raises(KeypointError, match="no clip"):
        load_clip(small_motion().save(tmp_path / "m.npz"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = small_motion().save(tmp_path / "m.npz")
    before = path.read_bytes()
    with pytest.raises((TypeError, MvliftError)):
        replace(small_motion(), metadata={"no json": object()}).save(path)
    assert path.read_bytes() == before
    with pytest.raises(MotionFileError, match="cannot be written"):
        small_motion().save(path / "inside" / "m.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]


def test_metadata_is_json(tmp_path: Path) -> None:
    with np.load(small_motion().save(tmp_path / "m.npz"), allow_pickle=False) as data:
        assert json.loads(str(data["metadata"]))["note"] == "Grüße"
