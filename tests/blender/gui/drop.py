"""Files let go over a window, as a file manager does it: the source's side of the XDND protocol, version 5."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from ctypes import POINTER, Structure, Union, byref, c_char, c_char_p, c_int, c_long, c_ulong, c_void_p
from pathlib import Path
from typing import Any, Final

__all__ = ["drop_files"]

_PATIENCE: Final = 20.0  # seconds
_CLIENT_MESSAGE, _SELECTION_NOTIFY, _SELECTION_REQUEST = 33, 31, 30  # numbers of X.h
_CURRENT_TIME, _REPLACE, _BYTES, _WORDS = 0, 0, 8, 32


class _Message(Structure):
    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("window", c_ulong),
        ("message", c_ulong), ("format", c_int), ("data", c_long * 5),
    )  # fmt: skip


class _Request(Structure):
    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("owner", c_ulong),
        ("requestor", c_ulong), ("selection", c_ulong), ("target", c_ulong), ("property", c_ulong), ("time", c_ulong),
    )  # fmt: skip


class _Answer(Structure):
    _fields_ = (
        ("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p), ("requestor", c_ulong),
        ("selection", c_ulong), ("target", c_ulong), ("property", c_ulong), ("time", c_ulong),
    )  # fmt: skip


class _Event(Union):
    _fields_ = (
        ("type", c_int),
        ("message", _Message),
        ("request", _Request),
        ("answer", _Answer),
        ("room", c_long * 24),
    )


def _library() -> Any:
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = c_void_p
    for name, result, arguments in (
        ("XDefaultRootWindow", c_ulong, [c_void_p]),
        ("XCreateSimpleWindow", c_ulong, [c_void_p, c_ulong, *[c_int] * 2, *[c_int] * 3, c_ulong, c_ulong]),
        ("XInternAtom", c_ulong, [c_void_p, c_char_p, c_int]),
        ("XSetSelectionOwner", c_int, [c_void_p, c_ulong, c_ulong, c_ulong]),
        ("XSendEvent", c_int, [c_void_p, c_ulong, c_int, c_long, POINTER(_Event)]),
        ("XChangeProperty", c_int, [c_void_p, c_ulong, c_ulong, c_ulong, c_int, c_int, POINTER(c_char), c_int]),
        ("XNextEvent", c_int, [c_void_p, POINTER(_Event)]),
        ("XPending", c_int, [c_void_p]),
        ("XFlush", c_int, [c_void_p]),
        ("XCloseDisplay", c_int, [c_void_p]),
    ):
        function = getattr(x, name)
        function.restype, function.argtypes = result, arguments
    return x


class _Source:
    """A program from which files are dragged."""

    def __init__(self, target: int, paths: Sequence[Path]) -> None:
        self.x = _library()
        self.display = self.x.XOpenDisplay(None)
        root = self.x.XDefaultRootWindow(self.display)
        self.window = self.x.XCreateSimpleWindow(self.display, root, 0, 0, 1, 1, 0, 0, 0)
        self.target, self.content = target, "".join(f"{path.as_uri()}\r\n" for path in paths).encode()
        self.x.XSetSelectionOwner(self.display, self.atom("XdndSelection"), self.window, _CURRENT_TIME)

    def atom(self, name: str) -> int:
        return int(self.x.XInternAtom(self.display, name.encode(), 0))

    def say(self, name: str, *data: int) -> None:
        """Send a message of the protocol."""
        event = _Event()
        event.message = _Message(_CLIENT_MESSAGE, 0, 1, self.display, self.target, self.atom(name), _WORDS)
        event.message.data[:] = [self.window, *data, *[0] * (4 - len(data))]
        self.x.XSendEvent(self.display, self.target, 0, 0, byref(event))
        self.x.XFlush(self.display)

    def wait(self, name: str) -> list[int]:
        """A message's words, once it has come; the files' names are handed over meanwhile."""
        event, ends = _Event(), time.monotonic() + _PATIENCE
        while time.monotonic() < ends:
            if not self.x.XPending(self.display):
                time.sleep(0.01)
                continue
            self.x.XNextEvent(self.display, byref(event))
            if event.type == _SELECTION_REQUEST:
                self._hand_over(event.request)
            elif event.type == _CLIENT_MESSAGE and event.message.message == self.atom(name):
                return list(event.message.data)
        raise TimeoutError(f"no {name} within {_PATIENCE:.0f} s")

    def _hand_over(self, asked: _Request) -> None:
        destination = (self.display, asked.requestor, asked.property, asked.target)
        self.x.XChangeProperty(*destination, _BYTES, _REPLACE, self.content, len(self.content))
        event = _Event()
        event.answer = _Answer(
            _SELECTION_NOTIFY, 0, 1, self.display, asked.requestor, asked.selection, asked.target, asked.property,
            asked.time,
        )  # fmt: skip
        self.x.XSendEvent(self.display, asked.requestor, 0, 0, byref(event))
        self.x.XFlush(self.display)


def drop_files(target: int, place: tuple[int, int], paths: Sequence[Path]) -> None:
    """Drag files over a window and let go.

    Args:
        target: number of the window.
        place: (x, y) on the screen.
        paths: of the files, absolute.

    Raises:
        TimeoutError: the window takes no files.
    """
    source = _Source(target, paths)
    try:
        source.say("XdndEnter", 5 << 24, source.atom("text/uri-list"))
        for aside in (2, 0):  # a mouse that moves
            at = (round(place[0]) - aside) << 16 | round(place[1])
            source.say("XdndPosition", 0, at, _CURRENT_TIME, source.atom("XdndActionCopy"))
            source.wait("XdndStatus")
        source.say("XdndDrop", 0, _CURRENT_TIME)
        source.wait("XdndFinished")
    finally:
        source.x.XCloseDisplay(source.display)
