"""The video: its facts, the background of the camera view, the preview of keypoints over it, the body file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from people_files import WALK, two_people, walker
from synthetic_motion import walk

from mvlift_blender.scene.record import LiftNames
from mvlift_blender.scene.write import WriteOptions, write_motion

pytestmark = pytest.mark.usefixtures("extension")
SIZE = (64, 36)
BODY = Path(__file__).resolve().parents[3] / "shared" / "bodies" / "openbody_smpl_6890.npz"


def pictures(folder: Path, count: int = 12, first: int = 7) -> Path:
    """A numbered series whose n-th picture is 20 n in red; gives one from its middle."""
    folder.mkdir()
    image = bpy.data.images.new("picture", *SIZE)
    for n in range(count):
        pixels = np.ones((SIZE[1], SIZE[0], 4), np.float32)
        pixels[..., :3] = [20 * n / 255, 0.2, 0.4]
        image.pixels.foreach_set(pixels.ravel())
        image.filepath_raw, image.file_format = str(folder / f"shot_{first + n:04d}.png"), "PNG"
        image.save()
    bpy.data.images.remove(image)
    return folder / f"shot_{first + 4:04d}.png"


def movie(folder: Path, fps: Fraction) -> Path:
    """The series as a movie."""
    shot = pictures(folder)
    scene = bpy.data.scenes.new("movie")
    strips = scene.sequence_editor_create()
    strip = (strips.strips if hasattr(strips, "strips") else strips.sequences).new_image(
        "shot", str(folder / "shot_0007.png"), channel=1, frame_start=1
    )
    for picture in sorted(shot.parent.iterdir())[1:]:
        strip.elements.append(picture.name)
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *SIZE, 100
    render.fps, render.fps_base = round(fps), float(round(fps) / fps)
    scene.frame_start, scene.frame_end = 1, 12
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.filepath, render.use_file_extension = str(folder / "shot"), False
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    target = folder / "shot.mp4"
    (folder / "shot").rename(target)
    return target


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)])
def test_size_and_exact_rate_are_read_from_the_video(tmp_path, fps):
    from mvlift_blender.importing.people import assumed, why_not

    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings = bpy.context.scene.mvlift
    video = movie(tmp_path / "shot", fps)
    blocks = len(bpy.data.movieclips)
    settings.video = str(video)
    assert settings.clip_size(settings.person()) == SIZE
    assert settings.clip_fps(settings.person()) == fps
    assert len(bpy.data.movieclips) == blocks
    assert (assumed(settings, settings.person()), why_not(settings)) == ("", "")


def test_the_video_beside_the_keypoints_is_found(tmp_path):
    made = movie(tmp_path / "shot", Fraction(30))
    table = two_people(made.with_name("shot_keypoints.csv"))
    bpy.ops.mvlift.import_keypoints(filepath=str(table))
    assert Path(bpy.context.scene.mvlift.video) == made


def test_a_movie_is_the_cameras_background(tmp_path):
    video = movie(tmp_path / "shot", Fraction(30))
    written = write_motion(bpy.context, walk(6), WriteOptions(video=video, start=21))
    background = written.camera.data.background_images[0]
    assert (background.image.source, background.display_depth) == ("MOVIE", "BACK")
    assert written.camera.data.show_background_images
    user = background.image_user
    # the motion begins with frame 5 of the video
    assert (user.frame_start, user.frame_offset, user.frame_duration) == (21, 5, 6)


def test_a_series_of_pictures_is_the_cameras_background(tmp_path):
    written = write_motion(bpy.context, walk(6), WriteOptions(video=pictures(tmp_path / "shot"), start=21))
    background = written.camera.data.background_images[0]
    assert background.image.source == "SEQUENCE"
    user = background.image_user
    # scene frame 21 shows picture 7 + 5: Blender shows frame - start + 1 + offset
    assert 21 - user.frame_start + 1 + user.frame_offset == 12
    assert background.frame_method == "STRETCH"


def test_one_picture_and_no_video_go_too(tmp_path):
    alone = tmp_path / "still.png"
    pictures(tmp_path / "shot").rename(alone)
    written = write_motion(bpy.context, walk(3), WriteOptions(video=alone))
    assert written.camera.data.background_images[0].image.source == "FILE"
    assert not write_motion(bpy.context, walk(3)).camera.data.background_images


def view(width=640, height=400, sidebar=0):
    """As much of a viewport's context as the preview reads."""
    over = SimpleNamespace(type="UI", x=100 + width - sidebar, width=sidebar)
    return SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        area=SimpleNamespace(regions=[over]),
        region=SimpleNamespace(width=width, height=height, x=100),
        region_data=SimpleNamespace(view_perspective="PERSP"),
    )


def test_the_preview_follows_the_timeline(tmp_path):
    from mvlift_blender.viewport.overlay import screen_frame, skeleton_lines
    from mvlift_blender.viewport.preview import shown_at

    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv")))
    scene = bpy.context.scene
    assert shown_at(view()) is None
    scene.mvlift.overlay, scene.mvlift.active = True, 1
    scene.mvlift.start, scene.mvlift.rate = 1, "CLIP"
    scene.frame_set(5)
    shown = shown_at(view())
    assert (shown.clip.track_id, shown.row, shown.number, shown.size) == ("b", 4, 14, (1280, 720))
    frame = screen_frame(view(), shown.size)
    corners = np.array([[0, 0], [1280, 720]]) @ frame[:, :2].T + frame[:, 2]
    assert (corners >= 0).all()
    assert (corners <= [640, 400]).all()
    assert (corners[1, 0] - corners[0, 0]) / (corners[0, 1] - corners[1, 1]) == pytest.approx(16 / 9)
    beside = screen_frame(view(sidebar=200), shown.size)
    assert beside[0, 2] >= 0
    assert beside[0, 0] * 1280 + beside[0, 2] <= 440
    lines, colours, points, _ = skeleton_lines(shown.clip, shown.row, frame)
    assert len(points) == shown.clip.seen[4].sum()
    assert len(lines) == len(colours) >= 20
    j = shown.clip.layout.names.index("nose")
    np.testing.assert_allclose(points[0], shown.clip.points[4, j] @ frame[:, :2].T + frame[:, 2])
    # at half the clip's rate a scene frame is two of the video's
    scene.mvlift.rate, scene.render.fps, scene.render.fps_base = "SCENE", 15, 1.0
    assert shown_at(view()).row == 8


def test_the_preview_after_a_lift_is_the_lifted_persons(tmp_path):
    from mvlift_blender.viewport.preview import shown_at

    table = two_people(tmp_path / "pair.csv")
    bpy.ops.mvlift.import_keypoints(filepath=str(table))
    options = WriteOptions(start=31, names=LiftNames(str(table), "a"))
    scene = bpy.context.scene
    scene.mvlift.result = write_motion(bpy.context, walk(20), options).armature
    scene.mvlift.overlay, scene.mvlift.active = True, 0
    scene.frame_set(33)
    assert shown_at(view()).number == walk(2).first_frame + 2
    table.unlink()
    from mvlift_blender.importing.sources import forget

    forget()
    assert shown_at(view()) is None  # drawing never fails


def test_a_body_file_is_checked_when_it_is_chosen(extension, tmp_path):
    wrong = tmp_path / "SMPL_WRONG.npz"
    np.savez(wrong, v_template=np.zeros((4, 3)))
    try:
        extension.body_file = str(wrong)
        assert not extension.body_is_good
        assert "SMPL_WRONG.npz" in extension.body_report
        extension.body_file = str(tmp_path / "gone.pkl")
        assert not extension.body_is_good
        if not BODY.is_file():
            pytest.skip("no SMPL file to test with")
        extension.body_file = str(BODY)
        assert extension.body_is_good, extension.body_report
        assert extension.body_report.startswith("SMPL: 6890 vertices, 24 joints")
    finally:
        extension.body_file = ""


def test_a_lift_with_the_users_body(extension):
    if not BODY.is_file():
        pytest.skip("no SMPL file to test with")
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings.image_width, settings.image_height, settings.fps = 1280, 720, "30"
    settings.preset, settings.device = "fast", "cpu"
    settings.use_range, settings.range_first, settings.range_last = True, 0, 23
    try:
        extension.body_file = str(BODY)
        assert bpy.ops.mvlift.lift() == {"FINISHED"}
    finally:
        extension.body_file = ""
    body = bpy.data.objects["walk Body"]
    assert len(body.data.vertices) == 6890
    assert np.ptp([v.co.z for v in body.data.vertices]) == pytest.approx(1.7, abs=0.25)
    assert {g.name for g in body.vertex_groups} == {b.name for b in settings.result.data.bones}
    assert walker(2).layout.names


def test_new_scenes_begin_with_the_preferences(extension):
    try:
        extension.device, extension.preset = "cpu", "fast"
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        settings = bpy.context.scene.mvlift
        assert (settings.device, settings.preset) == ("cpu", "fast")
    finally:
        extension.property_unset("device")
        extension.property_unset("preset")
