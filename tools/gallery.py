"""The animated pictures of the examples page: our own clips, their keypoints and the lifted characters.

    python tools/gallery.py                # all of them, to docs/images/gallery
    python tools/gallery.py walk hands     # some

Each picture lifts a bundled clip (or one made from it here) with the preset ``fast``, and draws the skinned body
with a small renderer of its own, so that a clone with the training environment is all that it needs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import mvlift
import numpy as np
from mvlift.bodies.loading import load_body
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.cameras.track import CameraTrack
from mvlift.cameras.writing import save_track
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.keypoints.layouts import get_layout
from mvlift.kinematics.chains import forward_kinematics
from mvlift.kinematics.rotations import exp_map
from mvlift.motion import LiftedMotion
from mvlift.preview import skeleton_bones
from PIL import Image, ImageDraw

ROOT: Final = Path(__file__).resolve().parents[1]
EXAMPLES: Final = ROOT / "examples"
SIZE: Final = (320, 300)
"""Width and height of one of a picture's two halves."""
STEP: Final = 3
"""Every how many frames of the clip are shown."""
MOST: Final = 36
"""Frames of a picture."""
LIMIT: Final = 600_000
"""Bytes of a picture."""
SKIN: Final = np.array([224, 190, 160.0])
FLOOR: Final = (196, 203, 213)
PAPER: Final = (246, 247, 249)
Array = np.ndarray[Any, Any]
Background = Callable[[ImageDraw.ImageDraw, int, Callable[[Array], Array]], None]
"""Draws below the skeleton of a row, with the map from the video's pixels to the picture's."""


@dataclass(frozen=True)
class View:
    """An orthographic view: the point in the middle, degrees about the vertical and above level, pixels a metre."""

    centre: Array
    azimuth: float
    elevation: float
    scale: float

    def axes(self) -> Array:
        """(3, 3) rows right, up, towards the viewer."""
        a, e = np.radians([self.azimuth, self.elevation])
        right = np.array([np.cos(a), np.sin(a), 0])
        back = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
        return np.stack([right, np.cross(back, right), back])

    def project(self, points: Array) -> Array:
        """(..., 3) pixels x, y and depth towards the viewer of points (..., 3)."""
        seen = (points - self.centre) @ self.axes().T
        pixels = seen[..., :2] * [self.scale, -self.scale] + np.array(SIZE) / 2
        return np.concatenate([pixels, seen[..., 2:]], -1)


def bodies_of(motion: LiftedMotion, rows: Sequence[int]) -> tuple[Array, Array]:
    """(N, V, 3) vertices of the lifted body in the world at some rows, and its faces."""
    full = load_body(None, "quadruped" if motion.body == "smal" else "human")
    model = next(
        m for m in (full.reduced(fingers=True), full.reduced(), full) if m.joint_names == tuple(motion.joint_names)
    )
    turns = exp_map(motion.rotations[rows].astype(np.float64))
    scaling = float(np.ptp(motion.rest_joints[:, 1]) / np.ptp(model.shaped(motion.betas)[1][:, 1]))
    vertices = model.posed(motion.betas.astype(np.float64), turns, np.zeros((len(rows), 3)), scaling)
    root = model.shaped(motion.betas)[1][0] * scaling
    return vertices - root + (motion.translation[rows] + motion.rest_joints[0])[:, None], model.faces


def draw_floor(draw: ImageDraw.ImageDraw, project: Callable[[Array], Array], centre: Array, reach: float) -> None:
    """A grid of one metre on the floor."""
    low, high = np.floor(centre[:2] - reach), np.ceil(centre[:2] + reach)
    for axis in (0, 1):
        for value in np.arange(low[axis], high[axis] + 1):
            line = np.zeros((60, 3))
            line[:, axis] = value
            line[:, 1 - axis] = np.linspace(low[1 - axis], high[1 - axis], 60)
            seen = project(line)
            for a, b in pairwise(seen):
                if np.isfinite([*a, *b]).all():
                    draw.line([*a[:2], *b[:2]], fill=FLOOR, width=1)


def draw_body(draw: ImageDraw.ImageDraw, vertices: Array, faces: Array, view: View, light: Array) -> None:
    """Faces that look at the viewer, from back to front, each in one shade."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    seen = view.project(corners)
    front = np.flatnonzero(normals @ view.axes()[2] > 0)
    shade = 0.45 + 0.55 * np.clip(normals @ light, 0, 1)
    colours = np.clip(SKIN * shade[:, None], 0, 255).astype(int)
    for i in front[np.argsort(seen[front, :, 2].mean(1))]:
        draw.polygon(seen[i, :, :2].ravel().tolist(), fill=tuple(colours[i].tolist()))


def draw_box(draw: ImageDraw.ImageDraw, motion: LiftedMotion, row: int, view: View) -> None:
    """The edges of the lifted objects."""
    for item in motion.objects:
        w, x, y, z = item.rotation[row].astype(float)
        turn = np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ])  # fmt: skip
        seen = view.project(item.points @ turn.T + item.position[row])
        for a in range(len(item.points)):
            for b in range(a):
                if (np.abs(item.points[a] - item.points[b]) > 1e-6).sum() == 1:
                    draw.line([*seen[a, :2], *seen[b, :2]], fill=(150, 100, 20), width=3)


def character(motion: LiftedMotion, rows: Sequence[int], views: Sequence[View] = ()) -> list[Image.Image]:
    """The lifted body at some rows, in a view for each, or in one view that shows all."""
    vertices, faces = bodies_of(motion, rows)
    low, high = vertices.min((0, 1)), vertices.max((0, 1))
    if not views:
        axes = View((low + high) / 2, 30.0, 14.0, 1.0).axes()
        seen = vertices.reshape(-1, 3) @ axes[:2].T
        lowest, highest = seen.min(0), seen.max(0)
        centre = (low + high) / 2 @ axes[2] * axes[2] + (lowest + highest) / 2 @ axes[:2]
        views = [View(centre, 30.0, 14.0, float((0.86 * np.array(SIZE) / (highest - lowest)).min()))] * len(rows)
    light = views[0].axes().T @ np.array([-0.45, 0.6, 0.66])
    pictures = []
    for row, body, view in zip(rows, vertices, views, strict=True):
        picture = Image.new("RGB", SIZE, PAPER)
        draw = ImageDraw.Draw(picture)
        draw_floor(draw, view.project, view.centre, 0.6 * float(np.linalg.norm((high - low)[:2])) + 0.6)
        draw_body(draw, body, faces, view, light)
        draw_box(draw, motion, row, view)
        pictures.append(picture)
    return pictures


def draw_skeleton(draw: ImageDraw.ImageDraw, clip: KeypointClip, row: int, to_half: Callable[[Array], Array]) -> None:
    """The detected keypoints of one row, with bones; hands as dots."""
    points, seen = to_half(clip.points[row].astype(np.float64)), clip.seen[row]
    for a, b, colour in skeleton_bones(clip.layout.names):
        if seen[a] and seen[b]:
            draw.line([*points[a], *points[b]], fill=colour, width=3)
    for point in points[seen]:
        draw.ellipse([*(point - 2), *(point + 2)], fill=(40, 40, 48))
    if clip.hands is not None:
        for hand in to_half(clip.hands.points[row].astype(np.float64)):
            for finger in range(5):  # the wrist and four keypoints of each finger
                chain = hand[[0, *range(1 + 4 * finger, 5 + 4 * finger)]]
                draw.line(chain.ravel().tolist(), fill=(200, 60, 120), width=3)


def _moved(points: Array, middle: tuple[float, float], scale: float) -> Array:
    return (points - middle) * scale + np.array(SIZE) / 2


def keypoints(
    clip: KeypointClip, rows: Sequence[int], windows: Sequence[tuple[float, float, float]] = (),
    frames: Sequence[Image.Image] = (), under: Background | None = None,
) -> list[Image.Image]:  # fmt: skip
    """The keypoints at some rows, over the video's pictures where there are any.

    Args:
        clip: whose keypoints.
        rows: of the clip.
        windows: middle and width in pixels of what is shown of each row, none for where the keypoints are.
        frames: pictures of the video, one for each row.
        under: draws something below the skeleton.
    """
    shown = clip.points[clip.seen].astype(np.float64)
    low, high = shown.min(0), shown.max(0)
    width = 1.15 * max(high[0] - low[0], (high[1] - low[1]) * SIZE[0] / SIZE[1])
    windows = windows or [(*((low + high) / 2), width)] * len(rows)
    pictures = []
    for i, (row, (x, y, width)) in enumerate(zip(rows, windows, strict=True)):
        to_half = partial(_moved, middle=(x, y), scale=SIZE[0] / width)
        picture = Image.new("RGB", SIZE, PAPER)
        if len(frames):
            box = (x - width / 2, y - width * SIZE[1] / SIZE[0] / 2, x + width / 2, y + width * SIZE[1] / SIZE[0] / 2)
            picture = frames[i].crop(tuple(round(v) for v in box)).resize(SIZE)
        draw = ImageDraw.Draw(picture)
        if under is not None:
            under(draw, row, to_half)
        draw_skeleton(draw, clip, row, to_half)
        pictures.append(picture)
    return pictures


def write(left: Sequence[Image.Image], right: Sequence[Image.Image], fps: Fraction, path: Path) -> None:
    """Both halves side by side as an animated WebP that loops, in as good a quality as the limit allows."""
    pictures = []
    for a, b in zip(left, right, strict=True):
        both = Image.new("RGB", (2 * SIZE[0] + 4, SIZE[1]), "white")
        both.paste(a, (0, 0))
        both.paste(b, (SIZE[0] + 4, 0))
        pictures.append(both)
    for quality in (70, 55, 40, 30, 20):
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=round(1000 * STEP / fps), loop=0, quality=quality,
            method=4,
        )  # fmt: skip
        if path.stat().st_size <= LIMIT:
            break
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def rows_of(motion: LiftedMotion, first: int = 0) -> list[int]:
    """The rows that a picture shows."""
    return list(range(first, len(motion), STEP))[:MOST]


def walk(path: Path) -> None:
    """The bundled video, its detected people and the character."""
    from mvlift.detection import detect_keypoints
    from mvlift.detection.video import open_frames

    video = EXAMPLES / "walk.mp4"
    clip = detect_keypoints(video)[0]
    motion = mvlift.lift(clip, preset="fast")
    rows = rows_of(motion)
    wanted = {motion.first_frame + row for row in rows}
    frames = [Image.fromarray(f.image[..., :3]) for f in open_frames(video) if f.number in wanted]
    write(keypoints(clip, [motion.first_frame + r - clip.first_frame for r in rows], frames=frames),
          character(motion, rows), motion.fps, path)  # fmt: skip


def box(path: Path) -> None:
    """The bundled person who carries a box."""
    clip = mvlift.read_keypoints(EXAMPLES / "box.zip")[0]
    motion = mvlift.lift(clip, subject="human+box", preset="fast")
    rows = rows_of(motion, 30)
    write(keypoints(clip, rows), character(motion, rows), motion.fps, path)


def dog(path: Path) -> None:
    """The bundled dog."""
    clip = mvlift.read_keypoints(EXAMPLES / "dog.csv")[0]
    motion = mvlift.lift(clip, subject="quadruped17", preset="fast")
    rows = rows_of(motion)
    write(keypoints(clip, rows), character(motion, rows), motion.fps, path)


def hands(path: Path) -> None:
    """A walker whose hands make a fist, point and open; seen by a detector of hands, and lifted."""
    sys.path.insert(0, str(ROOT / "tests" / "core"))
    from hand_scenes import angles_of
    from mvlift.bodies.hands.model import hand_model
    from mvlift.bodies.hands.tables import SIDES

    clip = mvlift.read_keypoints(EXAMPLES / "walk.zip", fps=30, image_size=(1280, 720))[0].restricted(20, 20 + 107)
    resting = mvlift.lift(replace(clip, hands=None), preset="fast", hands="relaxed")
    world, joints = forward_kinematics(
        resting.parents, resting.rest_joints.astype(np.float64), exp_map(resting.rotations.astype(np.float64)),
        resting.translation.astype(np.float64) + resting.rest_joints[0],
    )  # fmt: skip
    skeleton = default_human_skeleton_with_fingers()
    count, sides = len(resting), []
    for side in SIDES:
        hand = hand_model(skeleton, side, resting.betas.astype(np.float64))
        poses = np.stack([angles_of(hand, name) for name in ("open", "fist", "point", "open")])
        at = np.linspace(0, 2.999, count)
        u = np.clip((at % 1) / 0.5, 0, 1)[:, None, None]
        u = u * u * (3 - 2 * u)
        angles = poses[at.astype(int)] * (1 - u) + poses[at.astype(int) + 1] * u
        points = np.einsum("tkb,tab->tka", hand.points(angles), world[:, hand.wrist])
        sides.append(resting.camera.project((joints[:, hand.wrist, None] + points).astype(np.float32)))
    pixels = np.stack(sides, 1).astype(np.float32)
    seen = replace(clip, hands=HandKeypoints(pixels, np.full(pixels.shape[:3], 0.9, np.float32)))
    motion = mvlift.lift(seen, preset="fast")
    rows = rows_of(motion)
    wrist = joints[:, resting.joint_names.index("right_wrist")]
    middle, views, width = pixels[:, 1].mean(1), [View(wrist[r], 0.0, 6.0, 600.0) for r in rows], 2.6
    extent = float(np.linalg.norm(np.ptp(pixels[:, 1], axis=1), axis=-1).mean())
    write(keypoints(seen, rows, [(*middle[r].tolist(), width * extent) for r in rows]),
          character(motion, rows, views), motion.fps, path)  # fmt: skip


def pan(path: Path) -> None:
    """A camera on a tripod that follows a walker: what it sees, and the path through the world."""
    still = mvlift.read_keypoints(EXAMPLES / "walk.zip", fps=30, image_size=(1280, 720))[0]
    truth = mvlift.lift(still, preset="fast")
    camera = truth.camera
    centre = -camera.R.T @ camera.t
    aim = truth.keypoints.mean(1) - centre
    heading = np.unwrap(np.arctan2(aim[:, 0], aim[:, 1]))
    kernel = np.ones(31) / 31
    smooth = np.convolve(np.pad(heading, 15, mode="edge"), kernel, mode="valid")
    zero = np.zeros_like(smooth)
    down = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turns = np.stack([np.cos(smooth), -np.sin(smooth), zero, np.sin(smooth), np.cos(smooth), zero,
                      zero, zero, zero + 1], -1).reshape(-1, 3, 3)  # fmt: skip
    R = down @ turns
    K = np.tile(np.array([[1700.0, 0, 640], [0, 1700.0, 360], [0, 0, 1]]), (len(R), 1, 1))
    t = -np.einsum("tab,b->ta", R, centre)
    seen = np.einsum("tab,tkb->tka", R, truth.keypoints) + t[:, None]
    pixels = np.einsum("tab,tkb->tka", K, seen)
    points = (pixels[..., :2] / pixels[..., 2:]).astype(np.float32)
    layout = get_layout("openpose24")
    columns = [truth.keypoint_names.index(n) for n in layout.names]
    clip = KeypointClip(points[:, columns], np.full((len(points), len(columns)), 0.9, np.float32), layout,
                        fps=Fraction(30), image_size=(1280, 720))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        track = CameraTrack(np.arange(len(R)), R, t, K, (1280, 720), "metric", np.array([0, 0, 1.0]), Fraction(30))
        motion = mvlift.lift(clip, preset="fast", camera=str(save_track(track, Path(folder) / "track.npz")))

    def floor(draw: ImageDraw.ImageDraw, row: int, to_half: Callable[[Array], Array]) -> None:
        def project(line: Array) -> Array:
            depth = line @ R[row].T + t[row]
            image = depth @ K[row].T
            flat = np.where(depth[:, 2:] > 0.3, image[:, :2] / np.maximum(depth[:, 2:], 0.3), np.nan)
            return to_half(flat)

        draw_floor(draw, project, truth.keypoints.mean((0, 1)), 6.0)

    rows = rows_of(motion)
    write(keypoints(clip, rows, [(640, 430, 900)] * len(rows), under=floor), character(motion, rows), motion.fps, path)


PICTURES: Final[dict[str, Callable[[Path], None]]] = {"walk": walk, "box": box, "dog": dog, "hands": hands, "pan": pan}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", choices=[*PICTURES, []], help="only these")
    folder = ROOT / "docs" / "images" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for name in parser.parse_args().pictures or PICTURES:
        PICTURES[name](folder / f"{name}.webp")


if __name__ == "__main__":
    main()
