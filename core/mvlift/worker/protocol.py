"""What the engine process and its client say to each other: JSON documents, each ended by a NUL byte.

The engine begins with a NUL byte, which ends whatever its interpreter printed before.

Client to engine: ``{"do": "lift", "job", "clip", "out", "options"}``, ``{"do": "detect", "job", "video", "out",
"options"}``, ``{"do": "cancel", "job"}`` and ``{"do": "describe", "job"}``; options are those of
`mvlift.lifting.options.LiftOptions` and `mvlift.detection.DetectionOptions`.
Engine to client: ``hello`` once, then ``progress``, ``warning``, ``result``, ``error``, ``cancelled``, ``description``,
each under the key ``"is"``. Arrays go through files that the client names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

__all__ = ["PROTOCOL", "read_messages", "write_message"]

PROTOCOL: Final = 1
_LONGEST: Final = 1 << 20


def write_message(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Send one message."""
    stream.write(json.dumps(message).encode() + b"\0")
    stream.flush()


def read_messages(stream: BinaryIO, noise: Callable[[str], None] | None = None) -> Iterator[dict[str, Any]]:
    """Messages until the other side closes.

    Args:
        stream: to read.
        noise: takes what is no message as long as none has come: what an interpreter prints while it starts.

    Raises:
        ValueError: something else than messages, after the first one or without ``noise``.
    """
    pending, greeted = b"", noise is None
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        pending += chunk
        *parts, pending = pending.split(b"\0")
        if len(pending) > _LONGEST:
            raise ValueError("a message without end")
        for part in parts:
            message = _parsed(part)
            if isinstance(message, dict):
                greeted = True
                yield message
            elif greeted:
                raise ValueError(f"a message that is not an object: {part[:80]!r}")
            elif noise is not None and part.strip():
                noise(part.decode(errors="replace").strip())
    if noise is not None and not greeted and pending.strip():
        noise(pending.decode(errors="replace").strip())


def _parsed(part: bytes) -> object:
    try:
        return json.loads(part)
    except ValueError:
        return None
