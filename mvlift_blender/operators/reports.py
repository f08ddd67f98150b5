"""Error reporting of operators: a sentence for expected errors, a copyable report for bugs."""

# Annotations are Blender's property definitions here: they must not be turned into strings.
from typing import Any

import bpy

from ..interface.report import bug_report, explain

__all__ = ["CLASSES", "MVLIFT_OT_show_report", "report_error"]


class MVLIFT_OT_show_report(bpy.types.Operator):
    """Show the last error with versions and traceback, to copy into a bug report"""

    bl_idname = "mvlift.show_report"
    bl_label = "MVLift Report"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is a report."""
        cls.poll_message_set("No errors have been reported")
        return bool(context.window_manager.mvlift_job.report)

    def execute(self, context: Any) -> set[str]:
        """Put the report on the clipboard."""
        context.window_manager.clipboard = context.window_manager.mvlift_job.report
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Show it first."""
        return context.window_manager.invoke_props_dialog(self, width=700)

    def draw(self, context: Any) -> None:
        """The report's lines."""
        column = self.layout.column(align=True)
        column.label(text="MVLift encountered an unexpected error. OK copies this report:", icon="ERROR")
        for line in context.window_manager.mvlift_job.report.splitlines()[-24:]:
            column.label(text=line[:140])


def report_error(operator: Any, context: Any, error: BaseException, doing: str) -> set[str]:
    """Report a failure and give ``{"CANCELLED"}``; unexpected errors are raised again after the report is stored.

    Args:
        operator: that failed.
        context: of Blender.
        error: what was raised.
        doing: what was being done, for the report.
    """
    text = explain(error)
    if text is not None:
        operator.report({"ERROR"}, text)
        return {"CANCELLED"}
    context.window_manager.mvlift_job.report = bug_report(error, doing)
    if not bpy.app.background:
        bpy.ops.mvlift.show_report("INVOKE_DEFAULT")
    raise error


CLASSES = (MVLIFT_OT_show_report,)
