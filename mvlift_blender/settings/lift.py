"""The panel's settings of a lift, kept with the scene."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..scene.units import metres_per_unit
from .options import option_properties
from .person import Person
from .source import KeypointSource

__all__ = ["CLASSES", "DEVICES", "LiftSettings"]

DEVICES = (
    ("AUTO", "Automatic", "The graphics card where the engine can use one, otherwise the processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
    ("directml", "DirectML", "Any graphics card on Windows"),
    ("coreml", "Core ML", "Apple graphics and neural engine, through ONNX Runtime"),
    ("cpu", "Processor", "The processor only"),
)
LENSES = (
    ("UNKNOWN", "Unknown", "Assume the lens of a typical camera or phone"),
    ("FOV", "Field of View", "Enter the horizontal field of view"),
    ("PIXELS", "Focal Length in Pixels", "Enter the focal length in pixels of the video"),
)
MOVEMENTS = (
    ("STILL", "Still", "The camera stands still"),
    ("VIDEO", "Solve from Video", "The camera pans, tilts or zooms on a tripod; it is solved from the picked video"),
    ("SCENE", "Scene Camera", "A camera of this scene follows the video: keyed, constrained or imported"),
    ("CLIP", "Movie Clip", "The camera that the Movie Clip Editor solved, with its lens and distortion"),
    ("FILE", "From File", "The camera's path is in a file of a solver or recorder, such as COLMAP or ARKit"),
)
WORLDS = (
    ("SCENE", "Scene's Scale and Floor", "The camera's world is to scale, and its floor is the scene's, at height 0"),
    ("SIZE", "Scale Unknown", "The camera's world is level, but its scale is solved from the person's feet"),
    ("FREE", "Scale and Tilt Unknown", "Neither scale nor gravity of the camera's world is known"),
)
GRAVITIES = (
    ("ESTIMATED", "Estimated", "From the person's steps and the usual way to hold a camera"),
    ("TILT", "Camera Tilt", "The camera is level, and looks down by a known angle"),
    ("HORIZON", "Horizon", "From a line drawn along the horizon"),
    ("VERTICALS", "Two Verticals", "From two lines drawn along what is vertical in the scene"),
)
RATES = (
    ("AUTO", "Automatic", "The clip's rate in a new scene, otherwise the scene's rate"),
    ("CLIP", "The Clip's", "Give the scene the clip's exact frame rate: one key a frame, the video stays in step"),
    ("SCENE", "The Scene's", "Keep the scene's frame rate and resample the motion; its length in seconds is the same"),
)
SETUPS = (
    ("AUTO", "Automatic", "Set up new, empty scenes only; leave a scene with keys, a camera or a saved file unchanged"),
    ("KEEP", "Leave as It Is", "Only add the result; frame rate, range, render size and active camera stay"),
    ("MATCH", "Match the Video", "Frame rate, range, render size and active camera become the video's"),
)
STARTS = (
    ("SCENE", "Scene Start", "The first lifted frame goes to the start of the scene's frame range"),
    ("PLAYHEAD", "Current Frame", "The first lifted frame goes to the frame under the playhead"),
    ("FRAME", "Frame", "The first lifted frame goes to a frame of your choice"),
)
PREVIOUS = (
    ("KEEP", "Keep Both", "Keep the earlier lift of the same person"),
    ("REPLACE", "Replace Previous", "Replace the earlier lift of the same person"),
)


def _overlay_changed(_self: Any, _context: Any) -> None:
    from ..viewport import overlay

    overlay.redraw()


def _is_camera(_self: Any, candidate: Any) -> bool:
    return bool(candidate.type == "CAMERA")


def _start_changed(self: Any, _context: Any) -> None:
    self.start_at = "FRAME"


def _get_height(self: Any) -> float:
    return float(self.height_metres / metres_per_unit(self.id_data))


def _set_height(self: Any, value: float) -> None:
    self.height_metres = value * metres_per_unit(self.id_data)


def _get_box(self: Any) -> Sequence[float]:
    return [edge / metres_per_unit(self.id_data) for edge in self.rigid_object_metres]


def _set_box(self: Any, value: Sequence[float]) -> None:
    self.rigid_object_metres = [edge * metres_per_unit(self.id_data) for edge in value]


class LiftSettings(bpy.types.PropertyGroup):
    """The panel's settings."""

    people: CollectionProperty(type=Person)
    active: IntProperty(name="Person", description="The person whose keypoints are previewed", update=_overlay_changed)
    sources: CollectionProperty(
        type=KeypointSource, name="Keypoint Files", description="The imported files, each with its video"
    )
    rigid_object: PointerProperty(
        name="Object",
        description="The scene object that the person handles. It is keyed; its vertex groups or bounding-box "
        "corners correspond to the file's keypoints. If empty, a new box is created",
        type=bpy.types.Object,
    )
    rigid_object_source: StringProperty(
        name="Keypoints",
        description="File with the object's keypoints (point tracks); empty to use the person's file",
        subtype="FILE_PATH",
    )
    rigid_object_known: BoolProperty(
        name="Real Size",
        description="The object's size is known, which sets the scale of the motion; otherwise it is estimated",
    )
    rigid_object_metres: FloatVectorProperty(options={"HIDDEN"}, default=(0.4, 0.3, 0.3), min=0.001, max=100.0)
    rigid_object_size: FloatVectorProperty(
        name="Size",
        description="Edge lengths of the box along its local axes",
        unit="LENGTH", subtype="XYZ", get=_get_box, set=_set_box,
    )  # fmt: skip
    use_stature: BoolProperty(
        name="Known Height", description="Enter the person's real height, which sets the scale of the motion"
    )
    height_metres: FloatProperty(options={"HIDDEN"}, default=1.7, min=0.2, max=3.0)
    stature: FloatProperty(
        name="Height",
        description="The person's height, or an animal's at the withers, from 0.2 m to 3 m",
        unit="LENGTH", precision=3, get=_get_height, set=_set_height,
    )  # fmt: skip
    lens: EnumProperty(name="Lens", description="What is known about the camera's lens", items=LENSES)
    fov: FloatProperty(
        name="Field of View", description="Horizontal field of view", default=1.047, min=0.05, max=2.9, subtype="ANGLE"
    )
    focal: FloatProperty(
        name="Focal Length", description="Focal length in pixels of the video", default=1000, min=50, soft_max=8000
    )
    movement: EnumProperty(name="Movement", description="How the camera moves in the video", items=MOVEMENTS)
    track_file: StringProperty(
        name="Camera Track", description="The file with the camera's path in the video", subtype="FILE_PATH"
    )
    track_camera: PointerProperty(
        name="Scene Camera",
        description="The camera object that follows the video; it is not changed",
        type=bpy.types.Object, poll=_is_camera,
    )  # fmt: skip
    track_clip: PointerProperty(
        name="Movie Clip", description="The clip whose camera motion is solved", type=bpy.types.MovieClip
    )
    track_world: EnumProperty(name="World", description="What is known of the camera's world", items=WORLDS)
    track_begins: IntProperty(
        name="Video Starts At", description="Scene frame at which the first frame of the video is shown", default=1
    )
    gravity: EnumProperty(name="Gravity", description="How the direction of gravity is known", items=GRAVITIES)
    tilt: FloatProperty(
        name="Looks Down", description="Angle by which the camera looks down; negative: up",
        default=0.0, min=-1.5707, max=1.5707, subtype="ANGLE",
    )  # fmt: skip
    horizon: FloatVectorProperty(size=4, options={"HIDDEN"})
    verticals: FloatVectorProperty(size=8, options={"HIDDEN"})
    use_range: BoolProperty(name="Frame Range", description="Lift only a part of the clip")
    range_first: IntProperty(name="First", description="First frame in the video to lift", min=0)
    range_last: IntProperty(name="Last", description="Last frame in the video to lift", min=0, default=250)
    device: EnumProperty(name="Device", description="The engine's device", items=DEVICES)
    scene_setup: EnumProperty(
        name="Scene",
        description="Whether frame rate, frame range, render size and active camera of the scene become the video's",
        items=SETUPS,
    )
    rate: EnumProperty(name="Keys At", description="At which frame rate the motion is keyed", items=RATES)
    start_at: EnumProperty(name="Start At", description="Scene frame at which the motion starts", items=STARTS)
    start: IntProperty(
        name="Start", description="Scene frame of the first lifted frame", default=1, update=_start_changed
    )
    previous: EnumProperty(
        name="Previous Lift", description="What happens to an earlier lift of the same person", items=PREVIOUS
    )
    write_body: BoolProperty(name="Body", description="Write the body's mesh, skinned to the armature", default=True)
    write_camera: BoolProperty(name="Camera", description="Write the camera that reproduces the video", default=True)
    set_up: StringProperty(options={"HIDDEN"})
    said: StringProperty(options={"HIDDEN"})
    result: PointerProperty(
        name="Result", description="The armature of the latest lift", type=bpy.types.Object, options={"HIDDEN"}
    )
    overlay: BoolProperty(
        name="Keypoints",
        description="Draw the active person's 2D keypoints in the 3D viewport, over the video in the camera view",
        update=_overlay_changed,
    )

    def person(self) -> Any | None:
        """The active person, or None."""
        return self.people[self.active] if 0 <= self.active < len(self.people) else None

    def chosen(self) -> list[Any]:
        """The people to lift."""
        return [person for person in self.people if person.chosen]

    def source_of(self, person: Any) -> Any | None:
        """What is known of a person's keypoint file, or None."""
        return self.source_at(person.source) if person is not None else None

    def source_at(self, path: str) -> Any | None:
        """What is known of the keypoint file of that path, or None."""
        return next((source for source in self.sources if source.path == path), None)

    def clip_fps(self, person: Any) -> Fraction:
        """Exact frame rate of a person's clip: typed, the keypoint file's, the video's, else a guess."""
        return self.rate_facts(person)[0]

    def rate_facts(self, person: Any) -> tuple[Fraction, bool]:
        """The frame rate of a person's clip, and whether it is only a guess."""
        from ..importing.sources import parse_fps

        source = self.source_of(person)
        typed = source.fps if source is not None and not source.fps_problem else ""
        video = source.video_fps if source is not None else ""
        known = next((fps for text in (typed, person.fps, video) if (fps := parse_fps(text)) is not None), None)
        return (known, False) if known is not None else (self._guessed_fps(), True)

    def _guessed_fps(self) -> Fraction:
        from ..scene.frame_rate import scene_fps
        from ..scene.scene_setup import is_new

        return Fraction(30) if is_new(self.id_data) else scene_fps(self.id_data)

    def clip_size(self, person: Any) -> tuple[int, int] | None:
        """Size in square pixels of the picture that a person's keypoints lie in; None where nothing was detected."""
        size, source = self.size_facts(person)[0], self.source_of(person)
        if size is None or source is None:
            return size
        return max(round(size[0] * source.pixel_aspect), 1), size[1]

    def video_facts(self, person: Any) -> tuple[Fraction, tuple[int, int] | None, bool, float]:
        """How a person's file is read: frame rate, size in the video's own pixels, mirrored, pixel aspect."""
        source = self.source_of(person)
        picture = (source.mirrored, source.pixel_aspect) if source is not None else (False, 1.0)
        return self.clip_fps(person), self.size_facts(person)[0], *picture

    def size_facts(self, person: Any) -> tuple[tuple[int, int] | None, bool]:
        """Size in the video's own pixels of the picture that a person's keypoints lie in, and whether it is a guess."""
        source = self.source_of(person)
        sizes = [(person.width, person.height)]
        if source is not None:
            sizes.insert(0, (source.image_width, source.image_height))
            sizes.append((source.video_width, source.video_height))
            sizes.append((source.suggested_width, source.suggested_height))
        known = next((size for size in sizes if min(size) > 0), None)
        if known is None or source is None:
            return known, False
        width, height = source.image_width, source.image_height
        if width > 0 or height > 0:  # where one edge is typed, the other follows the picture's shape
            known = (width or round(height * known[0] / known[1]), height or round(width * known[1] / known[0]))
            return known, False
        return known, known == sizes[-1] and all(min(size) <= 0 for size in sizes[:-1])

    def _active_source(self) -> Any:
        source = self.source_of(self.person())
        if source is None:
            raise ValueError("No keypoints are imported: video, size and frame rate belong to a keypoint file")
        return source


def _of_active_source(name: str, text: str) -> property:
    """A property of the active person's keypoint file, for scripts."""
    return property(
        lambda self: getattr(self._active_source(), name),
        lambda self, value: setattr(self._active_source(), name, value),
        doc=text,
    )  # fmt: skip


for _name, _text in (
    ("video", "Video of the active person's keypoint file."),
    ("fps", "Frame rate of the active person's keypoint file, as typed."),
    ("image_width", "Width of the active person's picture in pixels, as typed."),
    ("image_height", "Height of the active person's picture in pixels, as typed."),
    ("mirrored", "Whether the active person's picture was mirrored."),
    ("pixel_aspect", "Width of a pixel of the active person's picture by its height."),
):
    setattr(LiftSettings, _name, _of_active_source(_name, _text))


def _set_subject(self: Any, value: str) -> None:
    for person in [*self.chosen(), *([self.person()] if self.person() is not None else [])]:
        person.subject = value


LiftSettings.subject = property(
    lambda self: self.person().subject if self.person() is not None else "human", _set_subject,
    doc="Subject of the active person; setting it sets that of all selected people.",
)  # fmt: skip


LiftSettings.__annotations__.update(option_properties())
CLASSES = (LiftSettings,)
