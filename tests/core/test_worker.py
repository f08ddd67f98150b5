"""The engine process, for real: greeting, lifts, cancelling, crashes, orphans, and peers that talk nonsense."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.errors import EngineError, LiftError, ModelError, MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.options import LiftOptions
from mvlift.worker.client import (
    Cancelled,
    EngineClient,
    EngineWarning,
    Failure,
    LiftResult,
    Message,
    Progress,
)
from mvlift.worker.protocol import PROTOCOL

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and scripts of Unix")


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineClient]:
    with EngineClient() as client:
        client.start()
        yield client


def until_done(client: EngineClient, seconds: float = 60.0) -> list[Message]:
    """Every message of a job, its last one included."""
    messages: list[Message] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        messages += client.poll()
        if messages and isinstance(messages[-1], LiftResult | Failure | Cancelled):
            return messages
        time.sleep(0.005)
    raise AssertionError(f"no end after {seconds} s: {messages[-3:]}")


def until_progress(client: EngineClient, stage: str, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for message in client.poll():
            assert isinstance(message, Progress), message
            if message.stage == stage:
                return
        time.sleep(0.005)
    raise AssertionError(f"no progress in {stage!r} after {seconds} s")


def endless(subject: str) -> LiftOptions:
    """A lift that takes far longer than any test waits: a thousand steps."""
    return LiftOptions(subject=subject, preset="paper", device="cpu")


def running(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not collected yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_says_who_it_is(engine: EngineClient) -> None:
    assert engine.hello["protocol"] == PROTOCOL
    assert engine.hello["mvlift"] == mvlift.version()
    assert engine.hello["python"] == sys.version.split()[0]
    assert running(int(engine.hello["pid"]))


def test_it_describes_its_interpreter(engine: EngineClient) -> None:
    import torch

    about = engine.describe()
    assert about["torch"] == torch.__version__
    assert about["devices"][0] == "cpu"
    assert about["onnxruntime"]
    assert about["threads"] == 1
    assert len(about["gpus"]) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert about["mvlift"] == mvlift.version()


def test_it_lifts_as_the_function_does(engine: EngineClient, subject: str, walk40: KeypointClip) -> None:
    options = LiftOptions(
        subject=subject, preset="fast", device="cpu", height=1.8, fps=Fraction(30000, 1001), seed=3, frames=(5, 34)
    )
    from_engine = engine.run(walk40, options)
    in_process = mvlift.lift(
        walk40.restricted(5, 34), subject=subject, preset="fast", device="cpu", height=1.8, fps=Fraction(30000, 1001),
        seed=3,
    )  # fmt: skip
    assert (from_engine.fps, from_engine.first_frame, len(from_engine)) == (Fraction(30000, 1001), 5, 30)
    for name in ("translation", "rotations", "betas", "keypoints", "keypoint_confidence", "contacts"):
        np.testing.assert_array_equal(getattr(from_engine, name), getattr(in_process, name), err_msg=name)
    for name in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(from_engine.camera, name), getattr(in_process.camera, name))


def test_progress_only_grows_and_names_its_stages(engine: EngineClient, subject: str, walk40: KeypointClip) -> None:
    clip = KeypointClip(walk40.points, walk40.confidence, walk40.layout)
    job = engine.submit_lift(clip, LiftOptions(subject=subject, preset="fast", device="cpu"))
    assert engine.busy
    messages = until_done(engine)
    assert isinstance(messages[-1], LiftResult)
    assert {m.job for m in messages} == {job}
    progress = [m for m in messages if isinstance(m, Progress)]
    fractions = [m.fraction for m in progress]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len(set(fractions)) > 10
    stages = list(dict.fromkeys(m.stage for m in progress))
    assert stages == ["Preparing", "Generating views", "Fitting the body", "Writing"]
    warnings = " ".join(m.message for m in messages if isinstance(m, EngineWarning))
    assert "frame rate" in warnings
    assert not engine.busy


def test_one_job_at_a_time(engine: EngineClient, tiny_subject: str, walk: KeypointClip) -> None:
    engine.submit_lift(walk, endless(tiny_subject))
    with pytest.raises(EngineError, match="busy"):
        engine.submit_lift(walk, endless(tiny_subject))
    engine.cancel()
    assert isinstance(until_done(engine)[-1], Cancelled)


def test_cancelling_takes_less_than_a_second_and_the_engine_stays_warm(
    engine: EngineClient, tiny_subject: str, walk: KeypointClip, subject: str, walk40: KeypointClip
) -> None:
    if not engine.alive:
        engine.start()
    pid = engine.hello["pid"]
    job = engine.submit_lift(walk, endless(tiny_subject))
    until_progress(engine, "Generating views")
    began = time.monotonic()
    engine.cancel()
    messages = until_done(engine)
    assert time.monotonic() - began < 1.0
    assert messages == [Cancelled(job)]
    assert engine.alive
    again = engine.run(walk40, LiftOptions(subject=subject, preset="fast", device="cpu"))
    assert (len(again), engine.hello["pid"]) == (40, pid)


def test_a_refused_clip_is_an_error_with_a_remedy(engine: EngineClient, subject: str, walk40: KeypointClip) -> None:
    options = LiftOptions(subject=subject, preset="fast", device="cpu")
    nothing_seen = replace(walk40, confidence=np.zeros_like(walk40.confidence))
    with pytest.raises(MvliftError, match="frames") as caught:
        engine.run(nothing_seen, options)
    assert caught.value.remedy
    with pytest.raises(LiftError, match="no subject 'unicorn'"):
        engine.run(walk40, LiftOptions(subject="unicorn"))
    assert len(engine.run(walk40, options)) == 40


def test_a_killed_engine_is_one_report_and_the_next_lift_starts_another(
    tiny_subject: str, walk: KeypointClip, walk40: KeypointClip
) -> None:
    with EngineClient() as client:
        client.start()
        first = int(client.hello["pid"])
        job = client.submit_lift(walk, endless(tiny_subject))
        until_progress(client, "Generating views")
        os.kill(first, signal.SIGKILL)
        messages = [m for m in until_done(client) if not isinstance(m, Progress)]
        assert len(messages) == 1
        assert isinstance(messages[0], Failure)
        assert messages[0].job == job
        assert isinstance(messages[0].error, EngineError)
        assert "killed" in messages[0].error.message
        assert messages[0].error.remedy == "Lift again: a new one starts."
        assert client.poll() == []
        assert not client.alive
        assert not client.busy
        motion = client.run(walk40, LiftOptions(subject=tiny_subject, preset="fast", device="cpu"))
        assert len(motion) == 40
        assert int(client.hello["pid"]) != first


def test_an_engine_that_hangs_is_ended_by_cancelling(tiny_subject: str, walk: KeypointClip) -> None:
    with EngineClient() as client:
        client.start()
        pid = int(client.hello["pid"])
        job = client.submit_lift(walk, endless(tiny_subject))
        os.kill(pid, signal.SIGSTOP)
        client.poll()
        began = time.monotonic()
        client.cancel()
        messages = [m for m in until_done(client) if not isinstance(m, Progress)]
        assert messages == [Cancelled(job)]
        assert time.monotonic() - began < 1.0
        ends = time.monotonic() + 10  # the system takes the process away beside the client
        while running(pid) and time.monotonic() < ends:
            time.sleep(0.02)
        assert not running(pid)


def test_an_engine_that_works_behind_gives_way(tiny_subject: str, walk40: KeypointClip) -> None:
    with EngineClient(behind=True) as client:
        client.start()
        test_priority = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, int(client.hello["pid"])) == min(test_priority + 5, 19)
        assert len(client.run(walk40, LiftOptions(subject=tiny_subject, preset="fast", device="cpu"))) == 40


CHILD = """
import os, sys, time
from mvlift.keypoints.clip_file import load_clip
from mvlift.lifting.options import LiftOptions
from mvlift.worker.client import EngineClient, Progress
from pathlib import Path
client = EngineClient()
client.start()
client.submit_lift(load_clip(Path(sys.argv[1])), LiftOptions(subject=sys.argv[2], preset="paper", device="cpu"))
while not any(isinstance(m, Progress) and m.stage.startswith("Generating") for m in client.poll()):
    time.sleep(0.01)
print(client.hello["pid"], flush=True)
time.sleep(60)
"""


def test_no_orphan_is_left_when_the_client_dies(tmp_path: Path, tiny_subject: str, walk: KeypointClip) -> None:
    from mvlift.keypoints.clip_file import save_clip

    save_clip(walk, tmp_path / "clip.npz")
    command = [sys.executable, "-c", CHILD, str(tmp_path / "clip.npz"), tiny_subject]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        assert running(pid)
        child.kill()
    ends = time.monotonic() + 5
    while running(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not running(pid)


def test_closing_removes_the_engines_files(tiny_subject: str, walk40: KeypointClip) -> None:
    client = EngineClient()
    client.start()
    assert client._process is not None
    pid, folder = int(client.hello["pid"]), client._process.folder
    client.run(walk40.restricted(0, 7), LiftOptions(subject=tiny_subject, preset="fast", device="cpu"))
    assert folder.is_dir()
    client.close()
    assert not folder.exists()
    assert not running(pid)
    client.close()  # twice does no harm


def spoken(*messages: bytes) -> tuple[list[dict[str, object]], str, int]:
    """What an engine answers to raw bytes, what it prints, and how it ends."""
    command = [sys.executable, "-m", "mvlift.worker"]
    done = subprocess.run(command, input=b"".join(messages), capture_output=True, timeout=60, check=False)
    said = [json.loads(part) for part in done.stdout.split(b"\0") if part]
    return said, done.stderr.decode(), done.returncode


def test_an_engine_that_hears_nonsense_ends_and_says_so() -> None:
    said, log, code = spoken(b"GET / HTTP/1.1\r\n\0")
    assert [m["is"] for m in said] == ["hello"]
    assert "mvlift.worker:" in log
    assert code == 0
    said, log, _ = spoken(b"[1, 2]\0")
    assert "not an object" in log


def test_an_unknown_request_is_an_error_and_not_the_end(engine: EngineClient) -> None:
    engine._send({"do": "dance", "job": 0})
    assert engine._process is not None
    answer = engine._process.receive(timeout=30)
    assert answer is not None
    assert (answer["is"], answer["kind"]) == ("error", "EngineError")
    assert "dance" in answer["message"]
    assert engine.describe()["protocol"] == PROTOCOL


def script(path: Path, body: str) -> Path:
    """A program that stands in for an interpreter."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("body", "message", "remedy"),
    [
        (r"printf 'what is this\0'", "did not start", "log"),
        (r"""printf '{"is": "hello", "protocol": 99}\0'; exec sleep 20""", "protocol 99", "same version"),
        ("echo 'ModuleNotFoundError: No module named mvlift' >&2; exit 1", "No module named mvlift", "pip install"),
        ("exit 3", "said nothing", "log"),
    ],
)
def test_other_interpreters(tmp_path: Path, body: str, message: str, remedy: str) -> None:
    client = EngineClient(script(tmp_path / "python", body))
    with pytest.raises(EngineError, match=message) as caught:
        client.start()
    assert remedy in caught.value.remedy
    assert not client.alive


def test_what_an_interpreter_prints_while_it_starts_does_no_harm(tmp_path: Path, walk40: KeypointClip) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('welcome to our studio')\nprint('{}', end='')")
    with EngineClient(pythonpath=[tmp_path]) as client:
        client.start()
        assert client.hello["protocol"] == PROTOCOL
        assert "welcome to our studio" in client.log


def test_an_interpreter_without_a_module_names_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "gone = ('safetensors', 'array_api_compat', 'torch')\n"
        "PathFinder.find_spec = lambda n, *a: None if n.split('.')[0] in gone else find(n, *a)\n"
    )
    client = EngineClient(pythonpath=[tmp_path])
    with pytest.raises(EngineError, match="has no safetensors, array_api_compat") as caught:
        client.start()
    assert "-m pip install safetensors array-api-compat" in caught.value.remedy
    assert not client.alive


def test_a_crash_is_named(tiny_subject: str, walk: KeypointClip) -> None:
    with EngineClient() as client:
        client.start()
        client.submit_lift(walk, endless(tiny_subject))
        until_progress(client, "Generating views")
        os.kill(int(client.hello["pid"]), signal.SIGSEGV)
        failure = until_done(client)[-1]
        assert isinstance(failure, Failure)
        assert "crashed with SIGSEGV" in failure.error.message


def test_an_interpreter_that_is_not_there(tmp_path: Path, walk40: KeypointClip) -> None:
    client = EngineClient(tmp_path / "nowhere" / "python")
    with pytest.raises(EngineError, match="cannot be started") as caught:
        client.start()
    assert "preferences" in caught.value.remedy
    with pytest.raises(EngineError, match="not running"):
        client.submit_lift(walk40, LiftOptions())


def test_options_survive_the_wire() -> None:
    options = LiftOptions(
        height=1.7, focal=1200.5, fps=Fraction(24000, 1001), image_size=(7, 9), frames=(3, 8), body="a b.npz", seed=5
    )
    assert LiftOptions.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert LiftOptions.from_json(json.loads(json.dumps(LiftOptions().to_json()))) == LiftOptions()
    with pytest.raises(TypeError):
        LiftOptions.from_json({"colour": "red"})


def test_damaged_weights_are_an_error_of_their_own_kind(
    engine: EngineClient, tiny_subject: str, walk40: KeypointClip, tmp_path: Path
) -> None:
    values = json.loads(Path(tiny_subject).read_text())
    values["models"]["multiview"] = str(tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\x00")
    (tmp_path / "bad.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="cut"):
        engine.run(walk40, LiftOptions(subject=str(tmp_path / "bad.json")))
