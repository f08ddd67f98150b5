"""A picture of a lift: the skeleton over the 2D keypoints, and from two other sides, some frames side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.completing import repeated_to
from mvlift.keypoints.layouts import get_layout, layout_names
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

__all__ = ["draw_preview", "skeleton_bones"]

_LEFT: Final = "#2f7ed8"
_RIGHT: Final = "#d9542b"
_MIDDLE: Final = "#3c3c46"
_COLOURS: Final = {"l_": _LEFT, "r_": _RIGHT}
_GIVEN: Final = "#9aa0a8"
_THING: Final = "#b07c1e"
_BONES: Final = (
    ("nose", "neck"),
    ("neck", "shoulder"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("neck", "hip"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("ankle", "heel"),
    ("heel", "big_toe"),
    ("ankle", "big_toe"),
    ("nose", "eye"),
    ("eye", "ear"),
)


def skeleton_bones(names: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """(from, to, colour) of the bones to draw between keypoints of these names."""
    bones = []
    for layout in map(get_layout, layout_names()):  # an animal's bones are those of its layout
        if layout.family != "human" and layout.names == names:
            for a, b in layout.bones:
                side = next((e[:2] for e in (b, a) if e[:2] in _COLOURS), "")
                bones.append((names.index(a), names.index(b), _COLOURS.get(side, _MIDDLE)))
            return bones
    for a, b in get_layout("openpose24box").bones:
        if a.startswith("object_") and a in names and b in names:
            bones.append((names.index(a), names.index(b), _THING))
    for side, colour in (("l_", _LEFT), ("r_", _RIGHT)):
        for a, b in _BONES:
            ends = [n if n in names else side + n for n in (a, b)]
            if all(e in names for e in ends):
                middle = not any(e.startswith(side) for e in ends)
                bones.append((names.index(ends[0]), names.index(ends[1]), _MIDDLE if middle else colour))
    return bones


def _draw(axes: Any, points: F64, bones: list[tuple[int, int, str]], **style: object) -> None:
    for a, b, colour in bones:
        axes.plot(*points[[a, b]].T, color=style.get("color", colour), lw=style.get("lw", 2.2), solid_capstyle="round",
                  zorder=style.get("zorder", 3))  # fmt: skip


def draw_preview(motion: LiftedMotion, clip: KeypointClip | None, path: str | Path, columns: int = 6) -> Path:
    """Write a png: over the 2D keypoints, from the side and from behind-above, at evenly spaced frames.

    Args:
        motion: what was lifted.
        clip: what it was lifted from (drawn grey in the first row), or None.
        path: of the picture.
        columns: number of frames.

    Raises:
        MvliftError: matplotlib is not installed, or the picture cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MvliftError("Pictures need matplotlib.", "pip install 'mvlift[preview]'") from error
    target = Path(path)
    clip = None if clip is None else _lifted_part(clip, motion)
    frames = np.unique(np.linspace(0, len(motion) - 1, columns).round().astype(int))
    bones = skeleton_bones(motion.keypoint_names)
    world = np.asarray(motion.keypoints, np.float64)
    pixels = motion.camera.project(motion.keypoints).astype(np.float64)
    size = 1.0 if motion.body == "smpl" else float(np.percentile(np.ptp(world, axis=1), 95)) / 1.8
    figure = Figure(figsize=(2.3 * len(frames), 8.4), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(3, len(frames), squeeze=False)
    for column, f in enumerate(frames):
        top = grid[0, column]
        if clip is not None:
            _draw_given(top, clip, f)
        _draw(top, pixels[f], bones)
        middle, reach = (pixels[f].min(0) + pixels[f].max(0)) / 2, 0.62 * np.ptp(pixels[f], axis=0).max()
        top.set(
            xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] + reach, middle[1] - reach), aspect="equal"
        )
        top.set_title(f"frame {motion.first_frame + f}", fontsize=9)
        _side(grid[1, column], world[f], bones, np.array([[0, 1, 0], [0, 0, 1]]), size)
        c, s = np.cos(0.6), np.sin(0.6)
        _side(grid[2, column], world[f], bones, np.array([[-c, -s, 0], [-0.35 * s, 0.35 * c, 0.94]]), size)
    for row, label in enumerate(("over the keypoints", "from the side", "from behind")):
        grid[row, 0].set_ylabel(label, fontsize=9)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_color("#dddddd")
    figure.tight_layout(pad=0.6)
    try:
        with whole_file(target) as part:
            figure.savefig(part, dpi=80)
    except OSError as error:
        raise MvliftError(f"{target} cannot be written ({error.strerror}).", "Choose another folder.") from error
    return target


def _lifted_part(clip: KeypointClip, motion: LiftedMotion) -> KeypointClip:
    """The frames that the motion has: a part may have been lifted, and one picture becomes many frames."""
    part = clip.restricted(motion.first_frame, motion.first_frame + len(motion) - 1)
    return repeated_to(part, len(motion))


def _draw_given(axes: Any, clip: KeypointClip, frame: int) -> None:
    names = clip.layout.names
    points, seen = clip.points[frame], clip.seen[frame]
    for a, b in clip.layout.bones:
        i, j = names.index(a), names.index(b)
        if seen[i] and seen[j]:
            axes.plot(*points[[i, j]].T, color=_GIVEN, lw=5, alpha=0.55, solid_capstyle="round", zorder=1)
    axes.scatter(*points[seen].T, s=10, color=_GIVEN, zorder=2)


def _side(axes: Any, points: F64, bones: list[tuple[int, int, str]], rows: F64, reach: float) -> None:
    """One frame seen along a direction, with the floor under it; ``reach`` 1 holds a standing person."""
    centre = points.mean(0) * [1, 1, 0]
    flat = (points - centre) @ rows.T
    ring = np.linspace(0, 2 * np.pi, 40)
    disc = reach * np.stack([0.75 * np.cos(ring), 0.75 * np.sin(ring), 0 * ring], 1) @ rows.T
    if np.ptp(disc[:, 1]) < 1e-6:
        axes.axhline(0, color="#b9bec6", lw=1.2, zorder=0)
    else:
        axes.fill(*disc.T, color="#eceef2", zorder=0)
    _draw(axes, flat, bones)
    axes.set(xlim=(-1.05 * reach, 1.05 * reach), ylim=(-0.25 * reach, 1.95 * reach), aspect="equal")
