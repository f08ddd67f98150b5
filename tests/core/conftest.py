"""Fixtures of the engine's tests: the example clip and the weights that lifts run with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: on a busy machine its threads wait for each other

import mvlift
import torch
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.subjects import get_subject
from mvlift.models import model_names
from scenes import WALK, write_tiny_subject


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread here and in engine processes: the clips are too small for more, and sums keep their order."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def tiny_subject(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A subject file with tiny random networks: fast, and reachable from the command line and the engine process."""
    return str(write_tiny_subject(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def shipped() -> bool:
    """Whether the person's multi-view network comes with this copy."""
    return get_subject("human").models["multiview"] in model_names()


@pytest.fixture(scope="session")
def subject(shipped: bool, tiny_subject: str) -> str:
    """The shipped person where its network is there, else one with tiny random networks."""
    return "human" if shipped else tiny_subject


@pytest.fixture(scope="session")
def walk() -> KeypointClip:
    """The bundled example, all 150 frames, 1280 x 720 at 30 frames a second."""
    return mvlift.read_keypoints(WALK, fps=30, image_size=(1280, 720))[0]


@pytest.fixture(scope="session")
def walk40(walk: KeypointClip) -> KeypointClip:
    """Its first 40 frames."""
    return walk.restricted(0, 39)


@pytest.fixture
def two_clips(tmp_path: Path, walk: KeypointClip) -> Path:
    """A folder of two short clips, as OpenPose zips."""
    from mvlift.keypoints import write_keypoints

    folder = tmp_path / "clips"
    folder.mkdir()
    write_keypoints([walk.restricted(0, 11)], folder / "a.zip")
    write_keypoints([walk.restricted(20, 31)], folder / "b.zip")
    return folder
