"""Rigify's own metarigs and the rigs that its add-on generates from them."""

from __future__ import annotations

import importlib

import addon_utils
import bpy

METARIGS = {
    "rigify": "human", "rigify_basic": "Basic.basic_human", "rigify_quadruped": "Basic.basic_quadruped",
    "rigify_wolf": "Animals.wolf", "rigify_cat": "Animals.cat", "rigify_horse": "Animals.horse",
}  # fmt: skip


def metarig(name: str):
    """The metarig object, linked to the scene and active."""
    if not addon_utils.check("rigify")[1]:
        addon_utils.enable("rigify", default_set=True)
    module = importlib.import_module(f"rigify.metarigs.{METARIGS[name]}")
    data = bpy.data.armatures.new("metarig")
    armature = bpy.data.objects.new("metarig", data)
    bpy.context.scene.collection.objects.link(armature)
    for other in bpy.context.view_layer.objects:
        other.select_set(False)
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    module.create(armature)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    return armature


def generated(name: str):
    """The rig that Rigify generates; the metarig is hidden, as Rigify leaves it."""
    metarig(name)
    bpy.ops.pose.rigify_generate()
    bpy.context.view_layer.update()
    return bpy.context.object
