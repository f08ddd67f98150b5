"""Lift to 3D, lift a part again, cancel, and test the engine."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
import threading
import time
from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty
from mvlift.errors import MvliftError

from ..engine.process import shared_client
from ..engine.queue import Request
from ..importing.people import why_not
from ..interface.sidebar import redraw_tab
from ..lifting.jobs import EngineJob, running_job, why_busy
from ..lifting.plan import plan_lift
from ..lifting.present import fill_retarget, is_playing, show_result
from ..lifting.relift import plan_relift, write_relifted
from ..lifting.write import Lifted, write_lifted
from ..motion.limbs_mask import LIMB_ITEMS
from ..scene.selected import lifted_armature, why_no_record
from ..settings.preferences import PACKAGE, engine_source, preferences_of
from .reports import report_error

__all__ = ["CLASSES", "EngineOperator"]


class EngineOperator:
    """An operator that waits for the engine: blocking when called from a script, otherwise beside the user's work.

    Subclasses give ``requests`` and ``write``.
    """

    doing = ""

    def requests(self, context: Any) -> Sequence[Request]:
        """What to lift; raises MvliftError when it cannot be lifted."""
        raise NotImplementedError

    def write(self, context: Any, lifted: Lifted) -> str:
        """Write what was lifted; what to tell the user."""
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        """Lift and wait."""
        try:
            job = EngineJob(context, self.requests(context))
            return self._written(context, job, job.run())
        except Exception as error:
            return report_error(self, context, error, self.doing)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Start to lift; ``modal`` goes on."""
        if bpy.app.background:
            return self.execute(context)
        try:
            self._job = EngineJob(context, self.requests(context))
        except Exception as error:
            return report_error(self, context, error, self.doing)
        self._job.begin(context)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look at the engine now and then; Esc cancels, unless it stops an animation that plays."""
        if running_job() is not self._job:  # it was stopped from outside
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and not is_playing(context):
            self._job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            if self._job.step(context):
                return {"PASS_THROUGH"}
            self._job.end(context)
            return self._written(context, self._job, self._job.lifted)
        except Exception as error:
            self._job.end(context)
            return report_error(self, context, error, self.doing)

    def cancel(self, _context: Any) -> None:
        """Blender takes the operator away: its window closes or another file is opened."""
        if running_job() is self._job:
            self._job.abandon()

    def _written(self, context: Any, job: EngineJob, lifted: Lifted) -> set[str]:
        if job.cancelled:
            self.report({"INFO"}, "Cancelled; the scene was not changed")
            return {"CANCELLED"}
        began = time.perf_counter()
        text = self.write(context, lifted)
        for sentence in dict.fromkeys(job.warnings):
            self.report({"WARNING"}, sentence)
        self.report({"INFO"}, f"{text} in {time.perf_counter() - began:.1f} s")
        return {"FINISHED"}


class MVLIFT_OT_lift(EngineOperator, bpy.types.Operator):
    """Lift the selected people to 3D: an armature with the body, keyed, and the camera of the video"""

    bl_idname = "mvlift.lift"
    bl_label = "Lift to 3D"
    bl_options = {"UNDO"}
    doing = "lifting to 3D"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Something to lift, and all that is needed to."""
        reason = why_busy(context) or why_not(context.scene.mvlift)
        if not reason and context.mode != "OBJECT":
            reason = "Switch to Object Mode first"
        cls.poll_message_set(reason)
        return not reason

    def requests(self, context: Any) -> Sequence[Request]:
        """The selected people."""
        self._plan = plan_lift(context)
        return self._plan.requests

    def write(self, context: Any, lifted: Lifted) -> str:
        """Armatures, bodies, camera."""
        written = write_lifted(context, self._plan.write, lifted)
        show_result(context, written)
        fill_retarget(context, written[0].armature)
        frames = sum(w.timing.count for w in written)
        doubtful = sum(w.doubtful for w in written)
        marked = f"; {doubtful} doubtful parts are marked" if doubtful else ""
        said = written[0].armature.users_scene[0].mvlift.said
        return f"{len(written)} lifted, {frames} frames{marked}. {said}. Written"


class MVLIFT_OT_relift(EngineOperator, bpy.types.Operator):
    """Lift a part of a lifted motion again and blend it into the rest"""

    bl_idname = "mvlift.relift"
    bl_label = "Lift Range Again Now"
    bl_options = {"UNDO"}
    doing = "lifting a range again"

    first: IntProperty(name="First", description="First scene frame to lift again", default=1)
    last: IntProperty(name="Last", description="Last scene frame to lift again", default=250)
    blend: IntProperty(
        name="Blend",
        description="Frames on either side over which old and new motion are blended",
        default=8,
        min=0,
        max=100,
    )
    seed: IntProperty(name="Seed", description="Another seed gives another solution", default=1, min=0)
    smoothing: FloatProperty(
        name="Smoothing", description="Multiplier on the temporal smoothing of the new part", default=1.0, min=0, max=10
    )

    limbs: EnumProperty(
        name="Parts",
        description="Exchange these parts of the body only, over the Action as it is; none means all",
        items=LIMB_ITEMS,
        options={"ENUM_FLAG"},
        default=set(),
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """A lifted armature whose keypoints are known."""
        reason = why_busy(context) or why_no_record(context, with_source=True)
        cls.poll_message_set(reason)
        return not reason

    def requests(self, context: Any) -> Sequence[Request]:
        """The range, with room to blend."""
        frames = self.first, self.last
        self._plan = plan_relift(
            context, lifted_armature(context), frames, self.blend, self.seed, self.smoothing, self.limbs
        )
        return [self._plan.request]

    def write(self, context: Any, lifted: Lifted) -> str:
        """A new Action with the range exchanged."""
        write_relifted(self._plan, lifted[0][1])
        return f"Frames {self.first} to {self.last} lifted again; written"


class MVLIFT_OT_cancel(bpy.types.Operator):
    """Cancel the running lift; the scene is not changed"""

    bl_idname = "mvlift.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """A lift is running."""
        cls.poll_message_set("No lift is running")
        return running_job() is not None

    def execute(self, _context: Any) -> set[str]:
        """Ask the running job to end."""
        job = running_job()
        if job is not None:
            job.cancel()
        return {"FINISHED"}


class MVLIFT_OT_test_engine(bpy.types.Operator):
    """Start the engine and report its versions, torch, graphics cards and missing packages"""

    bl_idname = "mvlift.test_engine"
    bl_label = "Test Engine"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Not while it lifts."""
        reason = why_busy(context)
        cls.poll_message_set(reason)
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Ask the engine and wait."""
        try:
            description = shared_client(engine_source(context)).describe()
        except MvliftError as error:
            return self._said(context, error)
        return self._said(context, description)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask beside the user's work: an engine that starts takes seconds."""
        if bpy.app.background:
            return self.execute(context)
        self._answer: list[Any] = []
        client = shared_client(engine_source(context))

        def ask() -> None:
            try:
                self._answer.append(client.describe())
            except BaseException as error:  # handed to the main thread by modal
                self._answer.append(error)

        threading.Thread(target=ask, daemon=True).start()
        job = context.window_manager.mvlift_job
        job.running, job.stage = True, "Starting the engine"
        self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Wait for the answer."""
        if event.type != "TIMER" or not self._answer:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        job = context.window_manager.mvlift_job
        job.running, job.stage = False, ""
        redraw_tab(context.window_manager)
        return self._said(context, self._answer[0])

    def _said(self, context: Any, answer: Any) -> set[str]:
        """Report the answer, and keep it in the preferences."""
        preferences = preferences_of(context)
        text = str(answer) if isinstance(answer, BaseException) else describe_engine(answer)
        if preferences is not None:
            preferences.engine_report = text
        if isinstance(answer, BaseException):
            return report_error(self, context, answer, "testing the engine")
        self.report({"INFO"}, text.replace("\n", "; "))
        return {"FINISHED"}


def describe_engine(description: dict[str, Any]) -> str:
    """The engine's answer in two or more lines."""
    cards = [
        f"{name}, {memory / 2**30:.0f} GB"
        for name, memory in zip(description.get("gpus", []), description.get("gpu_memory", []), strict=False)
    ]
    if description.get("mps"):
        cards.append("Apple graphics (Metal)")
    cards += [name for device, name in _PROVIDERS.items() if device in description.get("devices", [])]
    torch = (
        f"torch {description['torch']}"
        if description.get("torch")
        else "no torch (only needed for CUDA and the preset As Published)"
    )
    if description.get("torch_problem"):
        torch = f"torch cannot be loaded: {description['torch_problem']}"
    runtime = f"ONNX Runtime {description.get('onnxruntime')}"
    return "\n".join(
        [
            f"MVLift {description.get('mvlift')}, Python {description.get('python')}, {runtime}, {torch}",
            *(cards or ["No graphics card: the processor is used"]),
        ]
    )


_PROVIDERS = {
    "directml": "Any graphics card, by DirectML",
    "coreml": "Apple graphics and neural engine, by Core ML",
    "cuda": "An NVIDIA card, by ONNX Runtime",
}


class MVLIFT_OT_preferences(bpy.types.Operator):
    """Open MVLift's preferences: the engine, your SMPL model, folders"""

    bl_idname = "mvlift.preferences"
    bl_label = "MVLift Preferences"

    def execute(self, _context: Any) -> set[str]:
        """Show the page of this extension."""
        bpy.ops.preferences.addon_show(module=PACKAGE)
        return {"FINISHED"}


CLASSES = (MVLIFT_OT_lift, MVLIFT_OT_relift, MVLIFT_OT_cancel, MVLIFT_OT_test_engine, MVLIFT_OT_preferences)
