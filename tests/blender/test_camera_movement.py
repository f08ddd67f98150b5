"""The camera's movement: still, solved from the video, or from a file; a part of such a lift is not lifted again."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from lift_steps import COUNT, ready
from mvlift.cameras.track import CameraTrack
from mvlift.cameras.writing import save_track
from mvlift.kinematics.rotations import exp_map
from people_files import SIZE, two_people

pytestmark = pytest.mark.usefixtures("extension")


def test_the_choice_reaches_the_engine(tmp_path):
    from mvlift_blender.importing.people import why_not
    from mvlift_blender.lifting.plan import plan_lift

    settings = ready()
    assert plan_lift(bpy.context).requests[0].options.camera is None
    settings.movement = "FILE"
    assert "Pick the camera path file" in why_not(settings)
    settings.track_file = str(tmp_path / "path.tum")
    assert "does not exist" in why_not(settings)
    (tmp_path / "path.tum").touch()
    assert plan_lift(bpy.context).requests[0].options.camera == str(tmp_path / "path.tum")
    settings.movement = "VIDEO"
    assert "pick the video of walk" in why_not(settings)
    film = tmp_path / "film.mp4"
    film.touch()
    settings.video = str(film)
    request = plan_lift(bpy.context).requests[0]
    assert (request.options.camera, request.clip.metadata["video"]) == ("estimate", str(film))
    settings.mirrored = True
    assert "is mirrored" in why_not(settings)
    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv")))
    assert "people of one file" in why_not(settings)


def test_two_people_of_a_video_share_the_camera_that_turns(tmp_path):
    settings = ready()
    bpy.ops.mvlift.import_keypoints(filepath=str(two_people(tmp_path / "pair.csv")), replace=True)
    settings.fps, settings.image_width, settings.image_height = "30", *SIZE
    for person in settings.people:
        person.chosen = True
    settings.range_first, settings.range_last = 12, 40
    settings.movement, settings.track_file = "FILE", str(save_track(pan(), tmp_path / "pan.camera.npz"))
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    kinds = sorted(o.type for o in bpy.context.scene.objects if o.type in ("CAMERA", "ARMATURE"))
    assert kinds == ["ARMATURE", "ARMATURE", "CAMERA"]


def pan() -> CameraTrack:
    """A camera that turns by 0.3 radians."""
    turn = np.stack([np.zeros(COUNT), np.linspace(0, 0.3, COUNT), np.zeros(COUNT)], 1)
    R = exp_map(turn)
    return CameraTrack(np.arange(COUNT), R, np.zeros((COUNT, 3)), scale="none")


def test_a_camera_that_turns_is_keyed_and_its_parts_are_not_lifted_again(tmp_path):
    from mvlift.errors import LiftError

    from mvlift_blender.lifting.relift import plan_relift

    settings = ready()
    settings.movement, settings.track_file = "FILE", str(save_track(pan(), tmp_path / "pan.camera.npz"))
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    scene = bpy.context.scene
    camera = next(o for o in scene.objects if o.type == "CAMERA")
    ends = []
    for frame in (scene.frame_start, scene.frame_start + COUNT - 1):
        scene.frame_set(frame)
        ends.append(camera.matrix_world.to_quaternion())
    assert ends[0].rotation_difference(ends[1]).angle == pytest.approx(0.3, abs=0.02)
    with pytest.raises(LiftError, match="moving camera"):
        plan_relift(bpy.context, settings.result, (5, 20), 2, 1, 1.0)
