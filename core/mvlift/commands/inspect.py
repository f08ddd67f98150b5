"""`mvlift inspect`, `mvlift convert`, `mvlift models`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from mvlift.commands.shared import check_inputs, check_video, chosen_people, read_inputs, usage_errors
from mvlift.errors import MvliftError
from mvlift.keypoints.reading import Inspection
from mvlift.lifting.hand_detections import hand_frames

if TYPE_CHECKING:
    from mvlift.cli import Convert, Inspect

__all__ = ["as_json", "run_convert", "run_inspect", "run_models"]


def run_inspect(command: Inspect, console: Console) -> int:
    """Print what each input was recognised as."""
    check_inputs(command.inputs)
    check_video(command.video)
    failed = 0
    out = Console(file=sys.stdout, highlight=False, markup=False)
    for path in command.inputs:
        try:
            inspection = read_inputs(path, command.video)
            if command.json:
                print(json.dumps(as_json(inspection)))
            else:
                _show(inspection, out)
        except MvliftError as error:
            console.print(f"mvlift: {error}", style="red", markup=False, soft_wrap=True)
            failed = 1
    return failed


def as_json(inspection: Inspection) -> dict[str, Any]:
    """What was recognised, as values that JSON can hold; unknown sizes and rates are null."""
    best = inspection.clips[0]
    return {
        "path": str(inspection.path),
        "format": inspection.format,
        "why": inspection.why,
        "layout": inspection.layout.name,
        "layouts": [{"name": name, "misfit": round(misfit, 4)} for name, misfit in inspection.alternatives],
        "units": inspection.units,
        "frames": inspection.frames[1] - inspection.frames[0] + 1,
        "first": inspection.frames[0],
        "last": inspection.frames[1],
        "fps": float(best.fps) if best.fps else None,
        "image_size": list(best.image_size) if best.image_size else None,
        "people": [
            {
                "id": clip.track_id,
                "first": clip.first_frame,
                "last": clip.first_frame + len(clip) - 1,
                "mean_confidence": round(clip.mean_confidence, 4),
                "missing": round(float(1 - clip.seen.mean()), 4),
                "gaps": [[int(a), int(b)] for a, b in clip.gaps()],
                "hands": dict(zip(("left", "right"), hand_frames(clip), strict=True)),
            }
            for clip in inspection.clips
        ],
        "assumptions": list(inspection.notes),
    }


def _show(inspection: Inspection, out: Console) -> None:
    first, last = inspection.frames
    best = inspection.clips[0]
    out.print(str(inspection.path), style="bold", soft_wrap=True)
    out.print(f"  {inspection.title} ({inspection.format}): {inspection.why}", markup=False, soft_wrap=True)
    others = ", ".join(f"{n} ({misfit:.2f})" for n, misfit in inspection.alternatives[1:4])
    out.print(f"  {inspection.layout.title}" + (f"; other layouts: {others}" if others else ""), markup=False)
    size = f"{best.image_size[0]}x{best.image_size[1]}" if best.image_size else "unknown size"
    rate = f"{float(best.fps):.5g} fps" if best.fps else "unknown frame rate"
    out.print(f"  frames {first} to {last}, {size}, {rate}, coordinates in {inspection.units}")
    columns = ["person", "frames", "from", "to", "gaps", "missing", "confidence"]
    with_hands = any(any(hand_frames(clip)) for clip in inspection.clips)
    table = Table(*columns, *(["left hand", "right hand"] if with_hands else []), box=None, pad_edge=True)
    for clip in inspection.clips[:20]:
        table.add_row(
            clip.track_id,
            str(len(clip)),
            str(clip.first_frame),
            str(clip.first_frame + len(clip) - 1),
            str(len(clip.gaps())),
            f"{100 * (1 - clip.seen.mean()):.0f} %",
            f"{clip.mean_confidence:.2f}",
            *([str(frames) for frames in hand_frames(clip)] if with_hands else []),
        )
    out.print(table)
    if len(inspection.clips) > 20:
        out.print(f"  and {len(inspection.clips) - 20} more people")
    for note in inspection.notes:
        out.print(f"  {note}", markup=False, soft_wrap=True)


def run_convert(command: Convert, console: Console) -> int:
    """Write a clip in another format."""
    from mvlift.keypoints.writing import check_output, write_keypoints

    check_video(command.video)
    with usage_errors():
        check_output(command.output)
    inspection = read_inputs(command.input, command.video)
    people = chosen_people(inspection.clips, command.person)
    write_keypoints(people, command.output)
    console.print(f"{command.output}: {len(people)} people", markup=False, soft_wrap=True)
    return 0


def run_models(console: Console) -> int:
    """List the weights."""
    from mvlift.models import describe_model, model_names, model_summary

    table = Table("weights", "kind", "about", box=None)
    for name in model_names():
        table.add_row(name, str(describe_model(name).get("kind", "")), model_summary(name))
    Console(file=sys.stdout).print(table)
    return 0
