"""Skeletons of other programs: names, hierarchy and where each bone begins, as each program writes them.

A line is a bone, its landmark beside it; deeper lines hang on shallower ones. ``$`` is the side's token: such a bone
and all below it come once for the left and once for the right.
"""

# ruff: noqa: E501  the tables read better with a row a line

from __future__ import annotations

TABLES: dict[str, tuple[tuple[str, str], str]] = {}


def _table(name: str, sides: tuple[str, str], text: str) -> None:
    TABLES[name] = (sides, text)


_SMPL = """
pelvis hips
  spine1 s25
    spine2 s50
      spine3 s75
        neck neck
          head head{face}
        $_collar clav
          $_shoulder arm
            $_elbow elbow
              $_wrist wrist{hand}
  $_hip leg
    $_knee knee
      $_ankle ankle
        $_foot ball
"""
_MANO = """
                $_index1 i1
                  $_index2 i2
                    $_index3 i3
                $_pinky1 i1
                  $_pinky2 i2
                    $_pinky3 i3
                $_thumb1 t1
                  $_thumb2 t2
                    $_thumb3 i1"""
_table("smpl", ("left", "right"), _SMPL.format(face="", hand="\n                $_hand hand"))
_table("smplh", ("left", "right"), _SMPL.format(face="", hand=_MANO))
_table("smplx", ("left", "right"), "\nroot ground" + _SMPL.format(
    face="\n            jaw face\n            $_eye_smplhf face", hand=_MANO).replace("\n", "\n  "))  # fmt: skip
_table(
    "smpl_fbx",
    ("L", "R"),
    """
m_avg_root ground
  m_avg_Pelvis hips
    m_avg_$_Hip leg
      m_avg_$_Knee knee
        m_avg_$_Ankle ankle
          m_avg_$_Foot ball
    m_avg_Spine1 s25
      m_avg_Spine2 s50
        m_avg_Spine3 s75
          m_avg_Neck neck
            m_avg_Head head
          m_avg_$_Collar clav
            m_avg_$_Shoulder arm
              m_avg_$_Elbow elbow
                m_avg_$_Wrist wrist
                  m_avg_$_Hand hand
""",
)
_table(
    "mixamo",
    ("Left", "Right"),
    """
mixamorig:Hips hips
  mixamorig:Spine s15
    mixamorig:Spine1 s40
      mixamorig:Spine2 s65
        mixamorig:Neck neck
          mixamorig:Head head
            mixamorig:HeadTop_End top
        mixamorig:$Shoulder clav
          mixamorig:$Arm arm
            mixamorig:$ForeArm elbow
              mixamorig:$Hand wrist
                mixamorig:$HandThumb1 t1
                  mixamorig:$HandThumb2 t2
                    mixamorig:$HandThumb3 i1
                      mixamorig:$HandThumb4 i2
                mixamorig:$HandIndex1 i1
                  mixamorig:$HandIndex2 i2
                    mixamorig:$HandIndex3 i3
  mixamorig:$UpLeg leg
    mixamorig:$Leg knee
      mixamorig:$Foot ankle
        mixamorig:$ToeBase ball
          mixamorig:$Toe_End toe
""",
)
_table(
    "motionbuilder",
    ("Left", "Right"),
    """
Reference ground
  Hips hips
    $UpLeg leg
      $Leg knee
        $Foot ankle
          $ToeBase ball
    Spine s15
      Spine1 s35
        Spine2 s55
          Spine3 s75
            Neck neck
              Head head
            $Shoulder clav
              $Arm arm
                $ForeArm elbow
                  $Hand wrist
                    $HandIndex1 i1
                      $HandIndex2 i2
""",
)
_CMU = """
Hips hips
  #HipJoint hips
    $UpLeg leg
      $Leg knee
        $Foot ankle
          $ToeBase ball
  LowerBack s5
    Spine s30
      Spine1 s60
        Neck neck
          Neck1 n50
            Head head
        $Shoulder clav
          $Arm arm
            $ForeArm elbow
              $Hand wrist
                $FingerBase hand
                  {finger} i1
                #Thumb t1
"""
_table("cmu", ("Left", "Right"), _CMU.format(finger="$HandIndex1"))
_table("makehuman_cmu", ("Left", "Right"), _CMU.format(finger="$HandFinger1"))
_table(
    "daz_cmu",
    ("l", "r"),
    """
hip hips
  abdomen s15
    chest s55
      neck neck
        head head
          $Eye face
      $Collar clav
        $Shldr arm
          $ForeArm elbow
            $Hand wrist
              $Thumb1 t1
              $Index1 i1
  $Buttock hips
    $Thigh leg
      $Shin knee
        $Foot ankle
""",
)
_table(
    "perception_neuron",
    ("Left", "Right"),
    """
Hips hips
  $UpLeg leg
    $Leg knee
      $Foot ankle
  Spine s15
    Spine1 s40
      Spine2 s65
        Spine3 s85
          Neck neck
            Head head
          $Shoulder clav
            $Arm arm
              $ForeArm elbow
                $Hand wrist
                  $HandThumb1 t1
                    $HandThumb2 t2
                  $InHandIndex hand
                    $HandIndex1 i1
                  $InHandPinky hand
                    $HandPinky1 i1
""",
)
_table(
    "rokoko",
    ("Left", "Right"),
    """
Hips hips
  Spine1 s10
    Spine2 s30
      Spine3 s55
        Spine4 s80
          Neck neck
            Head head
          $Shoulder clav
            $Arm arm
              $ForeArm elbow
                $Hand wrist
                  $Finger1Proximal t1
                  $Finger2Metacarpal hand
                    $Finger2Proximal i1
                      $Finger2Medial i2
                        $Finger2Distal i3
                  $Finger5Metacarpal hand
                    $Finger5Proximal i1
                      $Finger5Medial i2
                        $Finger5Distal i3
  $Thigh leg
    $Shin knee
      $Foot ankle
        $Toe ball
          $ToeTip toe
""",
)
_table(
    "xsens",
    ("Left", "Right"),
    """
Hips hips
  Chest s10
    Chest2 s35
      Chest3 s60
        Chest4 s80
          Neck neck
            Head head
          $Collar clav
            $Shoulder arm
              $Elbow elbow
                $Wrist wrist
  $Hip leg
    $Knee knee
      $Ankle ankle
        $Toe ball
""",
)
_table(
    "xsens_mvnx",
    ("Left", "Right"),
    """
Pelvis hips
  L5 s10
    L3 s30
      T12 s50
        T8 s75
          Neck neck
            Head head
          $Shoulder clav
            $UpperArm arm
              $ForeArm elbow
                $Hand wrist
  $UpperLeg leg
    $LowerLeg knee
      $Foot ankle
        $Toe ball
""",
)
_table(
    "optitrack",
    ("L", "R"),
    """
Skeleton_Hip hips
  Skeleton_Ab s20
    Skeleton_Chest s55
      Skeleton_Neck neck
        Skeleton_Head head
      Skeleton_$Shoulder clav
        Skeleton_$UArm arm
          Skeleton_$FArm elbow
            Skeleton_$Hand wrist
              Skeleton_$Thumb1 t1
              Skeleton_$Index1 i1
  Skeleton_$Thigh leg
    Skeleton_$Shin knee
      Skeleton_$Foot ankle
        Skeleton_$Toe ball
""",
)
_table(
    "biped",
    ("L", "R"),
    """
Bip001 hips
  Bip001 Footsteps ground
  Bip001 Pelvis hips
    Bip001 Spine s15
      Bip001 Spine1 s45
        Bip001 Spine2 s70
          Bip001 Neck neck
            Bip001 Head head
            Bip001 $ Clavicle clav
              Bip001 $ UpperArm arm
                Bip001 $ Forearm elbow
                  Bip001 $ Hand wrist
                    Bip001 $ Finger0 t1
                    Bip001 $ Finger1 i1
      Bip001 $ Thigh leg
        Bip001 $ Calf knee
          Bip001 $ Foot ankle
            Bip001 $ Toe0 ball
""",
)
_UE_LIMBS = """
    thigh_$ leg
      thigh_twist_01_$ l50
      calf_$ knee
        calf_twist_01_$ c50
        foot_$ ankle
          ball_$ ball
  ik_foot_root ground
    ik_foot_$ ankle
  ik_hand_root ground
    ik_hand_gun wrist"""
_UE_ARM = """
clavicle_$ clav
  upperarm_$ arm
    lowerarm_$ elbow
      lowerarm_twist_01_$ f50
      hand_$ wrist{fingers}
    upperarm_twist_01_$ a50"""


def _deeper(text: str, by: int) -> str:
    return text.replace("\n", "\n" + " " * by)


_table("unreal4", ("l", "r"), "\nroot ground\n  pelvis hips\n    spine_01 s10\n      spine_02 s35\n        spine_03 s60"
    + _deeper(_UE_ARM.format(fingers="\n        thumb_01_$ t1\n        index_01_$ i1\n          index_02_$ i2"), 10)
    + "\n          neck_01 neck\n            head head" + _UE_LIMBS)  # fmt: skip
_table("unreal5", ("l", "r"), "\nroot ground\n  pelvis hips\n    spine_01 s5\n      spine_02 s20\n        spine_03 s40\n"
    "          spine_04 s60\n            spine_05 s80"
    + _deeper(_UE_ARM.format(fingers="\n        index_metacarpal_$ hand\n          index_01_$ i1")
              + "\n    upperarm_twist_02_$ a75", 14)
    + "\n              neck_01 neck\n                neck_02 n50\n                  head head" + _UE_LIMBS)  # fmt: skip
_table("makehuman_game", ("l", "r"), "\nRoot ground\n  pelvis hips\n    spine_01 s10\n      spine_02 s35\n        spine_03 s60"
    "\n          clavicle_$ clav\n            upperarm_$ arm\n              lowerarm_$ elbow\n                hand_$ wrist"
    "\n                  thumb_01_$ t1\n                  index_01_$ i1\n          neck_01 neck\n            head head"
    "\n    thigh_$ leg\n      calf_$ knee\n        foot_$ ankle\n          ball_$ ball")  # fmt: skip
_table(
    "makehuman",
    ("L", "R"),
    """
root hips
  pelvis.$ hips
    upperleg01.$ leg
      upperleg02.$ l50
        lowerleg01.$ knee
          lowerleg02.$ c50
            foot.$ ankle
              toe1-1.$ ball
                toe1-2.$ toe
              toe5-1.$ ball
  spine05 s5
    spine04 s25
      spine03 s45
        breast.$ s60
        spine02 s65
          spine01 s85
            clavicle.$ clav
              shoulder01.$ clav2
                upperarm01.$ arm
                  upperarm02.$ a50
                    lowerarm01.$ elbow
                      lowerarm02.$ f50
                        wrist.$ wrist
                          finger1-1.$ t1
                          metacarpal1.$ hand
                            finger2-1.$ i1
            neck01 neck
              neck02 n30
                neck03 n60
                  head head
                    jaw face
""",
)
_table(
    "unity",
    ("Left", "Right"),
    """
Hips hips
  Spine s15
    Chest s45
      UpperChest s70
        Neck neck
          Head head
            Jaw face
        $Shoulder clav
          $UpperArm arm
            $LowerArm elbow
              $Hand wrist
                $ThumbProximal t1
                $IndexProximal i1
  $UpperLeg leg
    $LowerLeg knee
      $Foot ankle
        $Toes ball
""",
)
_table(
    "vrm1",
    ("left", "right"),
    """
hips hips
  spine s15
    chest s45
      upperChest s70
        neck neck
          head head
            $Eye face
        $Shoulder clav
          $UpperArm arm
            $LowerArm elbow
              $Hand wrist
                $ThumbMetacarpal t1
                $IndexProximal i1
  $UpperLeg leg
    $LowerLeg knee
      $Foot ankle
        $Toes ball
""",
)
_table(
    "vroid",
    ("L", "R"),
    """
Root ground
  J_Bip_C_Hips hips
    J_Bip_C_Spine s15
      J_Bip_C_Chest s45
        J_Bip_C_UpperChest s70
          J_Bip_C_Neck neck
            J_Bip_C_Head head
              J_Adj_$_FaceEye face
          J_Bip_$_Shoulder clav
            J_Bip_$_UpperArm arm
              J_Bip_$_LowerArm elbow
                J_Bip_$_Hand wrist
                  J_Bip_$_Index1 i1
                    J_Bip_$_Index2 i2
    J_Bip_$_UpperLeg leg
      J_Bip_$_LowerLeg knee
        J_Bip_$_Foot ankle
          J_Bip_$_ToeBase ball
""",
)
_table(
    "character_creator",
    ("L", "R"),
    """
CC_Base_BoneRoot ground
  CC_Base_Hip hips
    CC_Base_Pelvis hips
      CC_Base_$_Thigh leg
        CC_Base_$_ThighTwist01 l50
        CC_Base_$_Calf knee
          CC_Base_$_CalfTwist01 c50
          CC_Base_$_Foot ankle
            CC_Base_$_ToeBase ball
    CC_Base_Waist s15
      CC_Base_Spine01 s40
        CC_Base_Spine02 s65
          CC_Base_NeckTwist01 neck
            CC_Base_NeckTwist02 n50
              CC_Base_Head head
                CC_Base_FacialBone face
          CC_Base_$_Clavicle clav
            CC_Base_$_Upperarm arm
              CC_Base_$_UpperarmTwist01 a50
              CC_Base_$_Forearm elbow
                CC_Base_$_ForearmTwist01 f50
                CC_Base_$_Hand wrist
                  CC_Base_$_Thumb1 t1
                  CC_Base_$_Index1 i1
""",
)
_table(
    "daz3_8",
    ("l", "r"),
    """
hip hips
  pelvis hips
    $ThighBend leg
      $ThighTwist l50
        $Shin knee
          $Foot ankle
            $Metatarsals ankle2
              $Toe ball
                $BigToe toe
  abdomenLower s10
    abdomenUpper s30
      chestLower s50
        $Pectoral s60
        chestUpper s75
          neckLower neck
            neckUpper n50
              head head
                lowerJaw face
          $Collar clav
            $ShldrBend arm
              $ShldrTwist a50
                $ForearmBend elbow
                  $ForearmTwist f50
                    $Hand wrist
                      $Thumb1 t1
                      $Carpal1 hand
                        $Index1 i1
""",
)
_table(
    "daz9",
    ("l", "r"),
    """
hip hips
  pelvis hips
    $_thigh leg
      $_thightwist1 l50
      $_shin knee
        $_foot ankle
          $_metatarsals ankle2
            $_toes ball
  spine1 s10
    spine2 s30
      spine3 s50
        spine4 s75
          neck1 neck
            neck2 n50
              head head
          $_shoulder clav
            $_upperarm arm
              $_upperarmtwist1 a50
              $_forearm elbow
                $_hand wrist
                  $_thumb1 t1
                  $_indexmetacarpal hand
                    $_index1 i1
""",
)
_table(
    "auto_rig_pro_game",
    ("l", "r"),
    """
root ground
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
                forearm_twist.$ f50
                hand.$ wrist
                  index1.$ i1
    thigh_stretch.$ leg
      thigh_twist.$ l50
      leg_stretch.$ knee
        leg_twist.$ c50
        foot.$ ankle
          toes_01.$ ball
""",
)
# a rig that no map knows: names say nothing
_table(
    "unknown",
    ("a", "b"),
    """
base ground
  b0 hips
    b1 s20
      b2 s50
        b3 s75
          b4 neck
            b5 head
          q1_$ clav
            q2_$ arm
              q3_$ elbow
                q4_$ wrist
                  q5_$ i1
                    q6_$ i2
    w1_$ leg
      w2_$ knee
        w3_$ ankle
          w4_$ ball
""",
)
