"""Where programs other than Blender have the joints of an exported file.

Each reader gives names, key times in seconds and positions (T, J, 3) in the file's own axes and units; ``compared``
finds the one turn and scale between them and the scene's, and how far joints are off.

`npm install --no-save three gltf-validator` and `pip install usd-core` in the project's folder bring what they need.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Joints",
    "compared",
    "missing",
    "read_assimp",
    "read_bvh",
    "read_fbx",
    "read_glb",
    "read_usd",
    "validate_glb",
]

Array = NDArray[np.float64]
_HERE: Final = Path(__file__).resolve().parent
_COMPONENTS: Final = {5126: ("f4", 4), 5123: ("u2", 2), 5125: ("u4", 4), 5121: ("u1", 1)}
_WIDTH: Final = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True, eq=False)
class Joints:
    """What a reader found.

    Attributes:
        names: of the joints.
        times: (T,) seconds of the keys.
        positions: (T, J, 3) at these times, in the file's axes and units.
    """

    names: tuple[str, ...]
    times: Array
    positions: Array


def missing(what: str) -> str:
    """Why a reader ("node", "assimp" or "usd") is not there, "" when it is."""
    if what == "usd":
        try:
            import pxr  # noqa: F401  is it there
        except ImportError:
            return "usd-core is not installed"
        return ""
    if shutil.which(what) is None:
        return f"{what} is not installed"
    folder = Path(os.environ.get("MVLIFT_NODE_MODULES", "node_modules"))
    if what == "node" and not (folder / "three").is_dir():
        return "npm install --no-save three gltf-validator has not been run here"
    return ""


def _node(script: str, *arguments: str) -> Any:
    done = subprocess.run(
        ["node", str(_HERE / script), *arguments], check=True, capture_output=True, text=True, timeout=300
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def read_fbx(path: Path, times: Array) -> Joints:
    """An FBX file by three.js' loader, evaluated at times (T,) seconds; ``times`` of the result are the file's keys."""
    data = _node("fbx_joints.mjs", str(path), *(f"{t:.9f}" for t in times))
    return Joints(tuple(data["names"]), np.array(data["times"]), np.array(data["frames"]))


def validate_glb(path: Path) -> list[str]:
    """Errors of a glTF file by Khronos' validator, none when it is valid."""
    issues = _node("gltf_valid.mjs", str(path))
    return [f"{m['code']}: {m['message']}" for m in issues["messages"] if m["severity"] == 0]


def read_assimp(path: Path, folder: Path) -> Joints:
    """A file by assimp, which writes it anew as glTF."""
    copy = folder / (path.stem + "-assimp.glb")
    subprocess.run(["assimp", "export", str(path), str(copy), "-fglb2"], check=True, capture_output=True, timeout=300)
    return read_glb(copy)


def read_glb(path: Path) -> Joints:
    """A binary glTF file: its nodes' transforms by the specification, at the keys of its longest animation."""
    raw = path.read_bytes()
    length = struct.unpack_from("<I", raw, 12)[0]
    data = json.loads(raw[20 : 20 + length])
    blob = raw[28 + length :]
    nodes, animation = data["nodes"], max(data["animations"], key=lambda a: len(a["channels"]))
    parents = {child: i for i, node in enumerate(nodes) for child in node.get("children", ())}
    tracks: dict[tuple[int, str], tuple[Array, Array]] = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        target = channel["target"]
        tracks[target["node"], target["path"]] = tuple(_accessor(data, blob, sampler[k]) for k in ("input", "output"))  # type: ignore[assignment]
    times = max((t[:, 0] for t, _ in tracks.values()), key=len)
    local = [_local(node, i, tracks, times) for i, node in enumerate(nodes)]
    world: dict[int, Array] = {}

    def placed(i: int) -> Array:
        if i not in world:
            world[i] = placed(parents[i]) @ local[i] if i in parents else local[i]
        return world[i]

    joints = sorted({j for skin in data.get("skins", ()) for j in skin["joints"]} or {n for n, _ in tracks})
    return Joints(
        tuple(nodes[j].get("name", str(j)) for j in joints),
        times,
        np.stack([placed(j)[:, :3, 3] for j in joints], 1),
    )


def _accessor(data: Any, blob: bytes, number: int) -> Array:
    accessor = data["accessors"][number]
    view = data["bufferViews"][accessor["bufferView"]]
    kind, size = _COMPONENTS[accessor["componentType"]]
    width = _WIDTH[accessor["type"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", size * width)
    rows = [np.frombuffer(blob, "<" + kind, width, start + i * stride) for i in range(accessor["count"])]
    return np.array(rows, np.float64)


def _local(node: Any, number: int, tracks: dict[tuple[int, str], tuple[Array, Array]], times: Array) -> Array:
    """(T, 4, 4) a node's transform on its parent."""
    matrix = np.array(node["matrix"], float).reshape(4, 4).T if "matrix" in node else None
    parts = {}
    for path, rest in (("translation", [0, 0, 0]), ("rotation", [0, 0, 0, 1]), ("scale", [1, 1, 1])):
        value = np.array(node.get(path, rest), float)
        if (number, path) in tracks:
            keys, values = tracks[number, path]
            parts[path] = _interpolated(keys[:, 0], values, times, path == "rotation")
            matrix = None
        else:
            parts[path] = np.broadcast_to(value, (len(times), len(value)))
    if matrix is not None:
        return np.broadcast_to(matrix, (len(times), 4, 4))
    matrices = np.tile(np.eye(4), (len(times), 1, 1))
    matrices[:, :3, :3] = _matrices(parts["rotation"]) * parts["scale"][:, None]
    matrices[:, :3, 3] = parts["translation"]
    return matrices


def _interpolated(keys: Array, values: Array, times: Array, rotation: bool) -> Array:
    """(T, C) values between keys; between rotations linearly, which is exact at the keys."""
    at = np.clip(np.searchsorted(keys, times), 1, max(len(keys) - 1, 1))
    if len(keys) == 1:
        return np.broadcast_to(values[0], (len(times), values.shape[1]))
    share = np.clip((times - keys[at - 1]) / np.maximum(keys[at] - keys[at - 1], 1e-12), 0, 1)[:, None]
    one, other = values[at - 1], values[at]
    if rotation:
        other = np.where((one * other).sum(-1, keepdims=True) < 0, -other, other)
    mixed = one * (1 - share) + other * share
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True) if rotation else mixed


def _matrices(q: Array) -> Array:
    """(T, 3, 3) of quaternions (T, 4) x y z w."""
    x, y, z, w = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def read_usd(path: Path) -> Joints:
    """A USD file by Pixar's library: the skeleton's joints in the world at the keys of its animation."""
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.Open(str(path))
    cache = UsdSkel.Cache()
    root = next(UsdSkel.Root(p) for p in stage.Traverse() if p.IsA(UsdSkel.Root))
    cache.Populate(root, Usd.PrimDefaultPredicate)
    skeleton = next(UsdSkel.Skeleton(p) for p in stage.Traverse() if p.IsA(UsdSkel.Skeleton))
    query = cache.GetSkelQuery(skeleton)
    keys = query.GetAnimQuery().GetJointTransformTimeSamples()
    positions = []
    for key in keys:
        to_world = np.array(UsdGeom.Xformable(skeleton).ComputeLocalToWorldTransform(key))
        joints = np.array([np.array(m) for m in query.ComputeJointSkelTransforms(key)])
        positions.append((joints @ to_world)[:, 3, :3])
    rate = stage.GetTimeCodesPerSecond()
    names = tuple(str(j).rsplit("/", 1)[-1] for j in query.GetJointOrder())
    return Joints(names, np.array(keys) / rate, np.array(positions))


def read_bvh(path: Path) -> Joints:
    """A BVH file: its hierarchy and channels as they stand."""
    words = iter(path.read_text(encoding="utf-8").split())
    names: list[str] = []
    parents: list[int] = []
    offsets: list[Array] = []
    channels: list[list[str]] = []
    stack: list[int] = []
    ended = False
    for word in words:
        if word in ("ROOT", "JOINT"):
            names.append(next(words))
            parents.append(stack[-1] if stack else -1)
            channels.append([])
        elif word == "End":
            next(words)
            ended = True
        elif word == "{":
            stack.append(-1 if ended else len(names) - 1)
        elif word == "}":
            ended = False
            stack.pop()
        elif word == "OFFSET":
            offset = np.array([float(next(words)) for _ in range(3)])
            if not ended:
                offsets.append(offset)
        elif word == "CHANNELS":
            channels[-1] = [next(words) for _ in range(int(next(words)))]
        elif word == "Frames:":
            count = int(next(words))
        elif word == "Time:":
            step = float(next(words))
            break
    rows = np.array([float(word) for word in words]).reshape(count, -1)
    world = np.empty((count, len(names), 4, 4))
    column = 0
    for j, parent in enumerate(parents):
        local = np.tile(np.eye(4), (count, 1, 1))
        local[:, :3, 3] = offsets[j]
        for channel in channels[j]:
            axis, values = "XYZ".index(channel[0]), rows[:, column]
            column += 1
            if channel.endswith("position"):
                local[:, axis, 3] = values
            else:
                local[:, :3, :3] = local[:, :3, :3] @ _about(axis, np.radians(values))
        world[:, j] = world[:, parent] @ local if parent >= 0 else local
    return Joints(tuple(names), np.arange(count) * step, world[:, :, :3, 3])


def _about(axis: int, angle: Array) -> Array:
    turns = np.tile(np.eye(3), (len(angle), 1, 1))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turns[:, a, a] = turns[:, b, b] = np.cos(angle)
    turns[:, b, a], turns[:, a, b] = np.sin(angle), -np.sin(angle)
    return turns


def compared(expected: Array, got: Array) -> tuple[float, float]:
    """The scale of a file's positions (T, J, 3), and metres by which they are off at most.

    One turn, scale and step for the whole file is free: axes and units are the format's.
    """
    a, b = got.reshape(-1, 3), expected.reshape(-1, 3)
    to, of = a.mean(0), b.mean(0)
    u, s, v = np.linalg.svd((b - of).T @ (a - to))
    mirror = np.diag([1, 1, np.sign(np.linalg.det(u @ v))])
    scale = float((s * np.diag(mirror)).sum() / ((a - to) ** 2).sum())
    moved = scale * (a - to) @ (u @ mirror @ v).T + of
    return 1 / scale, float(np.linalg.norm(moved - b, axis=-1).max())
