"""A frame of the video as a texture for the viewport, drawn under the keypoints before there is a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np
from mvlift.typing import F64

from ..scene.camera import sequence_of

__all__ = ["VideoPicture"]


_NAME: Final = ".MVLift preview"  # Blender hides names that begin with a dot
_SHADE: Final = 0.85
# from 5.0 on, what is drawn over a viewport is no longer brought from linear light to the display's colours by itself
_SHADER: Final = "IMAGE_COLOR_SCENE_LINEAR_TO_REC709_SRGB" if bpy.app.version >= (5, 0) else "IMAGE_COLOR"


class VideoPicture:
    """The picture of one video; its data-block has no user and is not saved."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._number: int | None = None
        self._texture: Any = None

    def draw(self, video: Path, number: int, corners: F64) -> None:
        """Draw frame ``number`` (0-based) into the quadrilateral (4, 2), from its upper left corner, clockwise."""
        if (video, number) != (self._path, self._number):
            self._path, self._number = video, number
            self._texture = self._load(video, number)
        if self._texture is None:
            return
        import gpu
        from gpu_extras.batch import batch_for_shader

        shader = gpu.shader.from_builtin(_SHADER)
        batch = batch_for_shader(
            shader,
            "TRI_FAN",
            {"pos": corners.astype(np.float32), "texCoord": np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)},
        )
        shader.uniform_sampler("image", self._texture)
        shader.uniform_float("color", (_SHADE, _SHADE, _SHADE, 1.0))
        gpu.state.blend_set("ALPHA")
        batch.draw(shader)
        gpu.state.blend_set("NONE")

    def _load(self, video: Path, number: int) -> Any:
        image = self._image(video)
        if image is None:
            return None
        if image.source == "MOVIE":
            return _movie_frame(image, number)
        image.filepath = str(_picture_of(video, number))
        image.reload()
        return _texture(image)

    def _image(self, video: Path) -> Any:
        image = bpy.data.images.get(_NAME)
        if image is not None and image.get("video") != str(video):
            bpy.data.images.remove(image)
            image = None
        if image is None:
            try:
                image = bpy.data.images.load(str(video), check_existing=False)
            except RuntimeError:
                return None
            image.name = _NAME
            image["video"] = str(video)
        return image

    def forget(self) -> None:
        """Let go of the texture and the data-block."""
        self._path = self._number = self._texture = None
        image = bpy.data.images.get(_NAME)
        if image is not None:
            bpy.data.images.remove(image)


def _picture_of(video: Path, number: int) -> Path:
    """The picture of a sequence for a 0-based frame number."""
    first, count, name = sequence_of(video)
    return name(first + min(max(number, 0), count - 1)) if count > 1 else video


def _movie_frame(image: Any, number: int) -> Any:
    image.gl_free()
    image.gl_load(frame=number + 1)
    return _texture(image)


def _texture(image: Any) -> Any:
    import gpu

    try:
        return gpu.texture.from_image(image)
    except RuntimeError:
        return None
