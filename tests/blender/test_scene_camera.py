"""Blender's own cameras as tracks: an animated camera of the scene, a Movie Clip's lens, gravity from the panel."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from lift_steps import COUNT, ready
from mathutils import Vector
from mvlift.cameras import read_camera_track
from mvlift.errors import CameraError, LiftError

pytestmark = pytest.mark.usefixtures("extension")

SIZE = (1280, 720)


def animated_camera(sensor_fit="AUTO", scale=1.0):
    """A camera under a keyed and scaled parent, with keyed lens and shift."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = *SIZE, 30
    data = bpy.data.cameras.new("Tracking")
    camera, rig = bpy.data.objects.new("Tracking", data), bpy.data.objects.new("Dolly", None)
    for target in (camera, rig):
        scene.collection.objects.link(target)
    camera.parent, rig.scale = rig, [scale] * 3
    camera.rotation_euler = (1.4, 0.05, 0.3)
    camera.location = (0.4, -6.0, 1.5)
    data.sensor_fit, data.shift_x, data.shift_y = sensor_fit, 0.03, -0.02
    for frame, x, turn, lens in ((1, 0.0, 0.0, 35.0), (40, 1.2, 0.4, 50.0)):
        rig.location, rig.rotation_euler, data.lens = (x, 0.3, 0), (0, 0, turn), lens
        rig.keyframe_insert("location", frame=frame)
        rig.keyframe_insert("rotation_euler", frame=frame)
        data.keyframe_insert("lens", frame=frame)
    return camera


@pytest.mark.parametrize("sensor_fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
def test_a_scene_camera_sees_what_its_track_sees(sensor_fit):
    """Points of the scene are where Blender itself projects them; the current frame and the camera stay."""
    from mvlift_blender.importing.scene_camera import scene_camera_track, video_frames_in_scene

    camera, scene = animated_camera(sensor_fit, scale=2.0), bpy.context.scene
    scene.frame_set(7)
    frames = video_frames_in_scene(scene, 3, 20, Fraction(30), 1)
    np.testing.assert_allclose(frames, np.arange(4, 24))
    track = scene_camera_track(bpy.context, camera, 3, frames, SIZE, Fraction(30))
    assert scene.frame_current == 7
    assert (track.scale, track.floor_known, list(track.frames[:2])) == ("metric", True, [3, 4])
    points = np.array([[0.5, 2.0, 0.0], [-1.0, 3.0, 1.7], [0.2, 1.0, 0.9]])
    for row in (0, 9, 19):
        scene.frame_set(int(frames[row]))
        bpy.context.view_layer.update()
        shown = [world_to_camera_view(scene, camera, Vector(p)) for p in points]
        wanted = np.array([[v.x * SIZE[0], (1 - v.y) * SIZE[1]] for v in shown])
        local = points @ track.R[row].T + track.t[row]
        image = local @ track.K[row].T
        np.testing.assert_allclose(image[:, :2] / image[:, 2:], wanted, atol=0.05)


def test_another_rate_lies_between_the_scenes_frames():
    from mvlift_blender.importing.scene_camera import video_frames_in_scene

    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    np.testing.assert_allclose(video_frames_in_scene(scene, 0, 3, Fraction(48), 10), [10, 10.5, 11])


def test_cameras_that_cannot_be_used_are_said():
    from mvlift_blender.importing.scene_camera import clip_track, scene_camera_track

    camera = animated_camera()
    arguments = (0, np.arange(1.0, 5), SIZE, Fraction(30))
    camera.data.type = "ORTHO"
    with pytest.raises(CameraError, match="perspective"):
        scene_camera_track(bpy.context, camera, *arguments)
    camera.data.type = "PERSP"
    camera.scale = (-1, 1, 1)
    with pytest.raises(CameraError, match="mirrored"):
        scene_camera_track(bpy.context, camera, *arguments)
    camera.scale = (0, 0, 0)
    with pytest.raises(CameraError, match="nothing"):
        scene_camera_track(bpy.context, camera, *arguments)
    with pytest.raises(CameraError, match="solved camera"):
        clip_track(None, SIZE, Fraction(30))


def test_the_choice_reaches_the_engine_as_a_track():
    from mvlift_blender.importing.people import why_not
    from mvlift_blender.lifting.plan import plan_lift

    settings = ready()
    settings.movement = "SCENE"
    assert "Pick the camera of the scene" in why_not(settings)
    settings.track_camera = animated_camera()
    track = read_camera_track(plan_lift(bpy.context).requests[0].options.camera)
    assert (track.scale, len(track) >= COUNT) == ("metric", True)
    np.testing.assert_allclose(track.up, [0, 0, 1])
    settings.track_world = "FREE"
    track = read_camera_track(plan_lift(bpy.context).requests[0].options.camera)
    assert (track.scale, track.up, track.floor_known) == ("unknown", None, False)
    settings.movement = "CLIP"
    assert "Movie Clip" in why_not(settings)


def test_a_lift_before_a_scene_camera_stands_in_its_world():
    """The written camera is where the scene's camera is, in every frame."""
    settings = ready()
    scene = bpy.context.scene
    settings.movement, settings.track_camera = "SCENE", animated_camera()
    scene.frame_start = settings.track_begins = 1
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    written = next(o for o in scene.objects if o.type == "CAMERA" and o != settings.track_camera)
    for frame in (1, 12, COUNT):
        scene.frame_set(frame)
        distance = (written.matrix_world.translation - settings.track_camera.matrix_world.translation).length
        assert distance < 0.01
        turn = written.matrix_world.to_quaternion().rotation_difference(
            settings.track_camera.matrix_world.to_quaternion()
        )
        assert turn.angle < 0.01


def test_gravity_of_the_panel_reaches_the_engine():
    from mvlift_blender.lifting.plan import plan_lift

    settings = ready()
    settings.gravity, settings.tilt = "TILT", np.radians(12)
    assert plan_lift(bpy.context).requests[0].options.tilt == pytest.approx(12, abs=1e-4)
    settings.gravity = "VERTICALS"
    with pytest.raises(LiftError, match="not drawn"):
        plan_lift(bpy.context)
    assert bpy.ops.mvlift.draw_gravity(kind="HORIZON", points=(0, 300, 1280, 310, 0, 0, 0, 0)) == {"FINISHED"}
    options = plan_lift(bpy.context).requests[0].options
    assert (options.tilt, options.horizon) == (None, (0, 300, 1280, 310))
    ends = (10, 20, 12, 500, 900, 30, 880, 600)
    bpy.ops.mvlift.draw_gravity(kind="VERTICALS", points=ends)
    assert plan_lift(bpy.context).requests[0].options.verticals == ends
    with pytest.raises(RuntimeError, match="no length"):
        bpy.ops.mvlift.draw_gravity(kind="HORIZON", points=(5, 5, 5, 5, 0, 0, 0, 0))
