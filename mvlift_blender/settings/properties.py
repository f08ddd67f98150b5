"""What the panel holds, kept with the scene (and, for the running job, with the window manager)."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
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

__all__ = ["CLASSES", "JobState", "LiftSettings", "Person", "add_properties", "remove_properties", "settings_of"]

PRESETS = (
    ("fast", "Fast", "Few sampling steps; for a first look"),
    ("quality", "Quality", "More sampling steps and several hypotheses; a few times slower"),
    ("paper", "As Published", "The paper's own sampler and fit, step by step; a thousand times slower"),
)
DEVICES = (
    ("AUTO", "Automatic", "The graphics card where the engine can use one, otherwise the processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
    ("mps", "Metal", "An Apple graphics processor"),
    ("cpu", "Processor", "The processor only"),
)
LENSES = (
    ("UNKNOWN", "Unknown", "Let the engine assume the lens of a usual camera or phone"),
    ("FOV", "Field of View", "Give the horizontal field of view"),
    ("PIXELS", "Focal Length in Pixels", "Give the focal length in pixels of the video"),
)
RATES = (
    ("CLIP", "The Clip's", "Give the scene the clip's exact frame rate: one key a frame, the video stays in step"),
    ("SCENE", "The Scene's", "Keep the scene's frame rate and resample the motion; its length in seconds is the same"),
)


def _subjects(_self: Any, _context: Any) -> Sequence[tuple[str, str, str]]:
    return _subject_items()


_SUBJECTS: list[tuple[str, str, str]] = []


def _subject_items() -> list[tuple[str, str, str]]:
    # Blender keeps only pointers to these strings, so they must live as long as it does
    if not _SUBJECTS:
        from mvlift.lifting.subjects import get_subject, subject_names

        names = sorted(subject_names(), key=lambda name: name != "human")
        _SUBJECTS.extend((name, get_subject(name).title, f"Lift a {get_subject(name).title.lower()}") for name in names)
    return _SUBJECTS


def _video_changed(self: Any, context: Any) -> None:
    from ..importing.video import read_facts

    if not self.video:
        return
    facts = read_facts(Path(bpy.path.abspath(self.video)))
    if facts is not None:
        self.image_width, self.image_height = facts.size
        self.fps = str(facts.fps) if facts.fps is not None else self.fps


def _fps_changed(self: Any, _context: Any) -> None:
    from ..importing.sources import parse_fps

    self.fps_problem = ""
    try:
        parse_fps(self.fps)
    except ValueError as error:
        self.fps_problem = str(error)


def _overlay_changed(self: Any, _context: Any) -> None:
    from ..viewport import overlay

    overlay.redraw()


class Person(bpy.types.PropertyGroup):
    """One track of a keypoint file."""

    name: StringProperty(name="Name", description="What the armature of this person is called")
    chosen: BoolProperty(name="Lift", description="Lift this person", default=True)
    source: StringProperty(name="Source", description="Keypoint file or folder", subtype="FILE_PATH")
    track: StringProperty(name="Track", description="Which person of the file this is")
    format: StringProperty(name="Format", description="The detector format that was recognised")
    layout: StringProperty(name="Layout", description="Which skeleton the detector's keypoints are")
    first: IntProperty(name="First", description="First frame in the video")
    last: IntProperty(name="Last", description="Last frame in the video")
    fps: StringProperty(name="Frame Rate", description="Frames per second that the file states, empty when it does not")
    width: IntProperty(name="Width", description="Width of the video that the file states, 0 when it does not")
    height: IntProperty(name="Height", description="Height of the video that the file states, 0 when it does not")
    confidence: FloatProperty(name="Confidence", description="Mean confidence of the keypoints", min=0, max=1)
    missing: FloatProperty(name="Missing", description="Share of the keypoints that were not detected", min=0, max=1)
    gaps: IntProperty(name="Gaps", description="Runs of frames in which the person was not detected")
    why: StringProperty(name="Told By", description="What gave the format away")
    units: StringProperty(name="Units", description="What the file's coordinates are")
    notes: StringProperty(name="Notes", description="What the file did not say and was assumed")

    @property
    def frames(self) -> int:
        """Number of video frames from the first to the last."""
        return self.last - self.first + 1


class LiftSettings(bpy.types.PropertyGroup):
    """The panel's settings."""

    people: CollectionProperty(type=Person)
    active: IntProperty(name="Person", description="The person whose keypoints are previewed", update=_overlay_changed)
    video: StringProperty(
        name="Video",
        description="The video (or a picture of the sequence) that was detected in; its size and rate are read",
        subtype="FILE_PATH",
        update=_video_changed,
    )
    fps: StringProperty(
        name="Frame Rate",
        description="Frames per second of the video, such as 25, 29.97 or 30000/1001; empty takes the file's",
        update=_fps_changed,
    )
    fps_problem: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    image_width: IntProperty(
        name="Width", description="Width of the video in pixels; 0 takes the file's", min=0, soft_max=7680
    )
    image_height: IntProperty(
        name="Height", description="Height of the video in pixels; 0 takes the file's", min=0, soft_max=4320
    )
    subject: EnumProperty(name="Subject", description="What is in the video", items=_subjects)
    rigid_object: PointerProperty(
        name="Object",
        description="The object of the scene that the person handles; it is keyed. Its vertex groups or the corners of "
        "its bounding box are the file's keypoints. Without it a new box is made",
        type=bpy.types.Object,
    )
    rigid_object_source: StringProperty(
        name="Keypoints",
        description="File with the object's keypoints (point tracks); empty takes the person's own file",
        subtype="FILE_PATH",
    )
    rigid_object_known: BoolProperty(
        name="Real Size",
        description="The object's size is known, which sets the scale of the motion; otherwise it is estimated",
    )
    rigid_object_size: FloatVectorProperty(
        name="Size",
        description="Edges of the box along its own axes",
        default=(0.4, 0.3, 0.3),
        min=0.01,
        soft_max=3.0,
        unit="LENGTH",
        subtype="XYZ",
    )
    use_stature: BoolProperty(
        name="Known Height", description="Give the person's real height, which sets the scale of the motion"
    )
    stature: FloatProperty(
        name="Height", description="The person's height", default=1.7, min=0.3, max=2.6, unit="LENGTH", precision=3
    )
    lens: EnumProperty(name="Lens", description="What is known about the camera's lens", items=LENSES)
    fov: FloatProperty(
        name="Field of View", description="Horizontal field of view", default=1.047, min=0.05, max=2.9, subtype="ANGLE"
    )
    focal: FloatProperty(
        name="Focal Length", description="Focal length in pixels of the video", default=1000, min=50, soft_max=8000
    )
    use_range: BoolProperty(name="Frame Range", description="Lift only a part of the clip")
    range_first: IntProperty(name="First", description="First frame in the video to lift", min=0)
    range_last: IntProperty(name="Last", description="Last frame in the video to lift", min=0, default=250)
    device: EnumProperty(name="Device", description="What the engine computes on", items=DEVICES)
    preset: EnumProperty(name="Quality", description="How much the engine computes", items=PRESETS, default="quality")
    smoothing: FloatProperty(
        name="Smoothing",
        description="How strongly the motion is smoothed in time; 0 keeps the detector's jitter",
        default=1.0,
        min=0.0,
        soft_max=3.0,
        max=10.0,
    )
    seed: IntProperty(name="Seed", description="Another seed gives another guess of what the video leaves open", min=0)
    start: IntProperty(name="Start", description="Scene frame of the first lifted frame", default=1)
    rate: EnumProperty(name="Keys At", description="At which frame rate the motion is keyed", items=RATES)
    write_body: BoolProperty(name="Body", description="Write the body's mesh, skinned to the armature", default=True)
    write_camera: BoolProperty(
        name="Camera", description="Write the camera that reproduces the video; render at its size", default=True
    )
    write_range: BoolProperty(
        name="Scene Range", description="Make the scene's frame range that of the clip", default=True
    )
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

    def clip_fps(self, person: Any) -> Fraction | None:
        """Exact frame rate of a person's clip: the panel's, else the file's, else None."""
        from ..importing.sources import parse_fps

        return (None if self.fps_problem else parse_fps(self.fps)) or parse_fps(person.fps)

    def clip_size(self, person: Any) -> tuple[int, int] | None:
        """Size of the video in pixels: the panel's, else the file's, else None."""
        size = (self.image_width, self.image_height)
        size = size if min(size) > 0 else (person.width, person.height)
        return size if min(size) > 0 else None


class JobState(bpy.types.PropertyGroup):
    """What the running job shows in the panel."""

    running: BoolProperty(options={"SKIP_SAVE"})
    stage: StringProperty(options={"SKIP_SAVE"})
    fraction: FloatProperty(options={"SKIP_SAVE"}, min=0, max=1)
    left: StringProperty(options={"SKIP_SAVE"})
    cancel: BoolProperty(options={"SKIP_SAVE"})
    report: StringProperty(options={"SKIP_SAVE"})


CLASSES = (Person, LiftSettings, JobState)


def add_properties() -> None:
    """Attach the settings to scenes and the job to the window manager."""
    bpy.types.Scene.mvlift = PointerProperty(type=LiftSettings)
    bpy.types.WindowManager.mvlift_job = PointerProperty(type=JobState)


def remove_properties() -> None:
    """Undo ``add_properties``."""
    del bpy.types.WindowManager.mvlift_job
    del bpy.types.Scene.mvlift


def settings_of(context: Any) -> Any:
    """The panel's settings in the current scene."""
    return context.scene.mvlift
