"""Threads of small work: whatever the environment says, a lift computes with the number measured to be best."""

from __future__ import annotations

import os
import subprocess
import sys

import mvlift
import pytest
from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.threads import SMALL_WORK, VARIABLES, limit_environment, thread_limit, wait_asleep
from threadpoolctl import threadpool_info

MANY = {**os.environ, **dict.fromkeys(VARIABLES, "3")}
"""An environment that asks for three threads."""


def counts() -> set[int]:
    """Threads of every numerical library that is loaded."""
    return {int(pool["num_threads"]) for pool in threadpool_info()}


def printed(code: str) -> str:
    """What a fresh interpreter prints whose environment asks for three threads."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=MANY, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


def test_within_the_limit_every_library_has_that_many_threads() -> None:
    import torch

    torch.set_num_threads(2)
    with thread_limit(3) as three:
        assert three == 3
        assert counts() == {3}
        assert torch.get_num_threads() == 3
        with thread_limit():  # the limit around it stays
            assert counts() == {3}
        with thread_limit(1):
            assert (counts(), torch.get_num_threads()) == ({1}, 1)
        assert counts() == {3}
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    with thread_limit() as best:
        assert best == SMALL_WORK


def test_no_threads_are_refused() -> None:
    with pytest.raises(MvliftError, match="0 threads"), thread_limit(0):
        pass


@pytest.mark.parametrize(("option", "threads"), [("", {SMALL_WORK}), (", threads=2", {2})])
def test_a_lift_limits_threads_whatever_the_environment_says(option: str, threads: set[int], tiny_subject: str) -> None:
    code = f"""
import mvlift
from threadpoolctl import threadpool_info
clip = mvlift.read_keypoints("examples/walk.zip", fps=30, image_size=(1280, 720))[0].restricted(0, 15)
seen = set()
def count(*_):
    seen.update(pool["num_threads"] for pool in threadpool_info())
mvlift.lift(clip, subject={tiny_subject!r}, preset="fast", device="cpu", progress=count{option})
print(sorted(seen))
"""
    assert printed(code) == str(sorted(threads))


def test_results_do_not_depend_on_the_limit(tiny_subject: str, walk40: KeypointClip) -> None:
    one, two = (mvlift.lift(walk40, subject=tiny_subject, preset="fast", device="cpu", threads=n) for n in (1, 2))
    assert abs(one.keypoints - two.keypoints).max() < 1e-4


def test_the_engine_starts_its_libraries_with_one_thread() -> None:
    code = """
from mvlift.worker.client import EngineClient
with EngineClient() as client:
    client.start()
    print(client.describe()["threads"])
"""
    assert printed(code) == "1"


def test_the_environment_of_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        monkeypatch.setenv(name, "7")
    limit_environment(2)
    assert {os.environ[name] for name in VARIABLES} == {"2"}
    assert os.environ["OMP_WAIT_POLICY"] == "7"  # a choice of the user's stays
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
