"""The page of file formats: the keys of every file that MVLift writes or that you write for it.

Where a key is a field of a dataclass, its shape, unit and meaning are read from the docstring of that class;
``tests/core/test_reference_files.py`` writes each file and compares its keys and shapes with this list.
"""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from typing import Final

MOTION: Final = "mvlift.motion:LiftedMotion"
CAMERA: Final = "mvlift.motion:Camera"
OBJECT: Final = "mvlift.motion:ObjectMotion"
TRACK: Final = "mvlift.cameras.track:CameraTrack"
CLIP: Final = "mvlift.keypoints.clip:KeypointClip"
HANDS: Final = "mvlift.keypoints.hand_keypoints:HandKeypoints"
SHAPE: Final = "mvlift.lifting.objects.shape:ObjectShape"
POSE: Final = "mvlift.lifting.constraints:PoseConstraint"
PIN: Final = "mvlift.lifting.constraints:PinConstraint"
KEYPOINT: Final = "mvlift.lifting.constraints:KeypointConstraint"
SUBJECT: Final = "mvlift.lifting.subjects:Subject"
OUTCOME: Final = "mvlift.commands.batch.report:Outcome"
LEADING: Final = re.compile(r"^(\([^)]*\)(?: or \([^)]*\))?)[,:.]? ?")
ENTRY: Final = re.compile(r"^    (?P<names>\w[\w, ]*): (?P<text>.*(?:\n {6,}.*)*)", re.M)


@dataclass(frozen=True)
class FileFormat:
    """One kind of file.

    Attributes:
        title: heading of its section.
        about: what writes and reads it.
        keys: key -> "module:Class.field" whose docstring describes it, or (shape or type, text).
        optional: keys that are left out where there is nothing to say.
    """

    title: str
    about: str
    keys: dict[str, str | tuple[str, str]]
    optional: tuple[str, ...] = ()


FORMATS: Final[dict[str, FileFormat]] = {
    "motion": FileFormat(
        "Motion: .npz",
        "Written by `mvlift lift -o motion.npz` and `motion.save`, read by `mvlift.load_motion`, by Blender's "
        "*Import Motion* and, because of its AMASS keys, by programs that read AMASS. Metres, z up, the floor at "
        "z = 0. T frames, J joints, K keypoints, C contacts, B shape coefficients.",
        {
            "poses": ("(T, 3 J)", "SMPL or SMPL-H pose as in AMASS: rotation vectors in radians, each joint "
            "relative to "
                      "its parent, the root's relative to the world; fingers relative to the flat hand"),
            "trans": f"{MOTION}.translation",
            "betas": f"{MOTION}.betas",
            "gender": f"{MOTION}.gender",
            "mocap_frame_rate": ("number", "frames per second, rounded; the exact rate is `fps`"),
            "mocap_framerate": ("number", "the same, as newer AMASS files spell it"),
            "kind": ("text", '`"mvlift-motion"`'),
            "version": ("integer", "1; a later version is refused with a message"),
            "body": f"{MOTION}.body",
            "joint_names": f"{MOTION}.joint_names",
            "parents": f"{MOTION}.parents",
            "rest_joints": f"{MOTION}.rest_joints",
            "keypoints3d": f"{MOTION}.keypoints",
            "keypoint_names": f"{MOTION}.keypoint_names",
            "keypoint_confidence": f"{MOTION}.keypoint_confidence",
            "reprojection_error": f"{MOTION}.reprojection_error",
            "contacts": f"{MOTION}.contacts",
            "contact_names": f"{MOTION}.contact_names",
            "camera_K": f"{CAMERA}.K",
            "camera_R": f"{CAMERA}.R",
            "camera_t": f"{CAMERA}.t",
            "image_size": ("(2,)", "width and height of the video in pixels"),
            "fps": ("(2,)", "exact frames per second: numerator, denominator"),
            "first_frame": f"{MOTION}.first_frame",
            "metadata": ("JSON text", "provenance: model versions, preset, seed, device, source, assumptions, timings"),
            "object_names": ("(O,)", "names of the objects that move with the person; object i has the keys below"),
            "rotations": ("(T, J, 3)", "of a body with fingers: `poses` relative to the relaxed hands of "
                                  "`rest_joints`"),
            "joint_confidence": f"{MOTION}.joint_confidence",
            "object0_position": f"{OBJECT}.position",
            "object0_rotation": f"{OBJECT}.rotation",
            "object0_size": f"{OBJECT}.size",
            "object0_points": f"{OBJECT}.points",
            "object0_point_names": f"{OBJECT}.point_names",
        },
        ("rotations", "joint_confidence", "object0_position", "object0_rotation", "object0_size", "object0_points",
         "object0_point_names"),
    ),
    "keypoints": FileFormat(
        "Keypoints: .npz",
        "Written by `mvlift detect -o FILE.npz` and `mvlift convert -o FILE.npz`; keeps everything, the hands "
        "included. "
        "The keys of clip i end in `_i`; here those of the first. T frames, J keypoints.",
        {
            "clips": ("JSON text", "a list with an object for each clip: `layout`, `fps`, `image_size`, `first_frame`, "
                      "`track_id`, `source`, `source_format`, `assumptions`, `metadata`"),
            "points_0": f"{CLIP}.points",
            "confidence_0": f"{CLIP}.confidence",
            "hand_points_0": f"{HANDS}.points",
            "hand_confidence_0": f"{HANDS}.confidence",
            "hand_depth_0": f"{HANDS}.depth",
        },
        ("hand_points_0", "hand_confidence_0", "hand_depth_0"),
    ),
    "table": FileFormat(
        "Keypoints: .csv",
        "Written by `mvlift convert -o FILE.csv`. The first line may state facts: "
        "`# ids=certain units=pixels fps=30 size=1280x720`. One row for each keypoint of each person and frame.",
        {
            "frame": ("integer", "number of the frame in the video, from 0"),
            "person": ("text", "name of the track"),
            "keypoint": ("text", "name of the keypoint in its layout"),
            "x": ("number", "pixels from the left; empty where the keypoint is missing"),
            "y": ("number", "pixels from the top; empty where the keypoint is missing"),
            "confidence": ("number", "0 to 1; 0 means missing"),
        },
    ),
    "camera": FileFormat(
        "Camera track: .npz",
        "Written by `mvlift.cameras.save_track`, read by `mvlift lift --camera`. [Other formats](moving-cameras.md) of "
        "solvers are read too.",
        {
            "frames": f"{TRACK}.frames",
            "R": f"{TRACK}.R",
            "t": f"{TRACK}.t",
            "scale": ("text", '`"metric"` for metres, `"unknown"` for a unit of the solver\'s'),
            "K": f"{TRACK}.K",
            "up": f"{TRACK}.up",
            "image_size": f"{TRACK}.image_size",
            "fps": ("text", "frames per second of the track: `30` or `30000/1001`"),
            "floor_known": f"{TRACK}.floor_known",
        },
        ("K", "up", "image_size", "fps", "floor_known"),
    ),
    "dataset": FileFormat(
        "Data set: .npz",
        "Written by `mvlift-train prepare`, read by training and evaluation; [where data come from](data.md). S "
        "sequences of K keypoints, concatenated to N rows.",
        {
            "names": ("(K,)", "keypoint names"),
            "fps": ("number", "frames per second of all sequences"),
            "start": ("(S,)", "first row of each sequence"),
            "length": ("(S,)", "rows of each sequence"),
            "image_size": ("(S, 2)", "width and height of each picture in pixels"),
            "xy": ("(N, K, 2)", "pixels, x right, y down; NaN where a keypoint is unknown"),
            "confidence": ("(N, K)", "0 to 1"),
            "clip": ("(S,)", "name of each sequence"),
            "set": ("(S,)", "collection that each sequence belongs to"),
            "category": ("(S,)", "kind of movement"),
            "licence": ("(S,)", "licence of each sequence"),
            "points3d": ("(N, K, 3)", "validation sets: true positions in metres, z up"),
            "K": ("(S, 3, 3)", "validation sets: true intrinsics in pixels"),
            "R": ("(S, 3, 3)", "validation sets: world to camera; x right, y down, z forward"),
            "t": ("(S, 3)", "validation sets: metres, x_camera = R x_world + t"),
            "noisy_xy": ("(N, K, 2)", "validation sets: the sequence as a detector gives it, pixels"),
            "noisy_confidence": ("(N, K)", "validation sets: 0 to 1; 0 means missing"),
        },
        ("confidence", "clip", "set", "category", "licence", "points3d", "K", "R", "t", "noisy_xy", "noisy_confidence"),
    ),
    "constraints": FileFormat(
        "Constraints: .json",
        "Poses and positions that a lift has to meet: `mvlift lift --constraints FILE`. `poses` is a list of "
        "objects with "
        "`frame`, `rotations`, `root`, `weight`; `pins` is a list of objects with `joint`, `first`, "
        "`positions`, `weight` "
        "(or `position` and `last` for one position over a range).",
        {
            "poses": ("list", "at most one for each frame"),
            "poses.frame": f"{POSE}.frame",
            "poses.rotations": ("object", "joint name -> rotation vector of three numbers in radians, relative to the "
                                "parent; the root's relative to the world"),
            "poses.root": f"{POSE}.root",
            "poses.weight": f"{POSE}.weight",
            "pins": ("list", "of joints"),
            "pins.joint": f"{PIN}.joint",
            "pins.first": f"{PIN}.first",
            "pins.positions": f"{PIN}.positions",
            "pins.weight": f"{PIN}.weight",
            "keypoints": ("list", "places in the picture"),
            "keypoints.frame": f"{KEYPOINT}.frame",
            "keypoints.keypoint": f"{KEYPOINT}.keypoint",
            "keypoints.position": f"{KEYPOINT}.position",
            "keypoints.weight": f"{KEYPOINT}.weight",
        },
    ),
    "object": FileFormat(
        "Object shape: .json",
        "The named points of a rigid object: `mvlift lift --object-shape FILE`. A plain object of names to `[x, "
        "y, z]` in "
        "metres will do.",
        {
            "name": f"{SHAPE}.name",
            "kind": f"{SHAPE}.kind",
            "points": ("object", "keypoint name -> [x, y, z] in the object's own right-handed frame: metres, or "
            "units of "
                       "`size`"),
            "size": f"{SHAPE}.size",
        },
    ),
    "subject": FileFormat(
        "Subject: .json",
        "What a model lifts and onto which body: `mvlift lift --subject FILE`. "
        "[Your own species](new-species.md) shows how to write one. `extends` takes everything else from "
                              "another subject.",
        {
            name: f"{SUBJECT}.{name}"
            for name in ("name", "title", "body", "layout", "root", "scale_bones", "scale_fallback_bones", "tree",
                         "score_keypoints", "contacts", "contact_fallback", "body_keypoints", "keypoint_offsets",
                         "kinematic_model", "height", "models", "refinement_passes", "sampling_steps")
        }
        | {
            "object": f"{SUBJECT}.rigid_object",
            "extends": ("text", "name of the subject that this one adds to"),
        },
        ("scale_fallback_bones", "contact_fallback", "keypoint_offsets", "kinematic_model", "height",
         "refinement_passes", "sampling_steps", "object", "extends"),
    ),
    "inspection": FileFormat(
        "Recognition: `mvlift inspect --json`",
        "One JSON object for each input, on standard output. Unknown sizes and rates are null.",
        {
            "path": ("text", "the file or folder"),
            "format": ("text", "name of the reader"),
            "why": ("text", "how it was recognised"),
            "layout": ("text", "name of the keypoint layout"),
            "layouts": ("list", "`name` and `misfit` of every layout that is possible, best first"),
            "units": ("text", "`pixels` or `shares` of the picture"),
            "frames": ("integer", "number of frames from `first` to `last`"),
            "first": ("integer", "first frame in the video"),
            "last": ("integer", "last frame in the video"),
            "fps": ("number", "frames per second that the file states"),
            "image_size": ("(2,)", "width and height in pixels that the file states"),
            "people": ("list", "`id`, `first`, `last`, `mean_confidence`, `missing`, `gaps`, `hands` of each person"),
            "assumptions": ("list", "sentences: what the file does not say"),
        },
    ),
    "report": FileFormat(
        "Batch report: .json",
        "Written by `mvlift lift --report FILE.json`: `counts` by status, and `clips`, a list of objects with "
        "these keys. "
        "A `.csv` has `source status people frames seconds outputs error` as columns.",
        {
            "source": f"{OUTCOME}.source",
            "status": ("text", "`lifted`, `already there`, `failed` or `not started`"),
            **{name: f"{OUTCOME}.{name}" for name in
               ("people", "frames", "seconds", "error", "trace", "outputs", "timings", "notes")},
        },
    ),
}  # fmt: skip


def described(reference: str | tuple[str, str]) -> tuple[str, str]:
    """(shape or type, text) of a key."""
    if isinstance(reference, tuple):
        return reference
    module, _, place = reference.partition(":")
    name, _, field = place.partition(".")
    kind = getattr(importlib.import_module(module), name)
    doc = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:")[2].split("\n\n")[0]
    for match in ENTRY.finditer(doc):
        if field in [n.strip() for n in match["names"].split(",")]:
            text = re.sub(r"``([^`]*)``", r"`\1`", " ".join(match["text"].split())).rstrip(".")
            shape = LEADING.match(text)
            return (shape[1], text[shape.end() :]) if shape else (_type_of(kind, field), text)
    raise KeyError(f"{reference} has no entry under Attributes")


def _type_of(kind: type, field: str) -> str:
    """A field's type as JSON and tables have it."""
    annotation = str(kind.__annotations__[field]).split(" | ")[0]
    names = {"str": "text", "Path": "text", "int": "integer", "float": "number", "bool": "true or false",
             "Layout": "text or object", "RigidObject": "object"}  # fmt: skip
    if re.match(r"Mapping|dict", annotation):
        return "object"
    return "list" if re.match(r"tuple|list", annotation) else names.get(annotation, "text")


def files_page(note: str) -> str:
    """The page's text; ``note`` stands above its title."""
    text = note + "# File formats\n\n"
    text += (
        "The keys of every file that MVLift writes or reads. Files of detectors are on\n"
        "[their own page](keypoint-formats.md), bone maps on [theirs](bone-maps.md), training configurations\n"
        "[here](reference-config.md). Every file is written under a temporary name first and then renamed: a "
        "file that\n"
        "exists is complete.\n\n"
    )
    for file in FORMATS.values():
        text += f"## {file.title}\n\n{file.about}\n\n| key | shape or type | | |\n|---|---|---|---|\n"
        for key, reference in file.keys.items():
            shape, meaning = described(reference)
            cells = (f"`{key}`", shape, "optional" if key in file.optional else "", meaning.replace("|", "\\|"))
            text += "| " + " | ".join(cells) + " |\n"
        text += "\n"
    return text.rstrip("\n") + "\n"
