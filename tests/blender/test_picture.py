"""Mirrored pictures and pixels that are not square: the people of a file are read anew, corrections move along."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest
from people_files import SIZE, WALK, openpose_folder

from mvlift_blender.importing.mp4 import pixel_aspect

pytestmark = pytest.mark.usefixtures("extension")


def imported(path: Path = WALK):
    bpy.ops.mvlift.import_keypoints(filepath=str(path))
    settings = bpy.context.scene.mvlift
    settings.image_width, settings.image_height = SIZE
    return settings


def clip(settings):
    from mvlift_blender.importing.sources import clip_of

    return clip_of(settings, settings.person())


def test_a_mirrored_picture_is_turned_back_and_again():
    settings = imported()
    before = clip(settings)
    settings.mirrored = True
    turned = clip(settings)
    order = [before.layout.names.index(_other_side(name)) for name in before.layout.names]
    seen = turned.seen
    np.testing.assert_array_equal(seen, before.seen[:, order])
    expected = np.stack([SIZE[0] - before.points[..., 0], before.points[..., 1]], -1)[:, order]
    np.testing.assert_allclose(turned.points[seen], expected[seen], atol=1e-3)
    assert "The picture was turned over" in settings.person().notes
    # the middle is that of the picture as it is typed
    settings.image_width = 1400
    np.testing.assert_allclose(clip(settings).points[seen][:, 0], expected[seen][:, 0] + 120, atol=1e-3)
    settings.image_width = SIZE[0]
    settings.mirrored = False
    np.testing.assert_array_equal(clip(settings).points, before.points)
    assert "turned over" not in settings.person().notes


def _other_side(name: str) -> str:
    for a, b in (("left", "right"), ("l_", "r_"), ("L", "R")):
        for one, other in ((a, b), (b, a)):
            if name.startswith(one):
                return other + name[len(one) :]
    return name


def test_pixels_that_are_not_square_are_stretched_with_the_picture():
    settings = imported()
    before = clip(settings)
    settings.pixel_aspect = 1.5
    wide = clip(settings)
    np.testing.assert_allclose(wide.points, before.points * [1.5, 1], rtol=1e-6)
    assert wide.image_size == settings.clip_size(settings.person()) == (1920, 720)
    assert not settings.source_of(settings.person()).findings
    from mvlift_blender.lifting.plan import plan_lift

    assert plan_lift(bpy.context).requests[0].clip.image_size == (1920, 720)


def test_corrections_move_along_and_back():
    from mvlift_blender.importing.corrections import corrections_of, place_keypoint

    settings = imported()
    person = settings.person()
    first, name = person.first, clip(settings).layout.names[4]
    place_keypoint(settings, person, first, name, (300.0, 200.0))
    settings.pixel_aspect = 1.5
    settings.mirrored = True
    ((frame, other), place), *_ = corrections_of(person).points.items()
    assert (frame, other) == (first, _other_side(name))
    assert other != name
    assert place == pytest.approx((1920 - 450, 200), abs=1e-3)
    shown = clip(settings)
    assert shown.points[0, shown.layout.index(other)] == pytest.approx((1470, 200), abs=1e-2)
    settings.mirrored, settings.pixel_aspect = False, 1.0
    assert corrections_of(person).points[first, name] == pytest.approx((300, 200), abs=1e-3)


def test_a_file_that_is_gone_is_said_and_the_people_stay(tmp_path):
    folder = openpose_folder(tmp_path / "clip")
    settings = imported(folder / sorted(p.name for p in folder.iterdir())[0])
    frames = settings.person().frames
    folder.rename(tmp_path / "elsewhere")
    settings.mirrored = True
    assert "does not exist" in settings.source_of(settings.person()).picture_problem
    assert settings.person().frames == frames


def box(name: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), name) + b"".join(content)


def anamorphic(path: Path, across: int, down: int, handler: bytes = b"vide") -> Path:
    """The boxes of a film of 720 x 576, up to its sample description."""
    fields = bytes(6 + 2 + 16) + struct.pack(">HH", 720, 576) + bytes(50)
    entry = box(b"avc1", fields, box(b"avcC", bytes(7)), box(b"pasp", struct.pack(">II", across, down)))
    table = box(b"stsd", struct.pack(">II", 0, 1), entry)
    media = box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12)), box(b"minf", box(b"stbl", table)))
    path.write_bytes(box(b"ftyp", b"isom") + box(b"moov", box(b"trak", media)))
    return path


def test_the_pixel_aspect_of_a_film(tmp_path):
    film = anamorphic(tmp_path / "dv.mp4", 64, 45)
    assert pixel_aspect(film, (720, 576)) == pytest.approx(64 / 45)
    assert pixel_aspect(film, (576, 720)) == pytest.approx(45 / 64)  # it lies on its side
    assert pixel_aspect(anamorphic(tmp_path / "none.mov", 0, 0), (720, 576)) == 1
    assert pixel_aspect(anamorphic(tmp_path / "sound.mp4", 64, 45, b"soun"), (720, 576)) == 1
    assert pixel_aspect(film.rename(tmp_path / "dv.avi"), (720, 576)) == 1
    (tmp_path / "cut.mp4").write_bytes(anamorphic(tmp_path / "b.mp4", 64, 45).read_bytes()[:90])
    assert pixel_aspect(tmp_path / "cut.mp4", (720, 576)) == 1


def test_the_panel_takes_it_from_the_video(tmp_path, monkeypatch):
    from mvlift_blender.importing import video
    from mvlift_blender.importing.checks import VideoFacts

    settings = imported()
    settings.image_width = settings.image_height = 0
    (tmp_path / "film.mp4").touch()
    facts = VideoFacts((960, 720), Fraction(30), 150, False, 4 / 3)
    monkeypatch.setattr(video, "read_facts", lambda path: facts)
    settings.video = str(tmp_path / "film.mp4")
    assert settings.pixel_aspect == pytest.approx(4 / 3)
    assert settings.clip_size(settings.person()) == clip(settings).image_size == (1280, 720)
    # a file that states the picture in square pixels is stretched already
    person = settings.person()
    person.width, person.height = 1280, 720
    settings.video = str(tmp_path / "film.mp4")
    assert settings.pixel_aspect == 1
    assert settings.clip_size(person) == settings.source_of(person).facts().size == (1280, 720)
