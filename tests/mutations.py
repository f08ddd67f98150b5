"""Changes to valid keypoint files: values of json, cells of tables, arrays, HDF5 data sets, and bare bytes."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["mutate"]

ODD: Final[tuple[object, ...]] = (
    None, True, False, 0, -1, 1, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 1 << 70, -(1 << 63), "", "x", "0",
    "-7", "nan", [], {}, [[]], [None], [1, 2], {"x": 1}, {"a": []}, "\ud800\udc00", "1e999", [[[[1]]]], 0.5, 2**31,
    1e16,
)  # fmt: skip
TOKENS: Final = (
    b"", b"NaN", b"nan", b"null", b"-1", b"1e308", b"1e999", b"99999999999999999999", b"[]", b"{}", b'"x"', b",", b"\n",
    b"<", b"</", b"&a;", b"\x00", b"\xff\xfe", b"0", b"x", b"}", b"]", b"-", b";", b"\t", b'"', b"1e15", b"inf",
    b"000000000000001",
)  # fmt: skip

Random = np.random.Generator


def random_node(document: Any, random: Random) -> tuple[Any, Any] | None:
    """(container, key) of some value in a document."""
    node = None
    while isinstance(document, list | dict) and document:
        keys = list(document) if isinstance(document, dict) else range(len(document))
        key = keys[int(random.integers(min(len(keys), 40)))]
        node = document, key
        document = document[key]
        if random.random() < 0.25:
            break
    return node


def mutate_json(data: bytes, random: Random) -> bytes:
    document = json.loads(data)
    for _ in range(int(random.integers(1, 4))):
        node = random_node(document, random)
        if node is None:
            break
        container, key = node
        what = random.integers(5)
        if what < 2:
            container[key] = deepcopy(ODD[int(random.integers(len(ODD)))])
        elif what == 2:
            del container[key]
        elif what == 3 and isinstance(container, list):
            container.insert(key, deepcopy(container[int(random.integers(len(container)))]))
        elif isinstance(container, dict):
            container[f"{key}{random.integers(9)}"] = container.pop(key)
    return json.dumps(document).encode()


def mutate_bytes(data: bytes, random: Random) -> bytes:
    made = bytearray(data)
    for _ in range(int(random.integers(1, 8))):
        at = int(random.integers(len(made) + 1))
        until = min(at + int(random.choice([0, 1, 2, 8, 60])), len(made))
        what = random.integers(5)
        if what == 0:
            made[at:until] = TOKENS[int(random.integers(len(TOKENS)))]
        elif what == 1:
            del made[at:until]
        elif what == 2:
            made[at:at] = made[at:until]
        elif what == 3 and at < len(made):
            made[at] = int(random.integers(256))
        elif random.random() < 0.2:
            del made[at:]
    return bytes(made)


def mutate_text(data: bytes, random: Random) -> bytes:
    """Cells, attributes and lines exchanged for odd ones."""
    separators = [s for s in (b"\n", b",", b";", b"\t", b" ", b'"') if s in data]
    if not separators or random.random() < 0.3:
        return mutate_bytes(data, random)
    separator = separators[int(random.integers(len(separators)))]
    parts = data.split(separator)
    for _ in range(int(random.integers(1, 5))):
        i, j = (int(v) for v in random.integers(len(parts), size=2))
        what = random.integers(4)
        if what == 0:
            parts[i] = TOKENS[int(random.integers(len(TOKENS)))]
        elif what == 1:
            parts[i], parts[j] = parts[j], parts[i]
        elif what == 2 and len(parts) > 1:
            del parts[i]
        else:
            parts.insert(i, parts[j])
    return separator.join(parts)


def mutate_array(array: np.ndarray[Any, Any], random: Random) -> np.ndarray[Any, Any]:
    what = random.integers(8)
    if array.dtype.kind not in "fiub":
        return array if what else np.array([1.0, 2.0])
    if what == 0 and array.ndim:
        return array[..., : int(random.integers(3))]
    if what == 1:
        return array.astype(random.choice(["f4", "i2", "u1", "c8", "?", "U7", "S3"]))
    if what == 2:
        return np.moveaxis(array, 0, -1) if array.ndim else array
    if what == 3:
        return array[None] if random.random() < 0.5 else array.reshape(-1)
    if what == 4:
        return array[:0] if array.ndim else np.array(-1)
    made = array.copy()
    if made.size and made.dtype.kind == "f":
        made.reshape(-1)[random.integers(made.size, size=max(1, made.size // 9))] = random.choice(
            [np.nan, np.inf, -1e30, 1e300, 0, 1e7]
        )
    return made


def mutate_npz(data: bytes, random: Random) -> bytes:
    """Arrays exchanged, or the bytes of an array (its header, its pickle) changed, in a whole archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    name = list(members)[int(random.integers(len(members)))]
    what = random.integers(4)
    if what == 0:
        members[name] = mutate_bytes(members[name], random)
    elif what == 1:
        members[f"x{name}"] = members.pop(name)
    elif name.endswith(".npy"):
        stream = io.BytesIO()
        np.save(stream, mutate_array(np.load(io.BytesIO(members[name]), allow_pickle=True), random))
        members[name] = stream.getvalue()
    else:
        members[name] = mutate_json(members[name], random)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return stream.getvalue()


def mutate_npy(data: bytes, random: Random) -> bytes:
    stream = io.BytesIO()
    np.save(stream, mutate_array(np.load(io.BytesIO(data)), random))
    return stream.getvalue()


def mutate_pickle(data: bytes, random: Random) -> bytes:
    """A value exchanged, removed or named twice, written by one of the protocols."""
    intact = pickle.loads(data)
    node = random_node(intact, random)
    if node is not None:
        container, key = node
        what, value = random.integers(4), container[key]
        if what == 0:
            del container[key]
        elif what == 1 and isinstance(value, np.ndarray):
            container[key] = mutate_array(value, random)
        elif what == 2 and isinstance(container, list):
            container += [container[int(random.integers(len(container)))]] * int(random.integers(9))
        else:
            container[key] = intact if random.random() < 0.1 else deepcopy(ODD[int(random.integers(len(ODD)))])
    return pickle.dumps(intact, protocol=int(random.integers(6)))


def mutate_hdf5(data: bytes, random: Random) -> bytes:
    """A dataset or attribute exchanged or deleted."""
    import h5py

    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[int(random.integers(len(names)))]
        item, what = file[name], random.integers(4)
        attributes = list(item.attrs)
        if what == 0 and attributes:
            key = attributes[int(random.integers(len(attributes)))]
            value = bytes(item.attrs[key]) if isinstance(item.attrs[key], bytes) else b"x"
            item.attrs[key] = np.bytes_(mutate_bytes(value, random).replace(b"\x00", b"0") or b"x")
        elif what == 1:
            file.move(name, f"{name}_")
        elif isinstance(item, h5py.Dataset):
            array = item[()]
            del file[name]
            if what == 2 and array.dtype.kind in "fiu":
                changed = mutate_array(array, random)
                file[name] = changed if changed.dtype.kind != "U" else 5
    return stream.getvalue()


def mutate_header(data: bytes, random: Random) -> bytes:
    """The JSON at the beginning of a safetensors file, or what its metadata hold."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    if random.random() < 0.7 and "mvlift" in header.get("__metadata__", {}):
        inner = mutate_json(header["__metadata__"]["mvlift"].encode(), random)
        header["__metadata__"]["mvlift"] = inner.decode()
        text = json.dumps(header).encode()
    else:
        text = mutate_json(data[8 : 8 + size], random)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def mutate_boxes(data: bytes, random: Random) -> bytes:
    """Bytes of a video's headers, which stand at its beginning or end."""
    edge = min(len(data) // 2, 4096)
    if random.random() < 0.5:
        return mutate_bytes(data[:edge], random) + data[edge:]
    return data[:-edge] + mutate_bytes(data[-edge:], random)


def mutate(path: Path, data: bytes, random: Random) -> bytes:
    """A changed file of its kind; sometimes only bytes of it."""
    if random.random() < 0.25:
        return mutate_bytes(data, random)
    kinds = {".json": mutate_json, ".npz": mutate_npz, ".zip": mutate_npz, ".npy": mutate_npy, ".h5": mutate_hdf5,
             ".slp": mutate_hdf5, ".pkl": mutate_pickle, ".pickle": mutate_pickle,
             **dict.fromkeys((".mp4", ".mov", ".mkv", ".avi", ".gif", ".ts"), mutate_boxes),
             ".safetensors": mutate_header, ".pt": mutate_bytes, ".pth": mutate_bytes}  # fmt: skip
    return kinds.get(path.suffix, mutate_text)(data, random)
