"""2D keypoints drawn over the video: a viewport draw handler that follows the timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64

from ..motion.colours import person_colour, side_colour
from .video_picture import VideoPicture

__all__ = [
    "Other",
    "Overlay",
    "Shown",
    "draw_lines",
    "nearest_keypoint",
    "nearest_person",
    "redraw",
    "screen_frame",
    "skeleton_lines",
    "to_video",
]

_INSET: Final = 0.38
"""Share of the free viewport that an inset takes."""


@dataclass(frozen=True)
class Other:
    """Another person in the frame: clip, row of it, place in the list, name."""

    clip: KeypointClip
    row: int
    index: int
    name: str


@dataclass(frozen=True)
class Shown:
    """What is drawn in a frame.

    Attributes:
        clip: whose keypoints.
        row: of the clip; outside it, only the video's rectangle is drawn.
        size: (width, height) of the video in pixels.
        video: the file, or None.
        number: of the video's frame, 0-based.
        person: place in the list and name of the person.
        others: the other people in the frame.
        corrected: names of the keypoints that were corrected by hand in this frame.
        inset: outside of the camera view, draw it small, because there is a result to be seen.
    """

    clip: KeypointClip
    row: int
    size: tuple[int, int]
    video: Path | None = None
    number: int = 0
    person: tuple[int, str] = (0, "")
    others: tuple[Other, ...] = ()
    corrected: tuple[str, ...] = ()
    inset: bool = False


def redraw() -> None:
    """Ask every 3D viewport to draw itself again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def screen_frame(context: Any, size: tuple[int, int], inset: bool = False) -> F64:
    """(2, 3) affine map from video pixels to region pixels.

    In the camera view it is the camera's frame; elsewhere the video's rectangle, fitted between toolbar and sidebar,
    or into the lower left corner for an inset that leaves the rest of the viewport free.
    """
    region, view = context.region, context.region_data
    camera = context.scene.camera
    if view is not None and view.view_perspective == "CAMERA" and camera is not None and camera.type == "CAMERA":
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        corners = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=context.scene)]
        points = [location_3d_to_region_2d(region, view, corner) for corner in corners]
        if all(point is not None for point in points):
            xy = np.array([(point.x, point.y) for point in points], dtype=np.float64)
            return _box_map(xy.min(0), xy.max(0), size)
    left, right = _uncovered(context.area, region)
    low, high = np.array([left, 0.0]), np.array([right, float(region.height)])
    margin = 0.06 * float(min(high - low))
    if inset:
        high = low + _INSET * (high - low) + margin
    return _box_map(low + margin, high - margin, size)


def _uncovered(area: Any, region: Any) -> tuple[float, float]:
    """From where to where, in region pixels, neither toolbar nor sidebar lies over the region; all where little is."""
    left, right = 0.0, float(region.width)
    for other in area.regions:
        begins, ends = other.x - region.x, other.x + other.width - region.x
        if other.width > 1 and begins >= 0 and ends <= region.width:
            if other.type == "TOOLS":
                left = max(left, float(ends))
            elif other.type == "UI":
                right = min(right, float(begins))
    return (left, right) if right - left > 0.3 * region.width else (0.0, float(region.width))


def _box_map(low: F64, high: F64, size: tuple[int, int]) -> F64:
    """Video pixels (y down) to a box of region pixels (y up); the video keeps its shape inside the box."""
    scale = float(min((high - low) / np.array(size)))
    middle = 0.5 * (low + high)
    return np.array(
        [[scale, 0, middle[0] - 0.5 * scale * size[0]], [0, -scale, middle[1] + 0.5 * scale * size[1]]],
        dtype=np.float64,
    )


def skeleton_lines(clip: KeypointClip, row: int, frame: F64) -> tuple[F64, F64, F64, F64]:
    """Segments (2S, 2) with colours (2S, 4), and points (P, 2) with colours (P, 4), in region pixels, of one frame."""
    xy = clip.points[row] @ frame[:, :2].T + frame[:, 2]
    confidence = clip.confidence[row]
    index = {name: j for j, name in enumerate(clip.layout.names)}
    pairs = [
        (index[a], index[b]) for a, b in clip.layout.bones if confidence[index[a]] > 0 and confidence[index[b]] > 0
    ]
    colours = np.array([(*side_colour(name), 1.0) for name in clip.layout.names])
    colours[:, 3] = 0.25 + 0.75 * confidence
    seen = confidence > 0
    ends = np.array(pairs, dtype=np.int64).reshape(-1)
    # a bone takes the colour of its outer end
    outer = np.repeat(np.array([b for _, b in pairs], dtype=np.int64), 2)
    return xy[ends], colours[outer], xy[seen], colours[seen]


def person_lines(other: Other, frame: F64) -> tuple[F64, F64, F64, F64]:
    """As ``skeleton_lines``, in the colour of the person."""
    lines, line_colours, points, point_colours = skeleton_lines(other.clip, other.row, frame)
    colour = person_colour(other.index)
    for colours in (line_colours, point_colours):
        colours[:, :3] = colour
        colours[:, 3] *= 0.8
    return lines, line_colours, points, point_colours


def corrected_points(shown: Shown, frame: F64) -> tuple[F64, F64]:
    """Points (P, 2) with colours (P, 4) of the keypoints that were corrected by hand and are seen."""
    columns = [shown.clip.layout.index(name) for name in shown.corrected if name in shown.clip.layout.names]
    columns = [j for j in columns if shown.clip.confidence[shown.row, j] > 0]
    xy = shown.clip.points[shown.row, columns].astype(np.float64) @ frame[:, :2].T + frame[:, 2]
    return xy, np.tile([1.0, 1.0, 1.0, 0.9], (len(columns), 1))


def label_place(clip: KeypointClip, row: int, frame: F64) -> F64 | None:
    """(2,) where the name of a person goes, above the head; None where nobody is seen."""
    seen = clip.seen[row]
    if not seen.any():
        return None
    xy = clip.points[row, seen].astype(np.float64) @ frame[:, :2].T + frame[:, 2]
    return np.array([xy[:, 0].mean(), xy[:, 1].max() + 8])


def nearest_keypoint(shown: Shown, frame: F64, mouse: F64, reach: float) -> str | None:
    """The active person's seen keypoint that is nearest to the mouse, in region pixels, within a reach."""
    if not 0 <= shown.row < len(shown.clip):
        return None
    xy = shown.clip.points[shown.row].astype(np.float64) @ frame[:, :2].T + frame[:, 2]
    distance = np.where(shown.clip.seen[shown.row], np.linalg.norm(xy - mouse, axis=-1), np.inf)
    nearest = int(distance.argmin())
    return shown.clip.layout.names[nearest] if distance[nearest] <= reach else None


def nearest_person(shown: Shown, frame: F64, mouse: F64, reach: float) -> int | None:
    """The place in the list of whoever has a bone or keypoint nearest to the mouse, within a reach; None for nobody."""
    candidates: list[tuple[float, int]] = []
    people = [(shown.clip, shown.row, shown.person[0]), *((o.clip, o.row, o.index) for o in shown.others)]
    for clip, row, index in people:
        if not 0 <= row < len(clip) or not clip.seen[row].any():
            continue
        lines, _, points, _ = skeleton_lines(clip, row, frame)
        a, b = (lines[0::2], lines[1::2]) if len(lines) else (points, points)
        along = b - a
        share = ((mouse - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
        bone_distance = np.linalg.norm(mouse - a - np.clip(share, 0, 1)[:, None] * along, axis=-1)
        candidates.append((float(min(bone_distance.min(), np.linalg.norm(points - mouse, axis=-1).min())), index))
    distance, index = min(candidates, default=(np.inf, -1))
    return index if distance <= reach else None


def to_video(frame: F64, mouse: F64) -> F64:
    """(2,) pixels of the video under a place of the region."""
    return np.asarray(np.linalg.solve(frame[:, :2], mouse - frame[:, 2]), np.float64)


class Overlay:
    """The draw handler. One is alive while the extension is enabled."""

    def __init__(self, shown_at: Callable[[Any], Shown | None]) -> None:
        """``shown_at(context)`` says what to draw, or None."""
        self._shown_at = shown_at
        self._handle: Any = None
        self._picture = VideoPicture()

    def add(self) -> None:
        """Start to draw; nothing happens in background mode, where there is nothing to draw on."""
        if self._handle is None and not bpy.app.background:
            self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")

    def remove(self) -> None:
        """Stop to draw."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
        self._picture.forget()

    def _draw(self) -> None:
        context = bpy.context
        shown = self._shown_at(context)
        if shown is None:
            return
        frame = screen_frame(context, shown.size, shown.inset)
        if shown.video is not None and not _in_camera_view(context):
            self._picture.draw(shown.video, shown.number, _corners(shown.size, frame))
        _draw_frame(_corners(shown.size, frame))
        scale = context.preferences.system.ui_scale
        for other in shown.others:
            _draw_skeleton(*person_lines(other, frame), 0.6 * scale)
            _draw_name(other.name, label_place(other.clip, other.row, frame), person_colour(other.index), scale)
        if 0 <= shown.row < len(shown.clip):
            _draw_skeleton(*skeleton_lines(shown.clip, shown.row, frame), scale)
            _draw_points(*corrected_points(shown, frame), 11.0 * scale)
            if shown.others:
                place = label_place(shown.clip, shown.row, frame)
                _draw_name(shown.person[1], place, person_colour(shown.person[0]), scale)


def _in_camera_view(context: Any) -> bool:
    """True where the camera's own background shows the video."""
    view, camera = context.region_data, context.scene.camera
    return (
        view is not None
        and view.view_perspective == "CAMERA"
        and camera is not None
        and camera.type == "CAMERA"
        and camera.data.show_background_images
        and len(camera.data.background_images) > 0
    )


def _corners(size: tuple[int, int], frame: F64) -> F64:
    """(4, 2) the video's corners in region pixels, from its upper left, clockwise."""
    return np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]]) @ frame[:, :2].T + frame[:, 2]


def _draw_frame(corners: F64) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    outline = np.concatenate([corners, corners[:1]])
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("color", (1, 1, 1, 0.35))
    batch_for_shader(shader, "LINE_STRIP", {"pos": outline.astype(np.float32)}).draw(shader)
    gpu.state.blend_set("NONE")


def draw_lines(ends: F64) -> None:
    """Lines (2S, 2) in region pixels, a pair of ends each."""
    _draw_skeleton(ends, np.tile([1.0, 0.75, 0.1, 1.0], (len(ends), 1)), np.zeros((0, 2)), np.zeros((0, 4)), 1.0)


def _draw_skeleton(lines: F64, line_colours: F64, points: F64, point_colours: F64, scale: float) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    gpu.state.blend_set("ALPHA")
    if len(lines):
        shader = gpu.shader.from_builtin("POLYLINE_SMOOTH_COLOR")
        flat = np.pad(lines, ((0, 0), (0, 1))).astype(np.float32)
        batch = batch_for_shader(shader, "LINES", {"pos": flat, "color": line_colours.astype(np.float32)})
        viewport: Any = gpu.state.viewport_get()
        shader.uniform_float("viewportSize", viewport[2:])
        shader.uniform_float("lineWidth", 2.5 * scale)
        batch.draw(shader)
    gpu.state.blend_set("NONE")
    _draw_points(points, point_colours, 6.0 * scale)


def _draw_points(points: F64, colours: F64, size: float) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    if not len(points):
        return
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    gpu.state.blend_set("ALPHA")
    gpu.state.point_size_set(size)
    flat = np.pad(points, ((0, 0), (0, 1))).astype(np.float32)
    batch_for_shader(shader, "POINTS", {"pos": flat, "color": colours.astype(np.float32)}).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.blend_set("NONE")


def _draw_name(name: str, place: F64 | None, colour: tuple[float, float, float], scale: float) -> None:
    import blf

    if place is None or not name:
        return
    blf.size(0, 12 * scale)
    blf.color(0, *colour, 1.0)
    blf.position(0, float(place[0]) - 0.5 * blf.dimensions(0, name)[0], float(place[1]), 0)
    blf.draw(0, name)
