"""People put together by hand: a track cut, joined to another, or exchanged with another from a frame on.

`split_clip`, `join_clips` and `swap_clips` do so with clips (`KeypointClip.restricted` keeps a range of frames).

Where only names can be kept, as in a scene or on a command line, a person is one text: the name of a track, or the
pieces of tracks that the person is made of, as JSON ``[[track, first frame, last frame], ...]``. The keypoints stay in
their file, and `find_person` gets them from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS, HandKeypoints

__all__ = [
    "Piece",
    "cut",
    "exchanged",
    "find_person",
    "join_clips",
    "joined",
    "parse_track",
    "pieces_of",
    "split_clip",
    "swap_clips",
    "track_text",
]


@dataclass(frozen=True, order=True)
class Piece:
    """Frames ``first`` to ``last`` (numbers in the video, inclusive) of a track."""

    first: int
    last: int
    track: str


def parse_track(text: str) -> tuple[Piece, ...] | None:
    """The pieces that a text names, or None when it is the name of a whole track."""
    try:
        rows = json.loads(text)
    except ValueError:
        return None
    if not isinstance(rows, list) or not rows:
        return None
    pieces = []
    for row in rows:
        match row:
            case [str(track), int(first), int(last)]:
                pieces.append(Piece(first, last, track))
            case _:
                return None
    return tuple(pieces)


def track_text(pieces: Iterable[Piece]) -> str:
    """The text of pieces, in order of time."""
    return json.dumps([[p.track, p.first, p.last] for p in sorted(pieces)])


def pieces_of(text: str, first: int, last: int) -> tuple[Piece, ...]:
    """A person's pieces; a whole track is one from ``first`` to ``last``."""
    return parse_track(text) or (Piece(first, last, text),)


def cut(pieces: Sequence[Piece], first: int, last: int) -> tuple[Piece, ...]:
    """What lies between two frames, inclusive."""
    inside = (replace(p, first=max(p.first, first), last=min(p.last, last)) for p in pieces)
    return tuple(p for p in inside if p.first <= p.last)


def joined(a: Sequence[Piece], b: Sequence[Piece]) -> tuple[Piece, ...]:
    """One person of two; where both have a frame, it is a's."""
    kept = list(a)
    for piece in b:
        free = [piece]
        for taken in a:
            free = [
                part
                for p in free
                for part in (*cut([p], p.first, taken.first - 1), *cut([p], taken.last + 1, p.last))
            ]  # fmt: skip
        kept += free
    return tuple(sorted(kept))


def exchanged(
    a: Sequence[Piece], b: Sequence[Piece], frame: int
) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:  # fmt: skip
    """Two people who take each other's keypoints from a frame on."""
    end = max(p.last for p in (*a, *b))
    low = min(p.first for p in (*a, *b))
    before = [cut(p, low, frame - 1) for p in (a, b)]
    after = [cut(p, frame, end) for p in (a, b)]
    return before[0] + after[1], before[1] + after[0]


def find_person(clips: Sequence[KeypointClip], text: str) -> KeypointClip | None:
    """The clip of a person, put together from pieces where need be; None when a track is not there.

    Raises:
        KeypointError: the pieces have no frame in common with their tracks, or different layouts.
    """
    exact = next((clip for clip in clips if clip.track_id == text), None)
    pieces = parse_track(text)
    if exact is not None or pieces is None:
        return exact
    tracks = {clip.track_id: clip for clip in clips}
    if any(piece.track not in tracks for piece in pieces):
        return None
    return _made_of(tracks, pieces, text)


def _made_of(tracks: Mapping[str, KeypointClip], pieces: Sequence[Piece], name: str) -> KeypointClip:
    """A clip called ``name`` of pieces; frames between them have no keypoints.

    Raises:
        KeypointError: there are no pieces, they lie outside their tracks, or have different layouts.
    """
    if not pieces:
        raise KeypointError("No frames remain for this person.", "Choose other frames.")
    parts = [tracks[p.track].restricted(p.first, p.last) for p in sorted(pieces)]
    if len({part.layout.names for part in parts}) > 1:
        raise KeypointError("The pieces of this person have different keypoints.", "Split the person again.")
    first = min(part.first_frame for part in parts)
    count = max(part.first_frame + len(part) for part in parts) - first
    points = np.zeros((count, *parts[0].points.shape[1:]), dtype=np.float32)
    confidence = np.zeros((count, parts[0].confidence.shape[1]), dtype=np.float32)
    for part in parts:
        rows = slice(part.first_frame - first, part.first_frame - first + len(part))
        points[rows], confidence[rows] = part.points, part.confidence
    hands = _joined_hands(parts, first, count)
    return replace(parts[0], points=points, confidence=confidence, first_frame=first, track_id=name, hands=hands)


def _joined_hands(parts: Sequence[KeypointClip], first: int, count: int) -> HandKeypoints | None:
    """The hands of pieces in ``count`` frames from ``first`` on; None where no piece has any."""
    pieces = [(part.first_frame - first, part.hands) for part in parts if part.hands is not None]
    if not pieces:
        return None
    points = np.zeros((count, 2, HAND_KEYPOINTS, 2), dtype=np.float32)
    confidence = np.zeros((count, 2, HAND_KEYPOINTS), dtype=np.float32)
    depth = np.full((count, 2, HAND_KEYPOINTS), np.nan, dtype=np.float32)
    for start, hands in pieces:
        rows = slice(start, start + len(hands))
        points[rows], confidence[rows] = hands.points, hands.confidence
        if hands.depth is not None:
            depth[rows] = hands.depth
    return HandKeypoints(points, confidence, depth if np.isfinite(depth).any() else None)


def _whole(clip: KeypointClip, name: str) -> Piece:
    return Piece(clip.first_frame, clip.first_frame + len(clip) - 1, name)


def split_clip(clip: KeypointClip, frame: int) -> tuple[KeypointClip, KeypointClip]:
    """Two people of one: before a frame of the video, and from it on.

    Raises:
        KeypointError: nothing lies before the frame, or nothing from it on.
    """
    last = clip.first_frame + len(clip) - 1
    later = clip.restricted(frame, max(frame, last))
    return clip.restricted(clip.first_frame, frame - 1), replace(later, track_id=f"{clip.track_id} from {frame}")


def join_clips(a: KeypointClip, b: KeypointClip) -> KeypointClip:
    """One person of two, with a's name; where both have a frame, it is a's.

    Raises:
        KeypointError: they have different layouts.
    """
    pieces = joined([_whole(a, "a")], [_whole(b, "b")])
    return replace(_made_of({"a": a, "b": b}, pieces, a.track_id), metadata=a.metadata)


def swap_clips(a: KeypointClip, b: KeypointClip, frame: int) -> tuple[KeypointClip, KeypointClip]:
    """Two people who take each other's keypoints from a frame of the video on.

    Raises:
        KeypointError: no frames remain for one of them, or they have different layouts.
    """
    ours, theirs = exchanged([_whole(a, "a")], [_whole(b, "b")], frame)
    tracks = {"a": a, "b": b}
    return _made_of(tracks, ours, a.track_id), _made_of(tracks, theirs, b.track_id)
