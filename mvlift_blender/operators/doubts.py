"""The doubtful parts of a lift: go to them, lift them again, bridge them, or say that they are good."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty

from ..cleanup.repair import interpolate
from ..lifting.jobs import why_busy
from ..scene.animation import current_curves, select_bones
from ..scene.selected import lifted_armature, why_no_record
from .reports import report_error

__all__ = ["CLASSES", "doubtful_action"]

_STEPS = (
    ("HERE", "Selected", "The selected part"),
    ("NEXT", "Next", "The next part; after the last, the first"),
    ("PREVIOUS", "Previous", "The previous part; before the first, the last"),
)
_MARGIN = 2  # scene frames on either side of a doubtful part that are repaired with it


def doubtful_action(context: Any) -> Any | None:
    """The Action of the lifted armature that the buttons work on, None without one."""
    armature = lifted_armature(context)
    curves = current_curves(armature) if armature is not None else None
    return curves.action if curves is not None else None


class _OfDoubt:
    """An operator on the selected doubtful part."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature with doubtful parts, and no lift that runs."""
        reason = why_busy(context) or why_no_record(context)
        action = doubtful_action(context) if not reason else None
        if not reason and (action is None or not len(action.mvlift_doubts)):
            reason = "There are no doubtful parts"
        cls.poll_message_set(reason)
        return not reason

    def part(self, context: Any) -> Any:
        """The selected part."""
        action = doubtful_action(context)
        assert action is not None  # poll has made sure
        action.mvlift_doubt = min(max(action.mvlift_doubt, 0), len(action.mvlift_doubts) - 1)
        return action.mvlift_doubts[action.mvlift_doubt]


class MVLIFT_OT_doubt_jump(_OfDoubt, bpy.types.Operator):
    """Go to a doubtful part: its worst frame, its bone selected, the keys around it in the timeline and editors"""

    bl_idname = "mvlift.doubt_jump"
    bl_label = "Go to Doubtful Part"
    bl_options = {"REGISTER", "UNDO"}

    step: EnumProperty(name="Part", description="Which one", items=_STEPS)

    def execute(self, context: Any) -> set[str]:
        """Go."""
        action = doubtful_action(context)
        assert action is not None  # poll has made sure
        step = {"HERE": 0, "NEXT": 1, "PREVIOUS": -1}[self.step]
        action.mvlift_doubt = (action.mvlift_doubt + step) % len(action.mvlift_doubts)
        part, armature = self.part(context), lifted_armature(context)
        context.scene.frame_set(round(part.worst))
        if part.joint in armature.data.bones:
            select_bones(armature, (part.joint,))
        _show_frame(context)
        return {"FINISHED"}


def _show_frame(context: Any) -> None:
    """Bring the playhead into view in the editors of keys."""
    views = {"DOPESHEET_EDITOR": "action", "GRAPH_EDITOR": "graph"}
    for window in [] if bpy.app.background else context.window_manager.windows:
        for area in (a for a in window.screen.areas if a.type in views):
            region = next((r for r in area.regions if r.type == "WINDOW"), None)
            if region is not None:
                with context.temp_override(window=window, area=area, region=region):
                    getattr(bpy.ops, views[area.type]).view_frame()


class MVLIFT_OT_doubt_relift(_OfDoubt, bpy.types.Operator):
    """Lift the selected doubtful part again with another seed, and blend it in"""

    bl_idname = "mvlift.doubt_relift"
    bl_label = "Lift This Part Again"
    bl_options = {"INTERNAL"}

    seed: IntProperty(name="Seed", description="Another seed gives another solution; 0 takes the next seed", min=0)

    def execute(self, context: Any) -> set[str]:
        """Hand over to the dialog of a range, with the part's own frames."""
        part, settings = self.part(context), context.scene.mvlift
        action = doubtful_action(context)
        tried = int(action.get("mvlift_seed", settings.seed)) if action is not None else settings.seed
        seed = self.seed or tried + 1
        way = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        first, last = round(part.first) - _MARGIN, round(part.last) + _MARGIN
        bpy.ops.mvlift.relift_range(way, first=first, last=last, seed=seed, blend=4, smoothing=settings.smoothing)
        return {"FINISHED"}


class MVLIFT_OT_doubt_interpolate(_OfDoubt, bpy.types.Operator):
    """Replace the selected doubtful part by interpolation between the poses before and after it"""

    bl_idname = "mvlift.doubt_interpolate"
    bl_label = "Interpolate"
    bl_options = {"REGISTER", "UNDO"}

    margin: IntProperty(
        name="Margin",
        description="Scene frames before and after the part that are replaced too",
        default=_MARGIN,
        min=0,
        max=60,
    )

    def execute(self, context: Any) -> set[str]:
        """Bridge it, and take it off the list."""
        part = self.part(context)
        frames = (round(part.first) - self.margin, round(part.last) + self.margin)
        try:
            said = interpolate(lifted_armature(context), frames)
        except Exception as error:
            return report_error(self, context, error, "interpolating")
        _take_off(context)
        self.report({"INFO"}, said)
        return {"FINISHED"}


class MVLIFT_OT_doubt_good(_OfDoubt, bpy.types.Operator):
    """Remove the selected part from the list: the motion is right"""

    bl_idname = "mvlift.doubt_good"
    bl_label = "Mark as Good"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Take it off."""
        self.part(context)
        _take_off(context)
        return {"FINISHED"}


def _take_off(context: Any) -> None:
    """Take the selected part off the list of the present Action."""
    action = doubtful_action(context)
    if action is not None and action.mvlift_doubt < len(action.mvlift_doubts):
        action.mvlift_doubts.remove(action.mvlift_doubt)
        action.mvlift_doubt = max(0, min(action.mvlift_doubt, len(action.mvlift_doubts) - 1))


CLASSES = (MVLIFT_OT_doubt_jump, MVLIFT_OT_doubt_relift, MVLIFT_OT_doubt_interpolate, MVLIFT_OT_doubt_good)
