"""Properties of each imported keypoint file: its video, picture size and frame rate."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, StringProperty

from ..importing.checks import VideoFacts

__all__ = ["CLASSES", "KeypointSource", "SourceFinding"]


def _video_changed(self: Any, _context: Any) -> None:
    from ..importing.video import read_facts

    facts = read_facts(Path(bpy.path.abspath(self.video))) if self.video else None
    self.video_width, self.video_height = facts.size if facts is not None else (0, 0)
    self.video_fps = str(facts.fps) if facts is not None and facts.fps is not None else ""
    self.video_frames = facts.frames if facts is not None else 0
    self.video_variable = facts is not None and facts.variable
    self.video_aspect = facts.pixel_aspect if facts is not None else 1.0
    self.video_problem = "" if facts is not None or not self.video else "Blender cannot open this video"
    if facts is not None:
        _take_aspect(self)
    _size_changed(self, _context)


def _take_aspect(source: Any) -> None:
    """Take the pixel aspect from the video, where the keypoints are not in square pixels already."""
    from ..importing.picture import is_square

    aspect = 1.0 if is_square(source.id_data.mvlift, source) else source.video_aspect
    if abs(source.pixel_aspect - aspect) > 1e-6:
        source.pixel_aspect = aspect


def _fps_changed(self: Any, _context: Any) -> None:
    from ..importing.sources import parse_fps

    self.fps_problem = ""
    try:
        parse_fps(self.fps)
    except ValueError as error:
        self.fps_problem = str(error)
        return
    _compare(self)


def _size_changed(self: Any, _context: Any) -> None:
    if self.mirrored:  # keypoints are turned about the middle of the picture
        self.read_picture()
    _compare(self)


def _picture_changed(self: Any, _context: Any) -> None:
    self.read_picture()
    _compare(self)


def _compare(source: Any) -> None:
    from ..importing.people import compare_source

    compare_source(source.id_data.mvlift, source)


class SourceFinding(bpy.types.PropertyGroup):
    """A mismatch between a keypoint file and its video, and the button that corrects it."""

    text: StringProperty(name="Finding", description="A mismatch between keypoints and video")
    fix: StringProperty(name="Fix", description="What the button changes")
    width: IntProperty(name="Width", description="Picture width that the button sets, 0 for none")
    height: IntProperty(name="Height", description="Picture height that the button sets, 0 for none")
    fps: StringProperty(name="Frame Rate", description="Frame rate that the button sets, empty for none")


class KeypointSource(bpy.types.PropertyGroup):
    """A keypoint file or folder, and the video that it was detected in."""

    path: StringProperty(name="Source", description="Keypoint file or folder", subtype="FILE_PATH")
    video: StringProperty(
        name="Video",
        description="The video (or one image of its sequence) that the keypoints were detected in",
        subtype="FILE_PATH",
        update=_video_changed,
    )
    fps: StringProperty(
        name="Frame Rate",
        description="Frames per second, such as 25, 29.97 or 30000/1001; empty to use the file's or the video's rate",
        update=_fps_changed,
    )
    fps_problem: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    image_width: IntProperty(
        name="Width",
        description="Width of the detector's picture in pixels; 0 to use the file's or the video's width",
        min=0, soft_max=7680, update=_size_changed,
    )  # fmt: skip
    image_height: IntProperty(
        name="Height",
        description="Height of the detector's picture in pixels; 0 to use the file's or the video's height",
        min=0, soft_max=4320, update=_size_changed,
    )  # fmt: skip
    mirrored: BoolProperty(
        name="Mirrored",
        description="The video or the keypoints were mirrored, as selfie cameras do; they are mirrored back",
        update=_picture_changed,
    )
    pixel_aspect: FloatProperty(
        name="Pixel Aspect",
        description="Pixel aspect ratio (width / height) of the video; keypoints are stretched to square pixels",
        default=1.0, min=0.1, max=10.0, soft_min=0.5, soft_max=2.0, precision=4, update=_picture_changed,
    )  # fmt: skip
    picture_problem: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    read_mirrored: BoolProperty(options={"HIDDEN"})
    read_aspect: FloatProperty(options={"HIDDEN"}, default=1.0)
    read_width: IntProperty(options={"HIDDEN"})
    video_width: IntProperty(options={"HIDDEN"})
    video_height: IntProperty(options={"HIDDEN"})
    video_fps: StringProperty(options={"HIDDEN"})
    video_frames: IntProperty(options={"HIDDEN"})
    video_variable: BoolProperty(options={"HIDDEN"})
    video_aspect: FloatProperty(options={"HIDDEN"}, default=1.0)
    video_problem: StringProperty(options={"HIDDEN"})
    suggested_width: IntProperty(options={"HIDDEN"})
    suggested_height: IntProperty(options={"HIDDEN"})
    findings: CollectionProperty(
        type=SourceFinding, name="Findings", description="Mismatches between keypoints and video"
    )

    def read_picture(self) -> None:
        """Read the file's people in the picture as it is said to be now."""
        from ..importing.picture import read_again

        self.picture_problem = read_again(self.id_data.mvlift, self)

    def facts(self) -> VideoFacts | None:
        """What the video says of itself, None without a video that can be opened."""
        if min(self.video_width, self.video_height) <= 0:
            return None
        fps = Fraction(self.video_fps) if self.video_fps else None
        stated = self.video_aspect != 1.0  # 1 is also what a file says that knows nothing of it
        stretch = self.video_aspect / self.pixel_aspect if stated else 1.0
        size = (max(round(self.video_width * stretch), 1), self.video_height)  # in pixels like the keypoints'
        return VideoFacts(size, fps, self.video_frames, self.video_variable, self.video_aspect)


CLASSES = (SourceFinding, KeypointSource)
