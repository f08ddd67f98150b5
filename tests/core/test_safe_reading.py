"""Pickles of arrays are read as they were written; damaged and hostile ones are refused without harm."""

from __future__ import annotations

import os
import pickle
import struct
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mvlift.safe_reading.pickles import load_pickle

VALUES: dict[str, Any] = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "of the other byte order": np.arange(6, dtype=">f8").reshape(3, 2),
    "column by column": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "a view with strides": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2],
    "texts": np.array(["nose", "left eye"]),
    "bytes": np.array([b"nose", b"eye"]),
    "empty": np.zeros((0, 3)),
    "one": np.array(7.5),
    "flags": np.array([True, False]),
    "numbers": [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("x"), 3, 2.5, None, "text", b"\xff", (1, 2)],
    "objects": np.array([{"keypoints": np.ones((2, 3)), "id": 1}, None, [1.5, "x"]], dtype=object),
    "arrays in arrays": np.array([[np.zeros(2), np.ones((1, 2), ">i2")], ["a", 3]], dtype=object),
    "defaults": defaultdict(dict, {0: {"pose": np.zeros((2, 3))}, 2: {}}),
}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        equal = (
            isinstance(other, np.ndarray)
            and one.dtype.newbyteorder() in (other.dtype, other.dtype.newbyteorder())
            and one.shape == other.shape
        )
        return equal and all(
            same(a, b) for a, b in zip(one.reshape(-1).tolist(), other.reshape(-1).tolist(), strict=True)
        )
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", VALUES)
def test_arrays_come_back_as_they_were(name: str, protocol: int) -> None:
    value = VALUES[name]
    assert same(value, load_pickle(pickle.dumps(value, protocol)))


def test_arrays_that_come_back_can_be_changed_and_pickled() -> None:
    for value in (VALUES["floats"], VALUES["objects"]):
        loaded = load_pickle(pickle.dumps(value, 2))
        loaded[0] = 1
        assert np.array_equal(loaded, pickle.loads(pickle.dumps(loaded)))


class Said:
    """Pickles as whatever it is told: a callable, its arguments, and a state."""

    def __init__(self, call: Callable[..., Any], arguments: tuple[Any, ...], state: Any = None) -> None:
        self.parts = (call, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts if self.parts[2] is not None else self.parts[:2]


RECONSTRUCT = np.zeros(0).__reduce__()[0]


def array(*state: Any) -> Said:
    return Said(RECONSTRUCT, (np.ndarray, (0,), b"b"), state)


def kind(code: str, *state: Any) -> Said:
    return Said(np.dtype, (code, False, True), state or None)


HOSTILE: dict[str, Any] = {
    "fewer bytes than its shape says": array(1, (1 << 20,), np.dtype("f8"), False, b"12345678"),
    "a shape beyond memory": array(1, (1 << 62, 1 << 62), np.dtype("u1"), False, b""),
    "a negative length": array(1, (-1,), np.dtype("f8"), False, b""),
    "a length that is no number": array(1, (2.0,), np.dtype("u1"), False, b"12"),
    "too many axes": array(1, (1,) * 40, np.dtype("u1"), False, b"1"),
    "objects out of bytes": array(1, (1,), np.dtype("O"), False, b"\x01\x02\x03\x04\x05\x06\x07\x08"),
    "fewer objects than its shape says": array(1, (3,), np.dtype("O"), False, [1]),
    "a state of no parts": array(),
    "no type": array(1, (1,), "f8", False, b"12345678"),
    "a type of objects with bytes of its own": kind(
        "V8", 3, "|", ("f0",), ("f0",), {"f0": (np.dtype("O"), 0)}, 8, 1, 27
    ),
    "a type larger than itself": kind("f8", 3, "<", None, None, None, 1 << 40, 8, 0),
    "a type with a subarray": kind("f8", 3, "<", (np.dtype("f8"), (1 << 40,)), None, None, -1, -1, 0),
    "a type by a list": kind([("x", "f8")]),  # type: ignore[arg-type]
    "endless texts of no length": array(1, (1 << 40,), kind("S0"), False, b""),
    "a type of dates": kind("M8[ns]"),
    "an array made large at once": Said(RECONSTRUCT, (np.ndarray, (1 << 40,), b"b")),
    "a number of objects": Said(np.float64(1).__reduce__()[0], (np.dtype("O"), b"12345678")),
    "a command": Said(os.getcwd, ()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_states_that_contradict_themselves_are_refused(name: str) -> None:
    with pytest.raises((pickle.UnpicklingError, TypeError)):
        load_pickle(pickle.dumps([HOSTILE[name]], 2))


def test_the_class_of_arrays_makes_none() -> None:
    assert load_pickle(pickle.dumps(Said(np.ndarray, ((1 << 40,), "u1")), 2)) is None


def test_a_pickle_cannot_change_what_it_may_call() -> None:
    """BUILD on the function itself, with a dictionary and with attributes; later pickles are read as before."""
    for state in ({"_call": None}, (None, {"_call": None}), (None, {"__call__": None})):
        data = b"\x80\x02cnumpy\ndtype\n" + pickle.dumps(state, 2)[2:-1] + b"b."
        with pytest.raises(pickle.UnpicklingError, match="changes a function"):
            load_pickle(data)
    assert load_pickle(pickle.dumps(np.arange(3))).tolist() == [0, 1, 2]


def test_a_number_that_names_much_memory_takes_none() -> None:
    """LONG_BINPUT remembers a value under any number; bytes that are announced are not there."""
    assert load_pickle(b"\x80\x02K\x07r" + struct.pack("<I", 0xFFFFFFF0) + b".") == 7
    for announced in (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40), b"\x80\x04B" + struct.pack("<I", 1 << 31)):
        with pytest.raises((pickle.UnpicklingError, EOFError)):
            load_pickle(announced + b"x.")


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Some bytes changed, lost, doubled, or taken from elsewhere in the pickle."""
    made = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        at, size, there = (int(random.integers(n)) for n in (len(made) + 1, 9, len(data)))
        match int(random.integers(5)):
            case 0:
                made[at : at + size] = data[there : there + size]
            case 1:
                del made[at : at + size]
            case 2:
                made[at:at] = data[there : there + size]
            case _:
                made[at : at + 1] = bytes([int(random.choice([0, 1, 127, 128, 255, random.integers(256)]))])
    return bytes(made)


@pytest.mark.parametrize("name", VALUES)
def test_damaged_pickles_are_read_or_refused(name: str) -> None:
    """Two hundred changes each, always the same; with MVLIFT_FUZZ=N, N times as many."""
    random = np.random.default_rng(list(VALUES).index(name))
    intact = [pickle.dumps(VALUES[name], protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    refused = 0
    for turn in range(200 * int(os.environ.get("MVLIFT_FUZZ", "1"))):
        try:
            repr(load_pickle(damaged(intact[turn % len(intact)], random)))
        except MemoryError:
            raise
        except Exception:
            refused += 1
    assert refused > 20
