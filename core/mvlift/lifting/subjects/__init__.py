"""Subjects: what is lifted, as data. Each ``*.json`` in this folder is one; a new animal needs no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from mvlift.bodies.skeleton import KeypointOffset
from mvlift.errors import LiftError, MvliftError
from mvlift.keypoints.layouts import Layout, get_layout, layout_of
from mvlift.safe_reading import checked, read_json

__all__ = ["Bone", "RigidObject", "Subject", "check_height", "get_subject", "subject_names"]

_FOLDER = Path(__file__).parent
Bone = tuple[str, str, float]
_OLD_KEYS: Final = {"notions": "keypoint_offsets", "rig": "kinematic_model"}


@dataclass(frozen=True)
class RigidObject:
    """The rigid object of a subject.

    Attributes:
        name: what it is called.
        kind: "box": the keypoints are known in units of its three edges, which may differ; "points": they are known up
            to one common scale, or in metres.
        points: keypoint -> (x, y, z) in the object's own right-handed frame; empty where the user names them.
    """

    name: str
    kind: Literal["box", "points"]
    points: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Subject:
    """What a model lifts and onto which body.

    Attributes:
        name: short name, such as ``human``.
        title: name for people.
        body: body model family ("smpl", "smal").
        layout: the keypoints that the models work on; in a file the name of a layout, or its content.
        root: keypoints whose mean is the root of the 2D and 3D motion.
        scale_bones: (from, to, metres): bones whose apparent lengths measure the picture's scale; "root" is allowed.
        scale_fallback_bones: used where none of the former is seen.
        tree: keypoint -> the keypoint (or "root") from which its limb grows; limb lengths vary along it in training.
        score_keypoints: what evaluation measures.
        contacts: keypoints that may rest on the floor.
        contact_fallback: keypoint to use for a contact when its own was not detected.
        body_keypoints: keypoint -> joint or vertex group of the body.
        keypoint_offsets: how the keypoints of detectors and motion-capture skeletons may differ from the body's.
        kinematic_model: parameters of the body that is fitted: a name, or the path of a file.
        height: standing height in metres (of an animal: at the withers) where the user gives none; None: the body's.
        models: role ("line", "multiview", "prior") -> name of the shipped weights.
        refinement_passes: most passes after the first that sample again with the fitted depth and gravity.
        sampling_steps: fewest sampling steps of any preset, for weights that err less with more than one.
        rigid_object: the object that moves with the body, or None.
        base: name of the subject that is the body alone; "" for a body without an object.
    """

    name: str
    title: str
    body: str
    layout: Layout
    root: tuple[str, ...]
    scale_bones: tuple[Bone, ...]
    scale_fallback_bones: tuple[Bone, ...]
    tree: Mapping[str, str]
    score_keypoints: tuple[str, ...]
    contacts: tuple[str, ...]
    contact_fallback: Mapping[str, str]
    body_keypoints: Mapping[str, str]
    models: Mapping[str, str]
    keypoint_offsets: tuple[KeypointOffset, ...] = ()
    kinematic_model: str = "human"
    height: float | None = None
    refinement_passes: int = 3
    sampling_steps: int = 1
    rigid_object: RigidObject | None = None
    base: str = ""

    @property
    def alone(self) -> Subject:
        """The subject without its object."""
        return get_subject(self.base) if self.base else self

    @property
    def rigid(self) -> tuple[str, ...]:
        """Keypoints of the layout that belong to the object."""
        return tuple(n for n in self.layout.names if self.rigid_object is not None and n in self.rigid_object.points)

    __hash__ = object.__hash__


def check_height(height: float | None, subject: Subject) -> None:
    """Refuse a height in metres that no person or animal has.

    Raises:
        LiftError: it is outside the range.
    """
    low, kind = (0.3, "person") if subject.body == "smpl" else (0.05, "four-legged animal")
    if height is not None and not low <= height <= 3.0:
        raise LiftError(f"A height of {height:g} is not that of a {kind}.", "Give metres, such as 1.75.")


def subject_names() -> list[str]:
    """Names of the subjects that come with MVLift."""
    return sorted(p.stem for p in _FOLDER.glob("*.json"))


def _keypoint_offset(row: Mapping[str, Any]) -> KeypointOffset:
    x, y, z = (float(v) for v in row["sigma"])
    return KeypointOffset(tuple(row["keypoints"]), str(row["joint"]), (x, y, z), float(row.get("asymmetry", 0.0)))


def _beside(path: Path, name: str) -> str:
    """A rig's name, or its file's path where a user's subject file names one beside it."""
    return str(path.parent / name) if name.endswith(".json") else name


def _rigid_object(row: Mapping[str, Any] | None) -> RigidObject | None:
    if row is None:
        return None
    if row["kind"] not in ("box", "points"):
        raise ValueError(f"object kind {row['kind']!r}")
    points = {str(n): (float(x), float(y), float(z)) for n, (x, y, z) in row["points"].items()}
    return RigidObject(str(row["name"]), row["kind"], points)


def _with_present_keys(data: Any) -> dict[str, Any]:
    """The keys of version 0.1 (``notions``, ``rig``; ``looks``, which counted the first pass) under today's names."""
    if not isinstance(data, dict):
        raise ValueError(f"it holds a {type(data).__name__}, not an object of keys")
    renamed = {str(_OLD_KEYS.get(key, key)): value for key, value in data.items()}
    if "looks" in renamed:
        renamed["refinement_passes"] = int(renamed.pop("looks")) - 1
    return renamed


def _read(path: Path) -> dict[str, Any]:
    """A subject file, with what it leaves out taken from the subject that it extends."""
    spec = _with_present_keys(read_json(path, dict[str, Any]))
    if "extends" not in spec:
        return dict(spec)
    if spec["extends"] not in subject_names():
        raise ValueError(f"it extends {spec['extends']!r}, which is none of {', '.join(subject_names())}")
    base = _read(_FOLDER / f"{spec['extends']}.json")
    tree = checked(spec.get("tree", {}), dict[str, str], path.name)
    return {**base, **spec, "tree": {**base["tree"], **tree}}


@dataclass(frozen=True)
class _SubjectFile:
    """What must be in a subject file, and of which type; see `Subject`."""

    name: str
    title: str
    body: str
    layout: str | dict[str, Any]
    root: list[str]
    scale_bones: list[tuple[str, str, float]]
    tree: dict[str, str]
    score_keypoints: list[str]
    contacts: list[str]
    body_keypoints: dict[str, Any]
    models: dict[str, str]
    scale_fallback_bones: list[tuple[str, str, float]] = field(default_factory=list)
    contact_fallback: dict[str, str] = field(default_factory=dict)
    keypoint_offsets: list[dict[str, Any]] = field(default_factory=list)
    kinematic_model: str = "human"
    height: float | None = None
    refinement_passes: int = 3
    sampling_steps: int = 1
    object: dict[str, Any] | None = None

    def check(self, layout: Layout) -> None:
        """Names that the layout has not.

        Raises:
            ValueError: there are some.
        """
        bones = [n for a, b, _ in (*self.scale_bones, *self.scale_fallback_bones) for n in (a, b)]
        named = {*self.root, *bones, *self.tree, *self.tree.values(), *self.score_keypoints, *self.contacts}
        unknown = sorted(named - {"root", "ground", ""} - set(layout.names) - set(layout.derived))
        if unknown or not self.root:
            raise ValueError(f"layout {layout.name} has no {', '.join(unknown[:6]) or 'root'}")
        if not 0 <= self.refinement_passes <= 20:
            raise ValueError(f"{self.refinement_passes} refinement passes")
        if not 1 <= self.sampling_steps <= 1000:
            raise ValueError(f"{self.sampling_steps} sampling steps")


@cache
def get_subject(name: str | Path) -> Subject:
    """A subject by name, or from a file of the user's own.

    Raises:
        LiftError: there is none of that name, or the file lacks a key.
    """
    path = Path(name) if str(name).endswith(".json") else _FOLDER / f"{name}.json"
    if not path.is_file():
        raise LiftError(f"There is no subject {str(name)!r}.", f"Known subjects: {', '.join(subject_names())}.")
    try:
        data = _read(path)
        layout = get_layout(data["layout"]) if isinstance(data.get("layout"), str) else layout_of(data["layout"])
        checked(data, _SubjectFile, path.name).check(layout)
        return Subject(
            name=data["name"],
            title=data["title"],
            body=data["body"],
            layout=layout,
            root=tuple(data["root"]),
            scale_bones=tuple((a, b, float(m)) for a, b, m in data["scale_bones"]),
            scale_fallback_bones=tuple((a, b, float(m)) for a, b, m in data.get("scale_fallback_bones", [])),
            tree=data["tree"],
            score_keypoints=tuple(data["score_keypoints"]),
            contacts=tuple(data["contacts"]),
            contact_fallback=data.get("contact_fallback", {}),
            body_keypoints=data["body_keypoints"],
            models=data["models"],
            keypoint_offsets=tuple(_keypoint_offset(row) for row in data.get("keypoint_offsets", [])),
            kinematic_model=_beside(path, data.get("kinematic_model", "human")),
            height=None if data.get("height") is None else float(data["height"]),
            refinement_passes=int(data.get("refinement_passes", Subject.refinement_passes)),
            sampling_steps=int(data.get("sampling_steps", Subject.sampling_steps)),
            rigid_object=_rigid_object(data.get("object")),
            base=data.get("extends", ""),
        )
    except MvliftError as error:
        raise LiftError(f"{path}: not a subject file ({error.message})", "Compare it with human.json.") from error
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise LiftError(f"{path}: not a subject file ({error}).", "Compare it with human.json.") from error
