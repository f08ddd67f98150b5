"""Skeletons of animals by many makers: tables as in ``rig_tables``, and the bones of some parts."""

from __future__ import annotations

ANIMALS: dict[str, tuple[tuple[str, str], str, dict[str, str]]] = {
    "leg numbers": (
        (".L", ".R"),
        """
root ground
  pelvis hips
    spine1 s1
      spine2 s2
        spine3 s3
          neck1 neck
            neck2 neck2
              head head
                jaw nose
                ear$ ear
          scapula$ f0
            front_leg1$ f1
              front_leg2$ f2
                front_leg3$ f3
                  front_foot$ f4
    tail1 tail1
      tail2 tail2
        tail3 tail3
    hind_leg1$ h1
      hind_leg2$ h2
        hind_leg3$ h3
          hind_foot$ h4
""",
        {
            "hips": "pelvis",
            "head": "head",
            "hind_upper": "hind_leg1$",
            "hind_lower": "hind_leg2$",
            "hind_foot": "hind_leg3$",
            "hind_toe": "hind_foot$",
            "front_upper": "front_leg1$",
            "front_lower": "front_leg2$",
            "front_foot": "front_leg3$",
            "front_toe": "front_foot$",
        },
    ),
    "anatomy": (
        ("L_", "R_"),
        """
Root ground
  Hips hips
    Spine s1
      Spine1 s2
        Chest s3
          Neck neck
            Head head
              Head_End nose
          $Scapula f0
            $Humerus f1
              $Radius f2
                $Carpus f3
                  $Front_Paw f4
    Tail tail1
      Tail1 tail2
        Tail2 tail3
    $Femur h1
      $Tibia h2
        $Tarsus h3
          $Hind_Paw h4
""",
        {
            "hips": "Hips",
            "head": "Head",
            "hind_upper": "$Femur",
            "hind_lower": "$Tibia",
            "hind_foot": "$Tarsus",
            "hind_toe": "$Hind_Paw",
            "front_upper": "$Humerus",
            "front_lower": "$Radius",
            "front_foot": "$Carpus",
            "front_toe": "$Front_Paw",
            "front_shoulder": "$Scapula",
        },
    ),
    "person's words": (
        ("L", "R"),
        """
Bip01 ground
  Bip01_Pelvis hips
    Bip01_Spine s1
      Bip01_Spine1 s2
        Bip01_Spine2 s3
          Bip01_Neck neck
            Bip01_Neck1 neck2
              Bip01_Head head
          Bip01_$_Clavicle f0
            Bip01_$_UpperArm f1
              Bip01_$_Forearm f2
                Bip01_$_Hand f3
                  Bip01_$_Finger0 f4
    Bip01_Tail tail1
      Bip01_Tail1 tail2
    Bip01_$_Thigh h1
      Bip01_$_Calf h2
        Bip01_$_HorseLink h3
          Bip01_$_Foot h4
""",
        {
            "hips": "Bip01_Pelvis",
            "head": "Bip01_Head",
            "hind_upper": "Bip01_$_Thigh",
            "hind_lower": "Bip01_$_Calf",
            "front_upper": "Bip01_$_UpperArm",
            "front_lower": "Bip01_$_Forearm",
            "front_foot": "Bip01_$_Hand",
        },
    ),
}
BIRD = (
    ("_L", "_R"),
    """
root ground
  hips hips
    spine s1
      chest s3
        neck neck
          head head
            beak nose
        wing1$ w1
          wing2$ w2
            feather1$ w3
    tail1 tail1
      tail2 tail2
    thigh$ h1
      shin$ h2
        foot$ h3
          toe$ h4
""",
)
RAPTOR = (
    ("_L", "_R"),
    """
root ground
  hips hips
    spine s1
      chest s3
        neck neck
          head head
            jaw nose
        upper_arm$ f0
          lower_arm$ f1
            hand$ f2
    tail1 tail1
      tail2 tail2
        tail3 tail3
          tail4 tail4
    thigh$ h1
      shin$ h2
        foot$ h3
          toe$ h4
""",
)
SPIDER = (
    ("_L", "_R"),
    """
root ground
  body hips
    head head
    abdomen tail1
    legA1$ h1
      legA2$ h2
        legA3$ h3
    legB1$ f1
      legB2$ f2
        legB3$ f3
    legC1$ w1
      legC2$ w2
        legC3$ w3
""",
)
