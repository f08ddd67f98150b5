"""The panel's options are those of the engine's `LiftOptions`."""

import bpy
import pytest
from mvlift.lifting.options import LiftOptions, option_fields, option_help

from mvlift_blender.settings.options import BY_HAND, generated_options, option_values


@pytest.fixture
def settings(extension):
    return bpy.context.scene.mvlift


def test_every_option_is_asked_for_in_one_way():
    names = [f.name for f in option_fields()]
    assert set(BY_HAND) <= set(names)
    assert [*BY_HAND, *generated_options()].__len__() == len(names)
    assert {"preset", "seed", "smoothing", "threads"} <= set(generated_options())


def test_properties_have_the_engines_defaults_and_sentences(settings):
    for name in generated_options():
        definition = settings.bl_rna.properties[name]
        assert definition.description == option_help()[name].rstrip(".")
        assert definition.name
    assert LiftOptions(**option_values(settings)) == LiftOptions()


def test_values_reach_the_engine(settings):
    from mvlift_blender.lifting.plan import lift_options

    settings.preset, settings.seed, settings.smoothing, settings.threads = "fast", 5, 0.5, 2
    options = lift_options(settings, "human", (1920, 1080), None)
    assert (options.preset, options.seed, options.smoothing, options.threads) == ("fast", 5, 0.5, 2)
    settings.threads = 0
    assert lift_options(settings, "human", (1920, 1080), None).threads is None


def test_a_file_with_a_preset_of_an_earlier_version_takes_the_default():
    from mvlift_blender.settings.old_files import bring_up_to_date

    settings = bpy.context.scene.mvlift
    stored = settings
    if hasattr(settings, "bl_system_properties_get"):
        stored = settings.bl_system_properties_get(do_create=True)
    stored["preset"] = 1  # "quality"; 0 was "fast", 2 "paper"
    assert settings.preset == ""
    bring_up_to_date(settings)
    assert settings.preset == "fast"
    stored["preset"] = 2
    bring_up_to_date(settings)
    assert settings.preset == "paper"
    settings.property_unset("preset")
