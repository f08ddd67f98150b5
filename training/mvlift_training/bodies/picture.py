"""A plain software render of bodies, to look at what was made (extra ``preview``)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from mvlift.bodies.loading import load_body
from mvlift.bodies.model import BodyModel
from mvlift.files import whole_file
from mvlift.typing import F64
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

__all__ = ["View", "main", "render", "save_picture"]

IntArray = NDArray[np.int64]
View = tuple[F64, float, float]
"""Vertices (V, 3) in metres (y up, z front), and the turn about y and the tilt from which they are seen, degrees."""

_POSES: Final = Path(__file__).parent / "human_poses.json"
_OVERSAMPLING: Final = 2
_OCCLUSION: Final = 0.25
_HOLLOW: Final = 0.05  # metres of depth that darken fully
_SHADOW: Final = 0.30
_PAPER: Final = np.array([0.93, 0.935, 0.945])
_CLAY: Final = np.array([0.80, 0.70, 0.60])
_LIGHTS: Final = (  # towards the light in view axes (right, up, to the viewer), strength
    ((-0.45, 0.65, 0.60), 0.62),
    ((0.80, 0.10, 0.45), 0.22),
    ((0.30, 0.40, -0.90), 0.18),
)
_AMBIENT: Final = 0.25
_SHINE: Final = 0.10


def _turned(vertices: F64, turn: float, tilt: float) -> F64:
    a, b = np.radians([turn, tilt])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return vertices @ (about_x @ about_y).T


def _normals(vertices: F64, faces: IntArray) -> F64:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    smooth = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(smooth, faces[:, corner], flat)
    return smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)


def _shaded(normal: F64) -> F64:
    light = _AMBIENT * (0.7 + 0.3 * normal[..., 1])
    for towards, strength in _LIGHTS:
        direction = np.array(towards) / np.linalg.norm(towards)
        light = light + strength * np.maximum(normal @ direction, 0)
    half = np.array(_LIGHTS[0][0]) / np.linalg.norm(_LIGHTS[0][0]) + [0, 0, 1]
    shine = _SHINE * np.maximum(normal @ (half / np.linalg.norm(half)), 0) ** 30
    return np.clip(light[..., None] * _CLAY * 1.15 + shine[..., None], 0, 1) ** (1 / 1.6)


def _draw(image: F64, depth: F64, corners: F64, normals: F64) -> None:
    """One triangle: corners (3, 3) in pixels and depth, normals (3, 3)."""
    height, width = depth.shape
    low = np.maximum(np.floor(corners[:, :2].min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners[:, :2].max(0)).astype(int) + 1, [width, height])
    if (high <= low).any():
        return
    (x0, y0), (x1, y1), (x2, y2) = corners[:, :2]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if abs(area) < 1e-9:
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    u = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
    v = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
    share = np.stack([u, v, 1 - u - v], -1)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    depths = share @ corners[:, 2]
    seen = (share >= -1e-9).all(-1) & (depths > depth[window])
    if seen.any():
        normal = share[seen] @ normals
        image[window][seen] = _shaded(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
        depth[window][seen] = depths[seen]


def _occluded(depth: F64, reach: float) -> F64:
    """(H, W) darkening where the surroundings, ``reach`` pixels about, lie nearer to the viewer."""
    body = np.isfinite(depth)
    level = np.where(body, depth, 0.0)
    mean = gaussian_filter(level, reach) / np.maximum(gaussian_filter(body.astype(float), reach), 1e-3)
    return np.where(body, 1 - _OCCLUSION * np.clip((mean - level) / _HOLLOW, 0, 1), 1.0)


def _shadow(vertices: F64, view: View, shape: tuple[int, int], scale: float) -> F64:
    """(H, W) darkening of the floor under a body, as from a wide light above."""
    height = vertices[:, 1] - vertices[:, 1].min()
    floor = np.where([True, False, True], vertices, vertices[:, 1].min())
    pixels = _turned(floor, view[1], view[2])[:, :2] * [scale, -scale] + [shape[1] / 2, shape[0] / 2]
    edges = (np.arange(shape[0] + 1), np.arange(shape[1] + 1))
    cover = np.histogram2d(pixels[:, 1], pixels[:, 0], bins=edges, weights=np.exp(-height / 0.35))[0]
    soft = gaussian_filter(cover, (0.012 * scale, 0.03 * scale))
    return 1 - _SHADOW * np.clip(soft / max(float(soft.max()), 1e-9), 0, 1) ** 0.7


def render(view: View, faces: IntArray, size: tuple[int, int], scale: float, middle: float) -> F64:
    """An orthographic picture, with the body in its middle from side to side.

    Args:
        view: what is seen, and from where.
        faces: (F, 3).
        size: width and height, pixels.
        scale: pixels to the metre.
        middle: height that comes in the middle of the picture, metres.

    Returns:
        (H, W, 3) colours in 0..1.
    """
    width, height = (s * _OVERSAMPLING for s in size)
    scale *= _OVERSAMPLING
    right = _turned(np.eye(3), view[1], view[2])[:, 0]
    across = view[0] @ right
    vertices = view[0] - [0, middle, 0] - (across.min() + across.max()) / 2 * right
    seen = _turned(vertices, view[1], view[2])
    normals = _normals(seen, faces)
    pixels = seen * [scale, -scale, 1] + [width / 2, height / 2, 0]
    image = np.ones((height, width, 1)) * _PAPER * np.linspace(1.03, 0.95, height)[:, None, None]
    image *= _shadow(vertices, view, (height, width), scale)[..., None]
    depth = np.full((height, width), -np.inf)
    for face in faces[(normals[faces, 2] > -0.4).any(1)]:
        _draw(image, depth, pixels[face], normals[face])
    image *= (_occluded(depth, 0.012 * scale) * _occluded(depth, 0.05 * scale))[..., None]
    return np.clip(image, 0, 1).reshape(size[1], _OVERSAMPLING, size[0], _OVERSAMPLING, 3).mean((1, 3))


def save_picture(panels: list[F64], path: Path) -> None:
    """Pictures of equal height side by side as a PNG of 256 colours."""
    pixels = (np.clip(np.concatenate(panels, 1), 0, 1) * 255).round().astype(np.uint8)
    with whole_file(path) as part:
        Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(part, optimize=True)


def _posed(body: BodyModel, pose: Mapping[str, Sequence[float]]) -> F64:
    """Vertices (V, 3) with some joints turned, each by degrees about its own x, then y, then z."""
    rotations = np.tile(np.eye(3), (1, len(body.joint_names), 1, 1))
    for name, angles in pose.items():
        rotations[0, body.joint_names.index(name)] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return body.posed(np.zeros(0), rotations, np.zeros((1, 3)))[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws a body in the poses of ``human_poses.json``."""
    parser = argparse.ArgumentParser(prog="python -m mvlift_training.bodies.picture", description=__doc__)
    parser.add_argument("output", type=Path, help="PNG to write")
    parser.add_argument("--body", type=Path, default=None, help="SMPL body file; the mannequin by default")
    options = parser.parse_args(arguments)
    body = load_body(options.body)
    album = json.loads(_POSES.read_text(encoding="utf-8"))
    panels = []
    for shot in album["shots"]:
        vertices = _posed(body, album["poses"][shot["pose"]])
        vertices = vertices - [0, vertices[:, 1].min(), 0]
        view = (vertices, float(shot["turn"]), float(album["tilt"]))
        panels.append(render(view, body.faces, (shot["width"], album["height"]), album["scale"], album["middle"]))
    save_picture(panels, options.output)


if __name__ == "__main__":
    main()
