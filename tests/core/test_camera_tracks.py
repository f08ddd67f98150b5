"""Camera tracks: every file format and its conventions, by one camera written in each; and bad files."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.cameras import CameraTrack, read_camera_track
from mvlift.cameras.distortion import Distortion
from mvlift.cameras.writing import save_track
from mvlift.errors import CameraError
from mvlift.typing import F64
from scipy.spatial.transform import Rotation

T, SIZE, FOCAL = 7, (640, 360), 500.0
CENTRES = np.stack([np.linspace(0, 1, T), np.linspace(1, 1.4, T), np.linspace(-3, -2.5, T)], 1)
TO_WORLD = Rotation.from_euler("zyx", np.stack([np.linspace(-0.1, 0.2, T), np.linspace(0.3, -0.4, T),
                                                np.linspace(0.2, 0.1, T)], 1))  # fmt: skip
"""Camera to world, camera axes x right, y down, z forward."""
K = np.array([[FOCAL, 0, 320.0], [0, FOCAL, 180.0], [0, 0, 1]])


def c2w(opengl: bool = False) -> F64:
    """(T, 4, 4) camera to world."""
    poses = np.tile(np.eye(4), (T, 1, 1))
    poses[:, :3, :3] = TO_WORLD.as_matrix()
    if opengl:
        poses[:, :3, 1:3] *= -1  # y up, z backward
    poses[:, :3, 3] = CENTRES
    return poses


def w2c() -> F64:
    return np.linalg.inv(c2w())


def quaternions(to_world: bool = True) -> F64:
    """(T, 4) scalar last."""
    return (TO_WORLD if to_world else TO_WORLD.inv()).as_quat()


def check(track: CameraTrack, lens: bool = True, frames: int = 0) -> None:
    """A point in the world is seen where the camera sees it."""
    point = np.array([0.4, 0.9, 2.0])
    np.testing.assert_array_equal(track.frames, frames + np.arange(T))
    np.testing.assert_allclose(track.centres, CENTRES, atol=1e-5)
    seen = np.einsum("tab,b->ta", track.R, point) + track.t
    wanted = TO_WORLD.inv().apply(point - CENTRES)
    np.testing.assert_allclose(seen, wanted, atol=1e-5)
    if lens:
        assert track.K is not None
        np.testing.assert_allclose(track.for_picture(SIZE).K, np.tile(K, (T, 1, 1)), rtol=1e-5)


def test_our_npz_and_json(tmp_path: Path) -> None:
    R, t = w2c()[:, :3, :3], w2c()[:, :3, 3]
    np.savez(tmp_path / "c.npz", K=K, R=R, t=t, scale="metric", up=[0, 0, 2], first_frame=12, image_size=SIZE, fps=25)
    track = read_camera_track(tmp_path / "c.npz")
    check(track, frames=12)
    assert (track.scale, track.fps) == ("metric", Fraction(25))
    np.testing.assert_allclose(track.up, [0, 0, 1])
    (tmp_path / "c.json").write_text(json.dumps({"K": K.tolist(), "R": R.tolist(), "t": t.tolist(), "scale": "none"}))
    track = read_camera_track(tmp_path / "c.json", first_frame=3)
    check(track, frames=3)
    assert track.scale == "none"


def test_a_still_camera_in_our_npz_that_zooms(tmp_path: Path) -> None:
    zoom = np.tile(K, (T, 1, 1))
    zoom[:, 0, 0] = zoom[:, 1, 1] = np.linspace(400, 800, T)
    np.savez(tmp_path / "z.npz", K=zoom, R=np.eye(3), t=np.zeros(3))
    track = read_camera_track(tmp_path / "z.npz")
    assert len(track) == T
    np.testing.assert_allclose(track.K, zoom)


def write_colmap_text(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"# cameras\n3 SIMPLE_RADIAL {SIZE[0]} {SIZE[1]} {FOCAL} 320 180 0.01\n")
    lines = ["# images"]
    for i in reversed(range(T)):  # COLMAP's order is its own
        w = quaternions(False)[i][[3, 0, 1, 2]]
        lines += [" ".join(map(str, [i + 5, *w, *w2c()[i, :3, 3], 3, f"frame_{i + 1:04d}.png"])), "1 2 -1 3 4 7"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_colmap_binary(folder: Path) -> None:
    folder.mkdir(parents=True)
    lens = struct.pack("<Q", 1) + struct.pack("<IiQQ4d", 3, 1, *SIZE, FOCAL, FOCAL, 320, 180)
    (folder / "cameras.bin").write_bytes(lens)
    data = struct.pack("<Q", T)
    for i in range(T):
        w = quaternions(False)[i][[3, 0, 1, 2]]
        data += struct.pack("<I7dI", i + 5, *w, *w2c()[i, :3, 3], 3) + f"shot/frame_{i + 1:04d}.png".encode() + b"\0"
        data += struct.pack("<Q", i) + struct.pack("<ddq", 1.0, 2.0, -1) * i
    (folder / "images.bin").write_bytes(data)


def test_colmap(tmp_path: Path) -> None:
    write_colmap_text(tmp_path / "text")
    check(read_camera_track(tmp_path / "text"))
    write_colmap_binary(tmp_path / "project" / "sparse" / "0")
    check(read_camera_track(tmp_path / "project"))
    check(read_camera_track(tmp_path / "project" / "sparse" / "0" / "images.bin"))


def test_tum_and_kitti(tmp_path: Path) -> None:
    rows = [[10 + i / 25, *CENTRES[i], *quaternions()[i]] for i in range(T)]
    (tmp_path / "a.txt").write_text("# time tx ty tz qx qy qz qw\n" + "\n".join(" ".join(map(str, r)) for r in rows))
    check(read_camera_track(tmp_path / "a.txt", fps=Fraction(25), focal=FOCAL, image_size=SIZE))
    with pytest.raises(CameraError, match="frame rate is not known"):
        read_camera_track(tmp_path / "a.txt")
    with pytest.raises(CameraError, match="two poses fall into one frame"):
        read_camera_track(tmp_path / "a.txt", fps=Fraction(12))
    rows = [[i + 4, *CENTRES[i], *quaternions()[i]] for i in range(T)]  # DPVO counts frames
    (tmp_path / "b.tum").write_text("\n".join(" ".join(map(str, r)) for r in rows))
    check(read_camera_track(tmp_path / "b.tum"), lens=False, frames=4)
    (tmp_path / "k.txt").write_text("\n".join(" ".join(map(str, p[:3].ravel())) for p in c2w()))
    check(read_camera_track(tmp_path / "k.txt", focal=FOCAL, image_size=SIZE))


def test_chan(tmp_path: Path) -> None:
    """Nuke turns about z, then x, then y."""
    angles = Rotation.from_matrix(c2w(opengl=True)[:, :3, :3]).as_euler("zxy", degrees=True)
    view = np.degrees(2 * np.arctan(180 / FOCAL))
    rows = [[i + 1, *CENTRES[i], angles[i][1], angles[i][2], angles[i][0], view] for i in range(T)]
    (tmp_path / "n.chan").write_text("\n".join("\t".join(map(str, r)) for r in rows))
    track = read_camera_track(tmp_path / "n.chan", image_size=SIZE)
    check(track)
    np.testing.assert_array_equal(track.up, [0, 1, 0])


def test_transforms_json(tmp_path: Path) -> None:
    frames = [{"file_path": f"images/{i + 1:05d}.jpg", "transform_matrix": c2w(True)[i].tolist()} for i in range(T)]
    document: dict[str, Any] = {
        "camera_angle_x": 2 * np.arctan(320 / FOCAL),
        "w": 640,
        "h": 360,
        "frames": frames[::-1],
    }
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    check(read_camera_track(tmp_path))


@pytest.mark.parametrize("columns", [False, True])
def test_arkit(tmp_path: Path, columns: bool) -> None:
    matrices = c2w(True).transpose(0, 2, 1) if columns else c2w(True)
    lens = (K.T if columns else K).ravel().tolist()
    frames = [{"timestamp": 90 + i / 30, "transform": m.ravel().tolist(), "intrinsics": lens}
              for i, m in enumerate(matrices)]  # fmt: skip
    (tmp_path / "shot.json").write_text(json.dumps({"fps": 30, "resolution": list(SIZE), "frames": frames}))
    track = read_camera_track(tmp_path / "shot.json")
    check(track)
    assert (track.scale, track.fps) == ("metric", Fraction(30))


def test_record3d(tmp_path: Path) -> None:
    turned = Rotation.from_matrix(c2w(True)[:, :3, :3]).as_quat()
    rows = np.concatenate([turned, CENTRES], 1).tolist()
    document = {"poses": rows, "K": K.T.ravel().tolist(), "w": 640, "h": 360, "fps": 60}
    (tmp_path / "metadata.json").write_text(json.dumps(document))
    check(read_camera_track(tmp_path))


def test_matrices_of_solvers(tmp_path: Path) -> None:
    np.savez(tmp_path / "megasam.npz", cam_c2w=c2w(), intrinsic=K, images=np.zeros((T, 2, 2, 3), np.uint8))
    check(read_camera_track(tmp_path / "megasam.npz", image_size=SIZE))
    np.savez(tmp_path / "vggt.npz", extrinsic=w2c()[None, :, :3], intrinsic=np.tile(K, (T, 1, 1)))
    check(read_camera_track(tmp_path / "vggt.npz"))
    np.save(tmp_path / "poses.npy", np.concatenate([w2c()[:, :3, 3], quaternions(False)], 1))  # DROID
    check(read_camera_track(tmp_path / "poses.npy"), lens=False)
    np.savez(tmp_path / "gl.npz", poses=c2w(True), convention="OpenGL", intrinsics=[FOCAL, FOCAL, 320, 180])
    check(read_camera_track(tmp_path / "gl.npz"))


def test_tram(tmp_path: Path) -> None:
    camera = {"pred_cam_R": c2w()[:, :3, :3], "pred_cam_T": CENTRES, "img_focal": np.float64(FOCAL),
              "img_center": np.array([320.0, 180.0])}  # fmt: skip
    np.save(tmp_path / "camera.npy", np.array(camera, dtype=object), allow_pickle=True)
    track = read_camera_track(tmp_path)
    check(track)
    assert track.scale == "metric"


@pytest.mark.parametrize("program", ["gvhmr", "wham"])
def test_a_body_seen_from_both_sides_gives_the_camera(tmp_path: Path, program: str) -> None:
    """The same SMPL body in the world and in the camera: root orientation and translation about the pelvis."""
    turn = Rotation.from_euler("xyz", np.linspace([0.1, 0.2, 0.3], [0.3, -0.2, 0.1], T))
    place = np.linspace([0, 0.9, 1], [0.5, 0.9, 1.5], T)
    pelvis = np.array([0.0031, -0.3514, 0.0120]) if program == "gvhmr" else np.array([-0.0018, -0.2233, 0.0282])
    in_camera = (TO_WORLD.inv() * turn).as_rotvec()
    root = place + pelvis  # of the world
    in_camera_place = TO_WORLD.inv().apply(root - CENTRES) - pelvis
    if program == "gvhmr":
        torch = pytest.importorskip("torch")
        parts = {"smpl_params_global": (turn.as_rotvec(), place), "smpl_params_incam": (in_camera, in_camera_place)}
        content = {k: {"global_orient": torch.tensor(a), "transl": torch.tensor(b)} for k, (a, b) in parts.items()}
        torch.save({**content, "K_fullimg": torch.tensor(np.tile(K, (T, 1, 1)))}, tmp_path / "hmr4d_results.pt")
        check(read_camera_track(tmp_path / "hmr4d_results.pt"))
    else:
        pose = np.zeros((T, 72))
        world = pose.copy()
        pose[:, :3], world[:, :3] = in_camera, turn.as_rotvec()
        np.savez(tmp_path / "w.npz", pose=pose, trans=in_camera_place, pose_world=world, trans_world=place)
        check(read_camera_track(tmp_path / "w.npz"), lens=False)


def track(**changes: Any) -> CameraTrack:
    values: dict[str, Any] = {"frames": np.arange(T), "R": w2c()[:, :3, :3], "t": w2c()[:, :3, 3]}
    return CameraTrack(**{**values, **changes})


def changed(index: Any, value: float) -> F64:
    R = w2c()[:, :3, :3].copy()
    R[index] = value
    return R


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"R": 2 * w2c()[:, :3, :3]}, "not a rotation"),
        ({"R": 0 * w2c()[:, :3, :3]}, "scale 0"),
        ({"R": w2c()[:, :3, :3] * [-1, 1, 1]}, "mirrored"),
        ({"R": changed((2, 0, 0), np.nan)}, "frame 2 is not finite"),
        ({"t": np.full((T, 3), np.inf)}, "frame 0 is not finite"),
        ({"t": np.zeros((3, 3))}, "expected"),
        ({"frames": np.zeros(T, int)}, "do not ascend"),
        ({"K": -K}, "not a positive number"),
        ({"up": np.zeros(3)}, "not a direction"),
        ({"frames": np.zeros(0, int), "R": np.zeros((0, 3, 3)), "t": np.zeros((0, 3))}, "no frames"),
    ],
)
def test_impossible_tracks_are_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CameraError, match=said):
        track(**changes)


def test_a_track_must_cover_the_clip_at_its_rate() -> None:
    one = track(fps=Fraction(30))
    assert len(one.aligned(2, 4, Fraction(30))) == 4
    np.testing.assert_array_equal(one.aligned(2, 4).t, one.t[2:6])
    with pytest.raises(CameraError, match="frames 0 to 6, the clip frames 3 to 9"):
        one.aligned(3, 7)
    with pytest.raises(CameraError, match="30 frames per second, the clip 25"):
        one.aligned(0, 3, Fraction(25))


def test_short_gaps_are_bridged_and_long_ones_said() -> None:
    keep = [0, 1, 2, 4, 5, 6]
    holed = track(frames=np.arange(T)[keep], R=w2c()[keep, :3, :3], t=w2c()[keep, :3, 3])
    bridged = holed.aligned(0, T)
    np.testing.assert_allclose(bridged.centres[3], (CENTRES[2] + CENTRES[4]) / 2, atol=1e-9)
    half = Rotation.from_matrix(bridged.R[2].T @ bridged.R[3]).magnitude()
    full_angle = Rotation.from_matrix(bridged.R[2].T @ bridged.R[4]).magnitude()
    assert half == pytest.approx(full_angle / 2, rel=1e-6)
    long_gap = track(frames=np.array([0, 1, 2, 40, 41, 42, 43]))
    with pytest.raises(CameraError, match="no pose about frame 3"):
        long_gap.aligned(0, 42)


def test_a_track_of_a_smaller_picture_is_scaled() -> None:
    one = track(K=K, image_size=SIZE).for_picture((1280, 720))
    assert one.K is not None
    np.testing.assert_allclose(one.K[0], [[1000, 0, 640], [0, 1000, 360], [0, 0, 1]])
    with pytest.raises(CameraError, match="640x360, the clip of 640x640"):
        track(K=K, image_size=SIZE).for_picture((640, 640))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "not valid json"),
        ("a.json", '{"frames": []}', "no camera that is known"),
        ("a.txt", "1 2 3\n4 5 6\n", "3 columns"),
        ("a.txt", "hello\n", "not a table"),
        ("a.npz", "", "cannot be read"),
        ("a.xyz", "", "not a known camera track"),
    ],
)
def test_files_that_are_none_are_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CameraError, match=said):
        read_camera_track(tmp_path / name)
    with pytest.raises(CameraError, match="not there"):
        read_camera_track(tmp_path / "missing.json")


@pytest.mark.parametrize("tangential", [(0.0, 0.0), (0.003, -0.002)])
def test_distortion_is_undone(tangential: tuple[float, float]) -> None:
    """Points are bent by the formula, written out, and come back."""
    lens = np.array([[500.0, 0, 320], [0, 480, 180], [0, 0, 1]])
    ideal = np.random.default_rng(0).uniform([0, 0], [640, 360], (4, 30, 2))
    x, y = (ideal[..., 0] - 320) / 500, (ideal[..., 1] - 180) / 480
    r = x * x + y * y
    k1, k2, (p1, p2) = -0.2, 0.03, tangential
    bent_x = x * (1 + k1 * r + k2 * r * r) + 2 * p1 * x * y + p2 * (r + 2 * x * x)
    bent_y = y * (1 + k1 * r + k2 * r * r) + p1 * (r + 2 * y * y) + 2 * p2 * x * y
    bent = np.stack([500 * bent_x + 320, 480 * bent_y + 180], -1)
    undistorted = Distortion("polynomial", (k1, k2), tangential).undistort(bent, np.tile(lens, (4, 1, 1)))
    np.testing.assert_allclose(undistorted, ideal, atol=1e-6)


def test_distortion_by_division_is_undone() -> None:
    lens = np.array([[500.0, 0, 320], [0, 500, 180], [0, 0, 1]])
    seen = np.random.default_rng(0).uniform([0, 0], [640, 360], (2, 30, 2))
    x = (seen - [320, 180]) / 500
    wanted = x / (1 - 0.15 * (x**2).sum(-1, keepdims=True)) * 500 + [320, 180]
    undistorted = Distortion("division", (-0.15, 0.0)).undistort(seen, np.tile(lens, (2, 1, 1)))
    np.testing.assert_allclose(undistorted, wanted, atol=1e-9)
    with pytest.raises(CameraError, match="too strong"):
        Distortion("division", (-40.0,)).undistort(seen, np.tile(lens, (2, 1, 1)))
    with pytest.raises(CameraError, match="too strong"):
        Distortion("polynomial", (-40.0,)).undistort(seen, np.tile(lens, (2, 1, 1)))


def test_colmaps_distortion_and_ours_are_read(tmp_path: Path) -> None:
    write_colmap_text(tmp_path / "text")
    track = read_camera_track(tmp_path / "text")
    assert track.distortion == Distortion("polynomial", (0.01,))
    again = read_camera_track(save_track(track, tmp_path / "track.npz"))
    assert again.distortion == track.distortion
    with_division = replace(track, distortion=Distortion("division", (0.1, 0.2)))
    assert read_camera_track(save_track(with_division, tmp_path / "d.npz")).distortion == with_division.distortion
    cameras = (tmp_path / "text" / "cameras.txt").read_text()
    (tmp_path / "text" / "cameras.txt").write_text(cameras.replace("SIMPLE_RADIAL", "OPENCV_FISHEYE"))
    with pytest.raises(CameraError, match="OPENCV_FISHEYE"):
        read_camera_track(tmp_path / "text")
