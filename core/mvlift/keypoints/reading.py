"""`read_keypoints`: any supported file, folder or zip becomes clips, one per person."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from mvlift.errors import DamagedFileError, KeypointError
from mvlift.keypoints.assemble import Assembled, VideoFacts, assemble
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.keypoints.opening import open_source
from mvlift.keypoints.rates import checked_rate
from mvlift.keypoints.readers import Reader, find_reader, get_reader

__all__ = ["Inspection", "inspect_keypoints", "read_keypoints"]


@dataclass(frozen=True)
class Inspection:
    """What was recognised.

    Attributes:
        path: what was read.
        format: the reader's name.
        title: the format's name for people.
        why: what gave it away.
        layout: of the keypoints.
        alternatives: other layouts with as many keypoints and how badly they fit, best first.
        units: "pixels", "fraction", "percent" or "centred" (-1 to 1), as found in the file.
        clips: the people, best first.
        notes: what was assumed or left out.
    """

    path: Path
    format: str
    title: str
    why: str
    layout: Layout
    alternatives: tuple[tuple[str, float], ...]
    units: str
    clips: tuple[KeypointClip, ...]
    notes: tuple[str, ...]

    @property
    def frames(self) -> tuple[int, int]:
        """First and last frame number that shows anybody."""
        return min(c.first_frame for c in self.clips), max(c.first_frame + len(c) - 1 for c in self.clips)


def _checked_aspect(aspect: float | None) -> float:
    if aspect is None:
        return 1.0
    if not 0.1 <= aspect <= 10:
        raise KeypointError(f"{aspect:g} is not a pixel aspect ratio.", "Give width by height, such as 1.333.")
    return float(aspect)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Disable the garbage collector, which would traverse the document's millions of lists repeatedly and find no
    cycles."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@_without_collector()
def inspect_keypoints(
    path: str | Path,
    *,
    fps: Fraction | float | str | None = None,
    image_size: tuple[int, int] | None = None,
    layout: Layout | str | None = None,
    format: str | None = None,
    mirrored: bool = False,
    pixel_aspect: float | None = None,
) -> Inspection:
    """Read a file, folder or zip and say what it was taken for.

    Args:
        path: what the detector or the annotation tool wrote.
        fps: of the video.
        image_size: (width, height) of the video in pixels.
        layout: of the keypoints, where the file does not name them and the guess is wrong.
        format: reader to use, instead of recognition.
        mirrored: the picture was mirrored (a selfie camera), before or after detection; it is turned back.
        pixel_aspect: width of the video's pixels by their height, where they are not square.

    Raises:
        KeypointError: it cannot be read; the message says why and what to do.
    """
    source_path, rate = Path(path), checked_rate(fps)
    wanted = get_layout(layout) if isinstance(layout, str) else layout
    facts = VideoFacts(rate, image_size, wanted, mirrored, _checked_aspect(pixel_aspect))
    reader: Reader | None = None
    try:
        source = open_source(source_path)
        reader, why = (get_reader(format), "as asked") if format else find_reader(source)
        detections = reader.read(source)
        detections.notes += source.notes
        del source  # a big document, of which only the numbers are needed from here on
        if not len(detections.frame):
            raise KeypointError(f"{source_path.name} ({reader.title}) shows no person.", "Run the detector again.")
        made: Assembled = assemble(detections, source_path.name, detections.format or reader.name, facts)
    except DamagedFileError as error:
        raise KeypointError(error.message, error.remedy) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        title = reader.title if reader is not None else "keypoints"
        raise KeypointError(
            f"{source_path.name} looks like {title}, but is not written as such ({type(error).__name__}: {error}).",
            "Export it again, or name its format.",
        ) from error
    clips = tuple(replace(c, source=source_path) for c in made.clips)
    return Inspection(
        source_path,
        detections.format or reader.name,
        reader.title,
        why,
        made.layout,
        made.alternatives,
        made.units,
        clips,
        made.notes,
    )


def read_keypoints(
    path: str | Path,
    *,
    fps: Fraction | float | str | None = None,
    image_size: tuple[int, int] | None = None,
    layout: Layout | str | None = None,
    format: str | None = None,
    mirrored: bool = False,
    pixel_aspect: float | None = None,
) -> list[KeypointClip]:
    """One clip for each person in a file, folder or zip, best first; arguments as `inspect_keypoints`.

    Raises:
        KeypointError: it cannot be read; the message says why and what to do.
    """
    inspection = inspect_keypoints(
        path, fps=fps, image_size=image_size, layout=layout, format=format, mirrored=mirrored, pixel_aspect=pixel_aspect
    )
    return list(inspection.clips)
