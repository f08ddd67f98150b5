"""Small pictures of the people found: the outline of a frame in which most of a person is seen, as list icons."""

from __future__ import annotations

from typing import Any, Final

import bpy
import numpy as np
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64

from ..importing.sources import clip_of
from ..motion.colours import side_colour

__all__ = ["add_thumbnails", "outline", "remove_thumbnails", "thumbnail_of"]


_SIZE: Final = 48
_THICKNESS: Final = 1.6  # pixels, half of a limb's width

_icons: Any = None


def outline(clip: KeypointClip, size: int = _SIZE) -> F64:
    """(size, size, 4) picture, bottom row first, of the frame with the most confidence."""
    row = int(clip.confidence.sum(1).argmax())
    seen = clip.seen[row]
    picture = np.zeros((size, size, 4))
    if not seen.any():
        return picture
    points = clip.points[row].astype(np.float64)
    low, high = points[seen].min(0), points[seen].max(0)
    scale = (size - 8) / max(float((high - low).max()), 1e-6)
    points = (points - 0.5 * (low + high)) * scale * [1, -1] + 0.5 * size
    index = {name: j for j, name in enumerate(clip.layout.names)}
    grid = np.stack(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5), -1)
    for a, b in clip.layout.bones:
        if seen[index[a]] and seen[index[b]]:
            _draw(picture, _distance(grid, points[index[a]], points[index[b]]), side_colour(b))
    for j in np.flatnonzero(seen):
        _draw(picture, _distance(grid, points[j], points[j]), side_colour(clip.layout.names[j]))
    return picture


def _distance(grid: F64, a: F64, b: F64) -> F64:
    """(size, size) distance of each pixel from a segment."""
    along = b - a
    share = np.clip((grid - a) @ along / max(float(along @ along), 1e-9), 0, 1)
    return np.asarray(np.linalg.norm(grid - a - share[..., None] * along, axis=-1))


def _draw(picture: F64, distance: F64, colour: tuple[float, float, float]) -> None:
    cover = np.clip(_THICKNESS + 0.5 - distance, 0, 1)
    stronger = cover > picture[..., 3]
    picture[stronger, :3] = colour
    picture[..., 3] = np.maximum(picture[..., 3], cover)


def add_thumbnails() -> None:
    """Make room for icons."""
    import bpy.utils.previews as previews

    global _icons
    _icons = previews.new()


def remove_thumbnails() -> None:
    """Undo ``add_thumbnails``."""
    import bpy.utils.previews as previews

    global _icons
    icons, _icons = _icons, None
    if icons is not None:
        previews.remove(icons)


def thumbnail_of(settings: Any, person: Any) -> int:
    """Icon number of a listed person; 0 where the keypoints are gone."""
    if _icons is None or bpy.app.background:
        return 0
    key = f"{person.source}|{person.track}|{person.frames}"
    if key not in _icons:
        try:
            picture = outline(clip_of(settings, person))
        except MvliftError:
            return 0
        icon = _icons.new(key)
        icon.icon_size = icon.image_size = (_SIZE, _SIZE)
        for name in ("icon_pixels_float", "image_pixels_float"):
            getattr(icon, name).foreach_set(picture.astype(np.float32).ravel())
    return int(_icons[key].icon_id)
