"""Skeletons of many makers as names, hierarchy and landmarks: what each calls the parts of a body."""

# ruff: noqa: E501  the tables read better with a row a line

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from rig_shapes import Style, landmarks
from rig_tables import Row, rows_of

from mvlift_blender.retargeting.shape import RigShape


def human_shape(text: str, sides: tuple[str, str], style: Style | None = None) -> RigShape:
    """A person's skeleton at rest."""
    points = {side: landmarks(style or Style(arm=30), side) for side in (1, -1)}
    return _shape(rows_of((sides, text)), points)


def animal_shape(text: str, sides: tuple[str, str]) -> RigShape:
    """A four-legged animal's skeleton at rest."""
    return _shape(rows_of((sides, text)), {side: animal_landmarks(side) for side in (1, -1)})


def animal_landmarks(side: int) -> dict[str, np.ndarray]:
    """Landmarks of an animal that faces -y, metres."""
    x = 0.12 * side
    points = {
        "ground": (0, 0, 0), "hips": (0, 0.45, 0.75), "tail1": (0, 0.55, 0.74), "tail2": (0, 0.7, 0.66), "tail3": (0, 0.85, 0.58),
        "tail4": (0, 1.0, 0.5), "s1": (0, 0.3, 0.76), "s2": (0, 0.1, 0.77), "s3": (0, -0.15, 0.77), "neck": (0, -0.35, 0.82),
        "neck2": (0, -0.45, 0.92), "head": (0, -0.55, 1.02), "nose": (0, -0.8, 0.95), "ear": (x / 2, -0.55, 1.15),
        "pelvis": (x / 2, 0.4, 0.78), "h1": (x, 0.5, 0.68), "h2": (x, 0.4, 0.45), "h3": (x, 0.58, 0.25), "h4": (x, 0.52, 0.06), "h5": (x, 0.42, 0.01),
        "f0": (x / 2, -0.2, 0.82), "f1": (x, -0.35, 0.62), "f2": (x, -0.25, 0.42), "f3": (x, -0.28, 0.18), "f4": (x, -0.3, 0.05), "f5": (x, -0.38, 0.01),
        "w1": (2 * x, -0.1, 0.9), "w2": (5 * x, -0.1, 1.0), "w3": (8 * x, -0.1, 1.0),
    }  # fmt: skip
    return {name: np.array(point, dtype=float) for name, point in points.items()}


def _shape(rows: list[Row], points: Mapping[int, Mapping[str, np.ndarray]]) -> RigShape:
    number = {row.bone: i for i, row in enumerate(rows)}
    heads = np.array([points[row.side][row.landmark] for row in rows])
    tails = heads + np.array([0, 0, 0.05])
    for i, row in enumerate(rows):
        if row.parent:
            tails[number[row.parent]] = heads[i]
    return RigShape(tuple(r.bone for r in rows), tuple(number.get(r.parent, -1) for r in rows), heads, tails)


_BODY = """
{root} ground
  {hips} hips
    {spine1} s25
      {spine2} s50
        {chest} s75
          {neck} neck
            {head} head
              {end} top
          {clav} clav
            {arm} arm
              {elbow} elbow
                {hand} wrist
                  {finger} i1
    {thigh} leg
      {knee} knee
        {ankle} ankle
          {toe} ball
            {tip} toe
"""
_PARTS = (
    "root",
    "hips",
    "spine1",
    "spine2",
    "chest",
    "neck",
    "head",
    "end",
    "clav",
    "arm",
    "elbow",
    "hand",
    "finger",
    "thigh",
    "knee",
    "ankle",
    "toe",
    "tip",
)
HUMANS: dict[str, tuple[tuple[str, str], str]] = {
    "german": (
        ("links", "rechts"),
        "Wurzel Becken Wirbel1 Wirbel2 Brust Hals Kopf Kopf_Ende Schluesselbein_$ Oberarm_$ Unterarm_$ Hand_$ Zeigefinger1_$ Oberschenkel_$ Unterschenkel_$ Fuss_$ Zehen_$ Zehen_Ende_$",
    ),
    "french": (
        ("G", "D"),
        "Racine Bassin Colonne1 Colonne2 Poitrine Cou Tete Tete_end Clavicule_$ Bras_$ AvantBras_$ Main_$ Index1_$ Cuisse_$ Mollet_$ Pied_$ Orteils_$ Orteils_end_$",
    ),
    "spanish": (
        ("izq", "der"),
        "Raiz Cadera Columna1 Columna2 Pecho Cuello Cabeza Cabeza_end Clavicula_$ Brazo_$ Antebrazo_$ Mano_$ Indice1_$ Muslo_$ Pantorrilla_$ Pie_$ Dedos_Pie_$ DedosFin_$",
    ),
    "latin": (
        ("sinistra", "dextra"),
        "origin pelvis lumbar thoracic sternum cervical cranium cranium_end clavicula_$ humerus_$ radius_$ carpus_$ digitus_$ femur_$ tibia_$ tarsus_$ metatarsal_$ phalanx_end_$",
    ),
    "mmd": (
        ("左", "右"),
        "全ての親 センター 上半身 上半身2 上半身3 首 頭 頭先 $肩 $腕 $ひじ $手首 $人指１ $足 $ひざ $足首 $つま先 $つま先先",
    ),
    "chinese": (
        ("左", "右"),
        "根 骨盆 脊椎1 脊椎2 胸 脖子 头 头末 $锁骨 $上臂 $前臂 $手掌 $食指1 $大腿 $小腿 $脚踝 $脚趾 $脚趾末",
    ),
    "mmd_english": (
        ("_L", "_R"),
        "master center upper_body upper_body2 upper_body3 neck head head_tip shoulder$ arm$ elbow$ wrist$ fore1$ leg$ knee$ ankle$ toe$ toe_tip$",
    ),
    "blender_dots": (
        (".L", ".R"),
        "root hip spine spine.001 chest neck head head.end shoulder$ upper_arm$ forearm$ hand$ f_index.01$ thigh$ shin$ foot$ toe$ toe$.001",
    ),
    "glued": (
        ("l", "r"),
        "rootjoint pelvis spinea spineb spinec neck head headend $clavicle $upperarm $lowerarm $hand $indexa $thigh $calf $foot $toe $toeend",
    ),
    "maya": (
        ("L_", "R_"),
        "root_jnt cog_jnt spine_01_jnt spine_02_jnt chest_jnt neck_jnt head_jnt headEnd_jnt $clav_jnt $shoulder_jnt $elbow_jnt $wrist_jnt $index_01_jnt $hip_jnt $knee_jnt $ankle_jnt $ball_jnt $toe_jnt",
    ),
    "bip01": (
        ("L", "R"),
        "Bip01 Bip01_Pelvis Bip01_Spine Bip01_Spine1 Bip01_Spine2 Bip01_Neck Bip01_Head Bip01_HeadNub Bip01_$_Clavicle Bip01_$_UpperArm Bip01_$_Forearm Bip01_$_Hand Bip01_$_Finger1 Bip01_$_Thigh Bip01_$_Calf Bip01_$_Foot Bip01_$_Toe0 Bip01_$_Toe0Nub",
    ),
    "cc": (
        ("L", "R"),
        "CC_Base_BoneRoot CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 CC_Base_NeckTwist01 CC_Base_Head CC_Base_Head_End CC_Base_$_Clavicle CC_Base_$_Upperarm CC_Base_$_Forearm CC_Base_$_Hand CC_Base_$_Index1 CC_Base_$_Thigh CC_Base_$_Calf CC_Base_$_Foot CC_Base_$_ToeBase CC_Base_$_ToeBaseShareBone",
    ),
    "kinect": (
        ("Left", "Right"),
        "Root SpineBase SpineMid SpineChest SpineShoulder Neck Head HeadTip Clavicle$ Shoulder$ Elbow$ Wrist$ HandTip$ Hip$ Knee$ Ankle$ Foot$ FootTip$",
    ),
    "hdm": (
        ("l", "r"),
        "reference root lowerback upperback thorax upperneck head headsite $clavicle $humerus $radius $wrist $fingers $femur $tibia $foot $toes $toesend",
    ),
    "koikatsu": (
        ("L", "R"),
        "cf_j_root cf_j_hips cf_j_spine01 cf_j_spine02 cf_j_spine03 cf_j_neck cf_j_head cf_s_head cf_j_shoulder_$ cf_j_arm00_$ cf_j_forearm01_$ cf_j_hand_$ cf_j_index01_$ cf_j_thigh00_$ cf_j_leg01_$ cf_j_foot_$ cf_j_toes_$ cf_s_toes_$",
    ),
    "valve": (
        ("L", "R"),
        "ValveBiped.Bip01 ValveBiped.Bip01_Pelvis ValveBiped.Bip01_Spine ValveBiped.Bip01_Spine1 ValveBiped.Bip01_Spine2 ValveBiped.Bip01_Neck1 ValveBiped.Bip01_Head1 ValveBiped.forward ValveBiped.Bip01_$_Clavicle ValveBiped.Bip01_$_UpperArm ValveBiped.Bip01_$_Forearm ValveBiped.Bip01_$_Hand ValveBiped.Bip01_$_Finger1 ValveBiped.Bip01_$_Thigh ValveBiped.Bip01_$_Calf ValveBiped.Bip01_$_Foot ValveBiped.Bip01_$_Toe0 ValveBiped.Anim_$",
    ),
    "synty": (
        ("L", "R"),
        "Root Hips Spine_01 Spine_02 Spine_03 Neck Head Eyes Clavicle_$ Shoulder_$ Elbow_$ Hand_$ IndexFinger_01_$ UpperLeg_$ LowerLeg_$ Ankle_$ Ball_$ Toes_$",
    ),
    "namespaced": (
        ("Left", "Right"),
        "hero:rig:root hero:rig:Hips hero:rig:Spine hero:rig:Spine1 hero:rig:Spine2 hero:rig:Neck hero:rig:Head hero:rig:Head_end hero:rig:$Shoulder hero:rig:$Arm hero:rig:$ForeArm hero:rig:$Hand hero:rig:$HandIndex1 hero:rig:$UpLeg hero:rig:$Leg hero:rig:$Foot hero:rig:$ToeBase hero:rig:$Toe_End",
    ),
    "def_prefix": (
        (".L", ".R"),
        "root DEF-hips DEF-spine DEF-spine.001 DEF-chest DEF-neck DEF-head DEF-head_end DEF-shoulder$ DEF-upper_arm$ DEF-forearm$ DEF-hand$ DEF-f_index.01$ DEF-thigh$ DEF-shin$ DEF-foot$ DEF-toe$ DEF-toe_end$",
    ),
    "vrm0": (
        ("L", "R"),
        "Root J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head J_Sec_Hair1_01 J_Bip_$_Shoulder J_Bip_$_UpperArm J_Bip_$_LowerArm J_Bip_$_Hand J_Bip_$_Index1 J_Bip_$_UpperLeg J_Bip_$_LowerLeg J_Bip_$_Foot J_Bip_$_ToeBase J_Bip_$_ToeBase_end",
    ),
    "numbers in a chain": (
        ("L", "R"),
        "Skeleton_root Skeleton_torso_joint_1 Skeleton_torso_joint_2 Skeleton_torso_joint_3 Skeleton_torso_joint_4 Skeleton_neck_joint_1 Skeleton_neck_joint_2 Skeleton_end Skeleton_collar_joint_$ Skeleton_arm_joint_$__4_ Skeleton_arm_joint_$__3_ Skeleton_arm_joint_$__2_ Skeleton_prop_$ leg_joint_$_1 leg_joint_$_2 leg_joint_$_3 leg_joint_$_5 leg_joint_$_end",
    ),
    "second_life": (
        ("Left", "Right"),
        "mRoot mPelvis mTorso mSpine1 mChest mNeck mHead mSkull mCollar$ mShoulder$ mElbow$ mWrist$ mHandIndex1$ mHip$ mKnee$ mAnkle$ mFoot$ mToe$",
    ),
    "advanced": (
        ("L", "R"),
        "Main Root_M Spine1_M Spine2_M Chest_M Neck_M Head_M HeadEnd_M Scapula_$ Shoulder_$ Elbow_$ Wrist_$ IndexFinger1_$ Hip_$ Knee_$ Ankle_$ Toes_$ ToesEnd_$",
    ),
}
_OF = {
    "hips": "hips",
    "head": "head",
    "neck": "neck",
    "spine": "spine1",
    "shoulder": "clav",
    "upper_arm": "arm",
    "lower_arm": "elbow",
    "hand": "hand",
    "upper_leg": "thigh",
    "lower_leg": "knee",
    "foot": "ankle",
    "toe": "toe",
}


def human(name: str) -> tuple[RigShape, dict[str, str]]:
    """A skeleton by its maker's names, and the bone of each part with ``$`` for the side."""
    _, words = HUMANS[name]
    parts = dict(zip(_PARTS, words.split(" "), strict=True))
    return human_shape(_BODY.format(**parts), HUMANS[name][0]), {part: parts[of] for part, of in _OF.items()}
