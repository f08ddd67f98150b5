"""Detection: what frames are, what crops sample, how poses become people; by detectors that are drawn, not learned."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from mvlift.detection import DetectionOptions, detect_keypoints, is_video, probe_video
from mvlift.detection.blazepose import search_views
from mvlift.detection.crops import Crop, sample
from mvlift.detection.detections_store import DetectionStore, load_store
from mvlift.detection.even_rate import frame_rate
from mvlift.detection.overlay import write_overlay
from mvlift.detection.people import clips_of_video
from mvlift.detection.poses import distinct_poses
from mvlift.detection.registry import detector_names, make_detector
from mvlift.detection.rtmlib_detector import RtmDetector
from mvlift.detection.ssd import Boxes, anchors, decode, merge
from mvlift.detection.video import open_frames
from mvlift.errors import DetectionError
from mvlift.keypoints import read_keypoints, write_keypoints
from mvlift.keypoints.layouts import get_layout
from scipy import ndimage
from videos import SIZE, DotDetector, centres, dot_at, picture, write_video

FRAMES = 20


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_video(tmp_path / "plain.mp4", [picture(t) for t in range(FRAMES)])


def truth(frames: int = FRAMES) -> np.ndarray:
    return np.array([dot_at(t) for t in range(frames)], dtype=np.float64)


def test_frames_come_with_numbers_and_times(plain: Path) -> None:
    info = probe_video(plain)
    assert (info.image_size, info.fps, info.frame_count, info.rotation) == (SIZE, Fraction(25), FRAMES, 0)
    frames = list(open_frames(plain))
    assert [f.number for f in frames] == list(range(FRAMES))
    np.testing.assert_allclose([f.time for f in frames], np.arange(FRAMES) / 25, atol=1e-9)
    np.testing.assert_allclose(centres(iter(frames)), truth(), atol=0.6)
    assert [f.number for f in open_frames(plain, first=7)] == list(range(7, FRAMES))


def test_a_rotation_flag_turns_the_picture(tmp_path: Path) -> None:
    video = write_video(tmp_path / "turned.mp4", [picture(t) for t in range(4)], quarter_turn=True)
    info = probe_video(video)
    assert info.image_size == (SIZE[1], SIZE[0])
    stored = truth(4)
    shown = np.stack([SIZE[1] - 1 - stored[:, 1], stored[:, 0]], 1)  # clockwise: the top row becomes the right column
    np.testing.assert_allclose(centres(open_frames(video)), shown, atol=0.6)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    video = write_video(tmp_path / "wide.mp4", [picture(t) for t in range(4)], aspect=Fraction(5, 4))
    info = probe_video(video)
    assert info.image_size == (160, 136)
    assert info.sample_aspect == Fraction(5, 4)
    stretched = (truth(4) + 0.5) * [5 / 4, 1] - 0.5
    np.testing.assert_allclose(centres(open_frames(video)), stretched, atol=0.8)


def test_large_frames_are_analysed_smaller_and_keypoints_are_in_the_videos_pixels(tmp_path: Path) -> None:
    def large(t: int) -> np.ndarray:
        return np.repeat(np.repeat(picture(t), 16, 0), 16, 1)

    video = write_video(tmp_path / "large.mp4", [large(t) for t in range(3)])
    first = next(iter(open_frames(video)))
    assert max(first.image.shape) == 1920
    clip = detect_keypoints(video, detector=DotDetector(100.0))[0]
    expected = (truth(3) + 0.5) * 16 - 0.5
    offsets = DotDetector(100.0).offsets() / first.scale
    np.testing.assert_allclose(clip.points, expected[:, None] + offsets, atol=2.5)


def test_a_folder_of_pictures_keeps_its_numbers(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "shot"
    folder.mkdir()
    for t in range(6):
        image.fromarray(picture(t)).save(folder / f"shot.{t + 11:04d}.png")
    (folder / "notes.txt").write_text("x")
    assert is_video(folder)
    assert [f.number for f in open_frames(folder)] == list(range(11, 17))
    clip = detect_keypoints(folder, DetectionOptions(fps=Fraction(24)), detector=DotDetector())[0]
    assert (clip.first_frame, len(clip), clip.fps) == (11, 6, Fraction(24))
    np.testing.assert_allclose(clip.points[:, 0], truth(6), atol=0.6)


def test_variable_rates_come_out_on_an_even_grid(tmp_path: Path) -> None:
    """The square moves evenly in time; frames are missing, as a telephone leaves them out."""
    times = [t for t in range(30) if t not in (4, 9, 10, 17, 23)]
    stamps = [40 * t for t in times]
    video = write_video(tmp_path / "phone.mkv", [picture(t) for t in times], stamps=stamps)
    clip = detect_keypoints(video, DetectionOptions(), detector=DotDetector())[0]
    assert clip.fps == Fraction(25)
    assert len(clip) == 30
    np.testing.assert_allclose(clip.points[:, 0], truth(30), atol=0.6)
    assert any("varies" in note for note in clip.assumptions)


def test_a_steady_rate_is_left_alone(plain: Path) -> None:
    clip = detect_keypoints(plain, detector=DotDetector())[0]
    assert not clip.assumptions
    assert (clip.fps, clip.image_size, clip.first_frame, len(clip)) == (Fraction(25), SIZE, 0, FRAMES)
    np.testing.assert_allclose(clip.points[:, 0], truth(), atol=0.6)


def test_a_cut_splits_the_people_and_resets_the_detector(tmp_path: Path) -> None:
    other = [255 - picture(t)[::-1] for t in range(8)]
    for image, t in zip(other, range(8), strict=True):
        image[20:29, 10 + 2 * t : 19 + 2 * t] = 255
        image[image.min(-1) == 215] = 150
        image[image.min(-1) == 205] = 120
    video = write_video(tmp_path / "cut.mp4", [*(picture(t) for t in range(12)), *other])
    detector = DotDetector()
    clips = sorted(detect_keypoints(video, detector=detector), key=lambda c: c.first_frame)
    assert [(c.first_frame, len(c)) for c in clips] == [(0, 12), (12, 8)]
    assert detector.resets == 1
    assert [c.metadata["shot"] for c in clips] == [0, 1]
    assert "1 cut (frame 12)" in clips[0].assumptions[0]


def test_who_is_seen_for_a_moment_is_left_out(tmp_path: Path) -> None:
    """A second shot of five frames beside one of two seconds."""
    other = []
    for t in range(5):
        image = np.where(picture(t)[::-1] > 45, 150, 110).astype(np.uint8)
        image[20:29, 10 + 2 * t : 19 + 2 * t] = 255
        other.append(image)
    video = write_video(tmp_path / "moment.mp4", [*(picture(t // 3) for t in range(60)), *other])
    clips = detect_keypoints(video, detector=DotDetector())
    assert [c.first_frame for c in clips] == [0]
    assert any("1 person was seen for a moment only" in note for note in clips[0].assumptions)


def test_a_pan_is_no_cut(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wide = np.repeat(np.repeat(random.integers(0, 200, (8, 60, 3)), 8, 0), 8, 1).astype(np.uint8)
    video = write_video(tmp_path / "pan.mp4", [wide[:, 10 * t : 10 * t + 96] for t in range(20)])
    detector = DotDetector()
    with pytest.raises(DetectionError, match="nobody was found in 20 frames"):
        detect_keypoints(video, detector=detector)
    assert detector.resets == 0


class _Stopped(Exception):
    pass


def test_a_stopped_run_goes_on_where_it_was(plain: Path, tmp_path: Path) -> None:
    uninterrupted = detect_keypoints(plain, detector=DotDetector())
    kept, first = tmp_path / ".kept.npz", DotDetector()
    with pytest.raises(DetectionError, match="cancelled"):
        detect_keypoints(plain, resume_file=kept, cancelled=lambda: first.calls >= 9, detector=first)
    store = load_store(kept, *_key_of(plain))
    assert store is not None
    assert store.numbers == list(range(9))
    second = DotDetector()
    clips = detect_keypoints(plain, resume_file=kept, detector=second)
    assert second.calls == FRAMES - 9
    assert not kept.exists()
    np.testing.assert_array_equal(clips[0].points, uninterrupted[0].points)
    np.testing.assert_array_equal(clips[0].confidence, uninterrupted[0].confidence)


def _key_of(video: Path) -> tuple[str, int]:
    from mvlift.detection.pipeline import detection_key

    return detection_key(video, DetectionOptions()), 17


def test_other_options_do_not_go_on(plain: Path, tmp_path: Path) -> None:
    kept, first = tmp_path / ".kept.npz", DotDetector()
    with pytest.raises(DetectionError):
        detect_keypoints(plain, resume_file=kept, cancelled=lambda: first.calls >= 9, detector=first)
    second = DotDetector()
    clips = detect_keypoints(plain, DetectionOptions(frames=(3, 14)), resume_file=kept, detector=second)
    assert second.calls == 12
    assert (clips[0].first_frame, len(clips[0])) == (3, 12)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".json"])
def test_detected_people_are_written_and_read(plain: Path, tmp_path: Path, suffix: str) -> None:
    clips = detect_keypoints(plain, detector=DotDetector())
    second = replace(clips[0], points=clips[0].points[3:] + 30, confidence=clips[0].confidence[3:], first_frame=3,
                     track_id="1")  # fmt: skip
    path = write_keypoints([clips[0], second], tmp_path / f"people{suffix}")
    reread = read_keypoints(path)
    assert [(c.track_id, c.first_frame, len(c)) for c in reread] == [("0", 0, FRAMES), ("1", 3, FRAMES - 3)]
    for a, b in zip(reread, [clips[0], second], strict=True):
        np.testing.assert_array_equal(a.points, b.points)
        assert (a.fps, a.image_size) == (b.fps, b.image_size)
    if suffix == ".npz":
        assert reread[0].metadata["video"] == str(plain.resolve())


def test_the_overlay_has_the_skeleton_where_the_keypoints_are(plain: Path, tmp_path: Path) -> None:
    clips = detect_keypoints(plain, detector=DotDetector())
    spread = replace(clips[0], points=10 + 0.3 * DotDetector().offsets()[None].repeat(FRAMES, 0) * [2.0, 1.5])
    drawn = write_overlay(probe_video(plain), [spread], tmp_path / "drawn.mp4")
    before, after = (next(iter(open_frames(p))).image[..., :3].astype(int) for p in (plain, drawn))
    changed = np.argwhere(np.abs(after - before).max(-1) > 60)[:, ::-1]
    low, high = spread.points[0].min(0), spread.points[0].max(0)
    assert len(changed) > 50
    assert (changed.min(0) > low - 5).all()
    assert (changed.max(0) < high + 5).all()


def test_the_overlay_of_a_variable_rate_keeps_the_time(tmp_path: Path) -> None:
    """The skeleton is at the square in the frames that the video has, and the film is as long as the video."""
    times = [t for t in range(30) if t % 5 != 2]
    video = write_video(tmp_path / "phone.mkv", [picture(t) for t in times], stamps=[40 * t for t in times])
    clips = detect_keypoints(video, detector=DotDetector())
    drawn = write_overlay(probe_video(video), clips, tmp_path / "drawn.mp4")
    shown = list(open_frames(drawn))
    np.testing.assert_allclose([f.time for f in shown], np.array(times) / 25, atol=1e-3)
    for frame, before, t in zip(shown, open_frames(video), times, strict=True):
        changed = np.abs(frame.image[..., :3].astype(int) - before.image[..., :3]).max(-1) > 60
        where = np.argwhere(changed)[:, ::-1].mean(0)
        expected = clips[0].points[t].mean(0)
        assert np.linalg.norm(where - expected) < 12, t


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"no video at all" * 50, "cannot be read as a video"), (None, "not there")],
)
def test_what_is_no_video_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DetectionError, match=said):
        detect_keypoints(path, detector=DotDetector())


def test_a_recording_that_was_broken_off_is_said(plain: Path, tmp_path: Path) -> None:
    data, broken = plain.read_bytes(), tmp_path / "broken.mp4"
    broken.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(DetectionError, match="incomplete: a video begins, but its index is missing") as raised:
        probe_video(broken)
    assert "Copy it again" in str(raised.value)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(DetectionError, match="holds no video"):
        probe_video(tmp_path / "song.mp4")


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "odd"),
    [("phone.mp4", "libx265", "yuv420p10le", 0), ("edit.mov", "prores_ks", "yuv422p10le", 0),
     ("web.webm", "libvpx-vp9", "yuv420p", 1), ("old.avi", "mpeg4", "yuv420p", 0)],
)  # fmt: skip
def test_codecs_depths_and_odd_sizes(tmp_path: Path, name: str, codec: str, pixels: str, odd: int) -> None:
    frames = [picture(t)[odd:, odd:] for t in range(8)]
    video = write_video(tmp_path / name, frames, codec=codec, pixels=pixels)
    assert probe_video(video).image_size == (SIZE[0] - odd, SIZE[1] - odd)
    np.testing.assert_allclose(centres(open_frames(video)), truth(8) - odd, atol=1.0)


def test_hands_come_along_at_variable_rates(tmp_path: Path) -> None:
    times = [t for t in range(20) if t not in (4, 9, 10, 15)]
    video = write_video(tmp_path / "phone.mkv", [picture(t) for t in times], stamps=[40 * t for t in times])
    clip = detect_keypoints(video, detector=DotDetector(layout="mediapipe75"))[0]
    assert clip.hands is not None
    assert (len(clip), len(clip.hands)) == (20, 20)
    first = clip.layout.index("l_hand_8")
    np.testing.assert_allclose(clip.hands.left[:, 8], clip.points[:, first], atol=1e-3)
    np.testing.assert_array_equal(clip.hands.left_confidence[:, 8], clip.confidence[:, first])


def test_stamps_that_stand_still_are_no_times(tmp_path: Path) -> None:
    video = write_video(tmp_path / "stuck.mp4", [picture(t) for t in range(FRAMES)])
    info = probe_video(video)
    frames = [replace(frame, time=0.0) for frame in open_frames(video)]
    store = DetectionStore("", 17)
    detector = DotDetector()
    for frame in frames:
        store.add(frame.number, frame.time, 0, detector.detect(frame), frame.scale)
    clip = clips_of_video(store, info, detector.layout, DetectionOptions())[0]
    assert (len(clip), clip.fps, clip.assumptions) == (FRAMES, Fraction(25), ())


def test_a_header_that_the_stamps_contradict_is_not_believed(plain: Path) -> None:
    """Recordings of browsers say 1000 frames a second; a slower stretch of a telephone is no other rate."""
    info = replace(probe_video(plain), fps=Fraction(1000))
    random = np.random.default_rng(0)
    stamps = np.cumsum(np.where(np.arange(90) % 30 < 10, 2, 1)) / 30 + random.uniform(-0.004, 0.004, 90)
    assert frame_rate(stamps, info, None) == Fraction(30)
    assert frame_rate(stamps, replace(info, fps=Fraction(30000, 1001)), None) == Fraction(30000, 1001)
    assert frame_rate(stamps, info, Fraction(48)) == Fraction(48)
    assert frame_rate(np.arange(50) / 60, replace(info, fps=Fraction(25)), None) == Fraction(60)


def test_a_truncated_video_gives_what_it_has(tmp_path: Path) -> None:
    video = write_video(tmp_path / "whole.mkv", [picture(t) for t in range(FRAMES)])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(video.read_bytes()[: int(0.6 * video.stat().st_size)])
    clip = detect_keypoints(cut, detector=DotDetector())[0]
    assert 4 < len(clip) < FRAMES
    np.testing.assert_allclose(clip.points[:, 0], truth(len(clip)), atol=0.6)


def test_sampling_agrees_with_scipy() -> None:
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (60, 80, 4)).astype(np.uint8)
    crop, side = Crop(40.3, 28.7, 37.0, 0.6), 24
    step = (np.arange(side) + 0.5) / side - 0.5
    u, v = np.meshgrid(step * crop.size, step * crop.size)
    x = crop.x + np.cos(0.6) * u - np.sin(0.6) * v - 0.5
    y = crop.y + np.sin(0.6) * u + np.cos(0.6) * v - 0.5
    for channel in range(3):
        wanted = ndimage.map_coordinates(image[..., channel].astype(float), [y, x], order=1) / 255
        np.testing.assert_allclose(sample(image, crop, side)[..., channel], wanted, atol=1e-4)
    # a point of the crop goes where its pixel was sampled
    np.testing.assert_allclose(crop.to_picture(np.array([0.75, 0.25])),
                               [crop.x + np.cos(0.6) * 9.25 + np.sin(0.6) * 9.25,
                                crop.y + np.sin(0.6) * 9.25 - np.cos(0.6) * 9.25])  # fmt: skip


def test_outside_of_the_picture_is_black_or_the_border() -> None:
    image = np.full((20, 20, 4), 200, np.uint8)
    beside = Crop(-20.0, 10.0, 10.0)
    assert sample(image, beside, 8, outside_black=True).max() == 0
    np.testing.assert_allclose(sample(image, beside, 8), 200 / 255, atol=1e-5)


def test_a_crop_between_two_points_has_the_second_on_top() -> None:
    crop = Crop.between(np.array([50.0, 60.0]), np.array([80.0, 60.0]), 1.25)
    assert crop.size == pytest.approx(75.0)
    np.testing.assert_allclose(crop.to_picture(np.array([0.5, 0.1])), [80.0, 60.0], atol=1e-9)


def test_anchors_are_as_many_as_the_networks_have() -> None:
    assert len(anchors(224, (8, 16, 32, 32, 32))) == 2254
    palms = anchors(192, (8, 16, 16, 16))
    assert len(palms) == 2016
    np.testing.assert_allclose(palms[[0, 1, 2, 48]], [[1 / 48, 1 / 48]] * 2 + [[3 / 48, 1 / 48], [1 / 48, 3 / 48]])
    np.testing.assert_allclose(palms[1152:1158], [[1 / 24, 1 / 24]] * 6)


def test_boxes_are_decoded_about_their_anchors_and_merged_by_score() -> None:
    middles = np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.1]])
    raw = np.array([[10, 0, 40, 20, 10, 0], [20, 0, 40, 20, 20, 0], [0, 0, 10, 10, 0, 0]], np.float32)
    logits = np.array([[np.log(3)], [0.0], [-5.0]], np.float32)  # scores 3/4, 1/2, and next to nothing
    boxes = decode(raw, logits, middles, 100, 0.4)
    np.testing.assert_allclose(boxes.corners[0], [0.4, 0.4, 0.8, 0.6])
    merged = merge(boxes)
    np.testing.assert_allclose(merged.points, [[[0.5 + (0.1 * 0.75 + 0.2 * 0.5) / 1.25, 0.5]]])
    np.testing.assert_allclose(merged.score, [0.75])
    apart = merge(Boxes(boxes.corners + np.array([[0, 0, 0, 0], [0, 0.5, 0, 0.5]]), boxes.points, boxes.score))
    assert len(apart.score) == 2


def test_one_person_is_delivered_once() -> None:
    layout = get_layout("mediapipe33")
    random = np.random.default_rng(2)
    body = random.uniform(0, 200, (33, 2)) * [0.5, 1.0]
    same, mirrored, other = body + 3, body[layout.mirrored()] + 2, body + np.array([150, 0])
    points = np.stack([same, body, mirrored, other])
    kept = distinct_poses(points, np.ones((4, 33)), np.array([0.8, 0.9, 0.7, 0.85]), layout)
    assert kept.tolist() == [1, 3]


def test_a_frame_that_cannot_be_converted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_video(tmp_path / "odd.mp4", [picture(t) for t in range(3)])

    def refuse(*_: object) -> None:
        raise av.error.OSError(95, "Operation not supported")

    monkeypatch.setattr("mvlift.detection.video._picture", refuse)
    with pytest.raises(DetectionError, match=r"odd.mp4: frame 0 cannot be shown"):
        list(open_frames(video))


def test_legs_are_no_person() -> None:
    """The worse of a large pose and a small one along its limbs goes, a small one beside it stays."""
    layout = get_layout("mediapipe33")
    large = np.zeros((33, 2))
    large[:, 0] = [100 + 20 * (n[:2] == "l_") for n in layout.names]
    large[:, 1] = np.linspace(0, 300, 33)
    small = np.stack([np.where(np.arange(33) % 2, 120.0, 100.0), np.linspace(200, 300, 33)], 1)
    for place, score, kept in ((0.0, [0.9, 0.8], [0]), (150.0, [0.9, 0.8], [0, 1]), (0.0, [0.72, 0.88], [1])):
        points = np.stack([large, small + np.array([place, 0])])
        assert distinct_poses(points, np.ones((2, 33)), np.array(score), layout).tolist() == kept


def test_long_pictures_are_searched_in_squares_too() -> None:
    assert len(search_views(640, 480)) == 1
    views = search_views(1920, 1080)
    assert [v.size for v in views] == [1920, 1080, 1080, 1080]
    assert [v.x for v in views] == [960, 540, 960, 1380]
    assert [v.y for v in search_views(1080, 1920)] == [960, 540, 960, 1380]


def test_detectors_by_name() -> None:
    assert detector_names()[0] == "blazepose"
    assert {"rtmpose", "rtmw", "blazepose-heavy"} <= set(detector_names())
    with pytest.raises(DetectionError, match="no detector 'abacus'"):
        make_detector(DetectionOptions(detector="abacus"))
    with pytest.raises(DetectionError, match="finds no hands"):
        make_detector(DetectionOptions(detector="rtmpose", hands=True))


def test_rtm_models_get_pictures_with_blue_first_and_deliver_people(tmp_path: Path) -> None:
    seen = []

    def model(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(image[2, 2].copy())
        person = np.random.default_rng(3).uniform(10, 60, (26, 2))
        scores = np.stack([np.ones(26), np.ones(26), np.full(26, 0.1)])
        return np.stack([person, person + 0.5, person + np.array([90, 0])]), scores

    frames = [np.full((64, 96, 3), (200, 30, 10), np.uint8) for _ in range(4)]
    video = write_video(tmp_path / "red.mp4", frames)
    clips = detect_keypoints(video, detector=RtmDetector(model, get_layout("halpe26")))
    assert [len(c) for c in clips] == [4]
    np.testing.assert_allclose(seen[0], [10, 30, 200], atol=8)
    with pytest.raises(DetectionError, match="not the 17"):
        detect_keypoints(video, detector=RtmDetector(model, get_layout("coco17")))
