"""What the panel knows of each imported keypoint file: its video, picture size and frame rate."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from ..importing.checks import VideoFacts

__all__ = ["CLASSES", "KeypointSource", "SourceFinding"]


def _video_changed(self: Any, _context: Any) -> None:
    from ..importing.video import read_facts

    facts = read_facts(Path(bpy.path.abspath(self.video))) if self.video else None
    self.video_width, self.video_height = facts.size if facts is not None else (0, 0)
    self.video_fps = str(facts.fps) if facts is not None and facts.fps is not None else ""
    self.video_frames = facts.frames if facts is not None else 0
    self.video_variable = facts is not None and facts.variable
    self.video_problem = "" if facts is not None or not self.video else "Blender cannot open this video"
    _compare(self)


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
    _compare(self)


def _compare(source: Any) -> None:
    from ..importing.people import compare_source

    compare_source(source.id_data.mvlift, source)


class SourceFinding(bpy.types.PropertyGroup):
    """Something that does not fit between a keypoint file and its video, and the button that mends it."""

    text: StringProperty(name="Finding", description="What does not fit together")
    fix: StringProperty(name="Fix", description="What the button sets")
    width: IntProperty(name="Width", description="Picture width that the button sets, 0 for none")
    height: IntProperty(name="Height", description="Picture height that the button sets, 0 for none")
    fps: StringProperty(name="Frame Rate", description="Frame rate that the button sets, empty for none")


class KeypointSource(bpy.types.PropertyGroup):
    """A keypoint file or folder, and the video that it was detected in."""

    path: StringProperty(name="Source", description="Keypoint file or folder", subtype="FILE_PATH")
    video: StringProperty(
        name="Video",
        description="The video (or a picture of the sequence) that was detected in; its size and rate are read",
        subtype="FILE_PATH",
        update=_video_changed,
    )
    fps: StringProperty(
        name="Frame Rate",
        description="Frames per second of the video, such as 25, 29.97 or 30000/1001; empty takes what is known",
        update=_fps_changed,
    )
    fps_problem: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    image_width: IntProperty(
        name="Width",
        description="Width in pixels of the picture that the keypoints lie in; 0 takes what is known",
        min=0, soft_max=7680, update=_size_changed,
    )  # fmt: skip
    image_height: IntProperty(
        name="Height",
        description="Height in pixels of the picture that the keypoints lie in; 0 takes what is known",
        min=0, soft_max=4320, update=_size_changed,
    )  # fmt: skip
    video_width: IntProperty(options={"HIDDEN"})
    video_height: IntProperty(options={"HIDDEN"})
    video_fps: StringProperty(options={"HIDDEN"})
    video_frames: IntProperty(options={"HIDDEN"})
    video_variable: BoolProperty(options={"HIDDEN"})
    video_problem: StringProperty(options={"HIDDEN"})
    suggested_width: IntProperty(options={"HIDDEN"})
    suggested_height: IntProperty(options={"HIDDEN"})
    findings: CollectionProperty(
        type=SourceFinding, name="Findings", description="What does not fit between keypoints and video"
    )

    def facts(self) -> VideoFacts | None:
        """What the video says of itself, None without a video that can be opened."""
        if min(self.video_width, self.video_height) <= 0:
            return None
        fps = Fraction(self.video_fps) if self.video_fps else None
        return VideoFacts((self.video_width, self.video_height), fps, self.video_frames, self.video_variable)


CLASSES = (SourceFinding, KeypointSource)
