"""What the engine process and its client say to each other: JSON documents, each ended by a NUL byte.

Client to engine: ``{"do": "lift", "job", "clip", "out", "options"}``, ``{"do": "cancel", "job"}`` and
``{"do": "describe", "job"}``.
Engine to client: ``hello`` once, then ``progress``, ``warning``, ``result``, ``error``, ``cancelled``, ``description``,
each under the key ``"is"``. Arrays go through files that the client names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO, Final, Literal

from mvlift.lifting.objects.shape import ObjectShape

__all__ = ["PROTOCOL", "LiftOptions", "read_messages", "write_message"]

PROTOCOL: Final = 1
_LONGEST: Final = 1 << 20


@dataclass(frozen=True)
class LiftOptions:
    """Arguments of `mvlift.lift` other than the clip; see there.

    Attributes:
        frames: first and last frame number of the video to lift, None for all.
    """

    subject: str = "human"
    preset: str = "quality"
    device: str | None = None
    height: float | None = None
    focal: float | None = None
    fps: Fraction | None = None
    image_size: tuple[int, int] | None = None
    seed: int = 0
    smoothing: float = 1.0
    body: str | None = None
    models: dict[str, str] | None = None
    frames: tuple[int, int] | None = None
    rigid_object: ObjectShape | None = None
    hands: Literal["auto", "off", "relaxed"] = "auto"
    threads: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        fps = str(self.fps) if self.fps is not None else None
        return {
            **self.__dict__,
            "fps": fps,
            "rigid_object": self.rigid_object.to_json() if self.rigid_object is not None else None,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> LiftOptions:
        """Inverse of ``to_json``; unknown names raise TypeError."""
        pairs = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        fps = Fraction(values["fps"]) if values.get("fps") else None
        rigid_object = ObjectShape.from_json(values["rigid_object"]) if values.get("rigid_object") else None
        return LiftOptions(**{**values, **pairs, "fps": fps, "rigid_object": rigid_object})


def write_message(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Send one message."""
    stream.write(json.dumps(message).encode() + b"\0")
    stream.flush()


def read_messages(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Messages until the other side closes; what is no message of ours ends the stream with ValueError."""
    pending = b""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        pending += chunk
        *whole, pending = pending.split(b"\0")
        if len(pending) > _LONGEST:
            raise ValueError("a message without end")
        for part in whole:
            message = json.loads(part)
            if not isinstance(message, dict):
                raise ValueError("a message that is no object")
            yield message
