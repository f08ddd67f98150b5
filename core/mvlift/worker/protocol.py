"""What the engine process and its client say to each other: JSON documents, each ended by a NUL byte.

Client to engine: ``{"do": "lift", "job", "clip", "out", "options"}``, ``{"do": "cancel", "job"}`` and
``{"do": "describe", "job"}``; options are those of `mvlift.lifting.options.LiftOptions`.
Engine to client: ``hello`` once, then ``progress``, ``warning``, ``result``, ``error``, ``cancelled``, ``description``,
each under the key ``"is"``. Arrays go through files that the client names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

__all__ = ["PROTOCOL", "read_messages", "write_message"]

PROTOCOL: Final = 1
_LONGEST: Final = 1 << 20


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
