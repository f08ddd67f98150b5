"""A control rig with Auto-Rig Pro's names: FK and IK chains, deform bones that follow either by a switch, poles."""

from __future__ import annotations

import bpy
from rig_tables import TABLES
from rigs import Style, build

# ruff: noqa: E501  a row a line
TABLE = """
c_pos ground
  c_traj ground
    c_root_master.x hips
      c_root.x hips
        c_thigh_fk.$ leg
          c_leg_fk.$ knee
            c_foot_fk.$ ankle
              c_toes_fk.$ ball
        thigh_ik.$ leg
          leg_ik.$ knee
      c_spine_01.x s15
        c_spine_02.x s45
          c_spine_03.x s70
            c_neck.x neck
              c_head.x head
            c_shoulder.$ clav
              c_arm_fk.$ arm
                c_forearm_fk.$ elbow
                  c_hand_fk.$ wrist
              arm_ik.$ arm
                forearm_ik.$ elbow
    c_foot_ik.$ ankle
      c_toes_ik.$ ball
    c_hand_ik.$ wrist
    c_leg_pole.$ knee
    c_arms_pole.$ elbow
  root.x hips
  spine_01.x s15
  spine_02.x s45
  spine_03.x s70
  neck.x neck
  head.x head
  shoulder.$ clav
  arm_stretch.$ arm
  arm_twist.$ a50
  forearm_stretch.$ elbow
  hand.$ wrist
  thigh_stretch.$ leg
  thigh_twist.$ l50
  leg_stretch.$ knee
  foot.$ ankle
  toes_01.$ ball
"""
_FOLLOW = {"root.x": "c_root.x", "spine_01.x": "c_spine_01.x", "spine_02.x": "c_spine_02.x", "spine_03.x": "c_spine_03.x",
           "neck.x": "c_neck.x", "head.x": "c_head.x"}  # fmt: skip
_SIDED = {"shoulder": ("c_shoulder", ""), "arm_stretch": ("c_arm_fk", "arm_ik"), "forearm_stretch": ("c_forearm_fk", "forearm_ik"),
          "hand": ("c_hand_fk", "c_hand_ik"), "thigh_stretch": ("c_thigh_fk", "thigh_ik"), "leg_stretch": ("c_leg_fk", "leg_ik"),
          "foot": ("c_foot_fk", "c_foot_ik"), "toes_01": ("c_toes_fk", "c_toes_ik")}  # fmt: skip


def auto_rig_pro():
    """The rig, linked to the scene; its switch property is 0 for IK and 1 for FK."""
    TABLES["auto_rig_pro"] = (("l", "r"), TABLE)
    try:
        rig = build("auto_rig_pro", Style(arm=45, stance=3, stature=1.7))
    finally:
        del TABLES["auto_rig_pro"]
    _move_poles(rig)
    bones = rig.pose.bones
    for name, control in _FOLLOW.items():
        _copy(rig, bones[name], control)
    for side in "lr":
        for name in ("c_foot_ik", "c_hand_ik"):
            bones[f"{name}.{side}"]["ik_fk_switch"] = 0.0
        for name, (fk, ik) in _SIDED.items():
            deform = bones[f"{name}.{side}"]
            _copy(rig, deform, f"{fk}.{side}")
            if ik:
                leg = any(part in name for part in ("thigh", "leg", "foot", "toes"))
                switch = f'pose.bones["{"c_foot_ik" if leg else "c_hand_ik"}.{side}"]["ik_fk_switch"]'
                _drive(rig, _copy(rig, deform, f"{ik}.{side}"), switch)
        for lower, control, pole in (("leg_ik", "c_foot_ik", "c_leg_pole"), ("forearm_ik", "c_hand_ik", "c_arms_pole")):
            constraint = bones[f"{lower}.{side}"].constraints.new("IK")
            constraint.target = constraint.pole_target = rig
            constraint.subtarget, constraint.pole_subtarget = f"{control}.{side}", f"{pole}.{side}"
            constraint.chain_count = 2
            constraint.use_stretch = False
            constraint.pole_angle = _pole_angle(rig, lower, pole, side)
    bpy.context.view_layer.update()
    return rig


def _move_poles(rig) -> None:
    layer = bpy.context.view_layer
    before, layer.objects.active = layer.objects.active, rig
    bpy.ops.object.mode_set(mode="EDIT")
    edit = rig.data.edit_bones
    for side in "lr":
        for pole, forward in (("c_leg_pole", -0.5), ("c_arms_pole", 0.5)):
            bone = edit[f"{pole}.{side}"]
            bone.head.y += forward
            bone.tail = bone.head
            bone.tail.z += 0.05
        for upper, lower, end in (("thigh_ik", "leg_ik", "c_foot_ik"), ("arm_ik", "forearm_ik", "c_hand_ik")):
            # knees bend to the front, elbows to the back: IK bends further the way the rest pose is bent
            edit[f"{upper}.{side}"].tail = edit[f"{lower}.{side}"].head
            edit[f"{lower}.{side}"].tail = edit[f"{end}.{side}"].head
    bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = before


def _pole_angle(rig, lower, pole, side) -> float:
    """The angle at which the rest pose stays as it is."""
    bones = rig.data.bones
    upper = bones[f"{lower}.{side}"].parent
    along = (bones[f"{lower}.{side}"].tail_local - upper.head_local).normalized()
    to_pole = bones[f"{pole}.{side}"].head_local - upper.head_local
    normal = along.cross(to_pole)
    projected = normal.cross(upper.tail_local - upper.head_local)
    angle = upper.x_axis.angle(projected)
    return -angle if upper.x_axis.cross(projected).angle(upper.tail_local - upper.head_local) < 1 else angle


def _copy(rig, bone, target):
    constraint = bone.constraints.new("COPY_TRANSFORMS")
    constraint.target, constraint.subtarget = rig, target
    # as a child-of with the rest poses kept: deform bones lie as their controls here
    return constraint


def _drive(rig, constraint, path) -> None:
    driver = constraint.driver_add("influence").driver
    driver.type = "SCRIPTED"
    variable = driver.variables.new()
    variable.name = "fk"
    variable.targets[0].id = rig
    variable.targets[0].data_path = path
    driver.expression = "1 - fk"
