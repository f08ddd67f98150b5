"""Skeletons that are named or built in ways of their own: a line a bone, with its landmark and, after =, its part."""

from __future__ import annotations

SKELETONS: dict[str, tuple[tuple[str, str], str]] = {
    "abbreviations in brackets": (
        ("L", "R"),
        """
NPC ground
 NPC Root [Root] ground
  NPC COM [COM ] ground
   NPC Pelvis [Pelv] hips =hips
    NPC Spine [Spn0] s15 =spine
     NPC Spine1 [Spn1] s35
      NPC Spine2 [Spn2] s60
       NPC Neck [Neck] neck =neck
        NPC Head [Head] head =head
       NPC $ Clavicle [$Clv] clav =shoulder
        NPC $ UpperArm [$Uar] arm =upper_arm
         NPC $ UpperarmTwist1 [$Ut1] a40
          NPC $ UpperarmTwist2 [$Ut2] a70
         NPC $ Forearm [$Lar] elbow =lower_arm
          NPC $ Hand [$Hnd] wrist =hand
           NPC $ Finger00 [$F00] t1
            NPC $ Finger01 [$F01] t2
             NPC $ Finger02 [$F02] t2
           NPC $ Finger10 [$F10] i1
            NPC $ Finger11 [$F11] i2
             NPC $ Finger12 [$F12] i3
           NPC $ Finger20 [$F20] i1
            NPC $ Finger21 [$F21] i2
             NPC $ Finger22 [$F22] i3
           NPC $ Finger30 [$F30] i1
            NPC $ Finger31 [$F31] i2
             NPC $ Finger32 [$F32] i3
           NPC $ Finger40 [$F40] i1
            NPC $ Finger41 [$F41] i2
             NPC $ Finger42 [$F42] i3
    NPC $ Thigh [$Thg] leg =upper_leg
     NPC $ Calf [$Clf] knee =lower_leg
      NPC $ Foot [$ft ] ankle =foot
       NPC $ Toe0 [$Toe] ball =toe
    SkirtFBone01 s5
     SkirtFBone02 leg
    WEAPON hips
    QUIVER s50
    NPC $ Breast s60
""",
    ),
    "spine beside pelvis": (
        ("L", "R"),
        """
SKEL_ROOT hips =hips
 SKEL_Pelvis hips
  SKEL_$_Thigh leg =upper_leg
   SKEL_$_Calf knee =lower_leg
    SKEL_$_Foot ankle =foot
     SKEL_$_Toe0 ball =toe
      EO_$_Toe toe
     EO_$_Foot ball
     IK_$_Foot ankle
     PH_$_Foot ankle
    MH_$_CalfBack c50
   MH_$_Knee knee
   RB_$_ThighRoll l50
 SKEL_Spine_Root hips
  SKEL_Spine0 s20
   SKEL_Spine1 s40
    SKEL_Spine2 s60
     SKEL_Spine3 s80
      SKEL_$_Clavicle clav =shoulder
       SKEL_$_UpperArm arm =upper_arm
        SKEL_$_Forearm elbow =lower_arm
         SKEL_$_Hand wrist =hand
          SKEL_$_Finger00 t1
           SKEL_$_Finger01 t2
          SKEL_$_Finger10 i1
           SKEL_$_Finger11 i2
          PH_$_Hand i1
          IK_$_Hand wrist
         RB_$_ForeArmRoll f50
        RB_$_ArmRoll a50
        MH_$_Elbow elbow
      SKEL_Neck_1 neck =neck
       SKEL_Head head =head
        IK_Head head
        FACIAL_facialRoot face
       RB_Neck_1 n50
 IK_Root ground
""",
    ),
    "legs on spine and collars on neck": (
        ("L", "R"),
        """
Bip01 hips
 Bip01 Pelvis hips =hips
  Bip01 Spine s10 =spine
   Bip01 $ Thigh leg =upper_leg
    Bip01 $ Calf knee =lower_leg
     Bip01 $ Foot ankle =foot
      Bip01 $ Toe0 ball =toe
       Bip01 $ Toe0Nub toe
   Bip01 Spine1 s35
    Bip01 Spine2 s65
     Bip01 Neck neck =neck
      Bip01 $ Clavicle clav =shoulder
       Bip01 $ UpperArm arm =upper_arm
        Bip01 $ Forearm elbow =lower_arm
         Bip01 $ Hand wrist =hand
          Bip01 $ Finger0 t1
           Bip01 $ Finger01 t2
          Bip01 $ Finger1 i1
           Bip01 $ Finger11 i2
            Bip01 $ Finger1Nub i3
      Bip01 Head head =head
       Bip01 HeadNub top
 Bip01 Footsteps ground
""",
    ),
    "hubs": (
        ("L", "R"),
        """
CATRigHub001 hips =hips
 CATRigLeg$1 leg =upper_leg
  CATRigLeg$2 knee =lower_leg
   CATRigLegAnkle$ ankle =foot
    CATRigLegToe$ ball =toe
 CATRigSpine001 s15 =spine
  CATRigSpine002 s35
   CATRigHub002 s75
     CATRigArmCollar$ clav =shoulder
      CATRigArm$1 arm =upper_arm
       CATRigArm$2 elbow =lower_arm
        CATRigArmPalm$ wrist =hand
     CATRigNeck001 neck =neck
      CATRigHub003 head =head
""",
    ),
    "numbered parts with ends": (
        ("L", "R"),
        """
root ground
 spine_C0_pelvis_jnt hips =hips
  spine_C0_01_jnt s15 =spine
   spine_C0_02_jnt s40
    spine_C0_03_jnt s70
     neck_C0_0_jnt neck =neck
      neck_C0_1_jnt n50
       neck_C0_head_jnt head =head
     shoulder_$0_shoulder_jnt clav =shoulder
      arm_$0_0_jnt arm =upper_arm
       arm_$0_1_jnt a35
        arm_$0_2_jnt a70
         arm_$0_3_jnt elbow =lower_arm
          arm_$0_4_jnt f35
           arm_$0_5_jnt f70
            arm_$0_end_jnt wrist =hand
             finger_$0_0_jnt i1
              finger_$0_1_jnt i2
  leg_$0_0_jnt leg =upper_leg
   leg_$0_1_jnt l35
    leg_$0_2_jnt l70
     leg_$0_3_jnt knee =lower_leg
      leg_$0_4_jnt c35
       leg_$0_5_jnt c70
        leg_$0_end_jnt ankle =foot
         foot_$0_0_jnt ball =toe
""",
    ),
    "wings worn": (
        ("Left", "Right"),
        """
mPelvis hips =hips
 mSpine1 s15
  mSpine2 hips
   mTorso s30 =spine
    mSpine3 s60
     mSpine4 s30
      mChest s60
       mNeck neck =neck
        mHead head =head
         mSkull top
         mEye$ face
         mFaceRoot face
          mFaceJaw face
           mFaceTongueBase face
       mCollar$ clav =shoulder
        mShoulder$ arm =upper_arm
         mElbow$ elbow =lower_arm
          mWrist$ wrist =hand
           mHandIndex1$ i1
            mHandIndex2$ i2
             mHandIndex3$ i3
           mHandThumb1$ t1
            mHandThumb2$ t2
       mWingsRoot s60
        mWing1$ s60
         mWing2$ arm
          mWing3$ elbow
           mWing4$ wrist
           mWing4Fan$ wrist
 mHip$ leg =upper_leg
  mKnee$ knee =lower_leg
   mAnkle$ ankle =foot
    mFoot$ ball =toe
     mToe$ toe
 mTail1 hips
  mTail2 hips
   mTail3 leg
    mTail4 l50
     mTail5 knee
      mTail6 c50
 mGroin hips
 mHindLimbsRoot hips
  mHindLimb1$ leg
   mHindLimb2$ knee
    mHindLimb3$ c50
     mHindLimb4$ ankle
""",
    ),
    "arm, arm1, arm2": (
        ("L", "R"),
        """
Bip01 hips
 Bip01 Pelvis hips =hips
  Bip01 $ Leg leg =upper_leg
   Bip01 $ Leg1 knee =lower_leg
    Bip01 $ Foot ankle =foot
  Bip01 Spine s10 =spine
   Bip01 Spine1 s30
    Bip01 Spine2 s50
     Bip01 Spine3 s70
      Bip01 Neck neck =neck
       Bip01 Head head =head
      Bip01 $ Arm clav =shoulder
       Bip01 $ Arm1 arm =upper_arm
        Bip01 $ Arm2 elbow =lower_arm
         Bip01 $ Hand wrist =hand
          Bip01 $ Finger0 t1
          Bip01 $ Finger1 i1
""",
    ),
    "Japanese in Latin letters": (
        ("l", "r"),
        """
n_root ground
 n_hara hips =hips
  j_kosi hips
   j_asi_a_$ leg =upper_leg
    j_asi_b_$ l50
     j_asi_c_$ knee =lower_leg
      j_asi_d_$ ankle =foot
       j_asi_e_$ ball =toe
   n_ushiro s5
  j_sebo_a s15 =spine
   j_sebo_b s40
    j_sebo_c s70
     j_kubi neck =neck
      j_kao head =head
       j_ago face
       j_f_may_$ face
     j_sako_$ clav =shoulder
      j_ude_a_$ arm =upper_arm
       j_ude_b_$ elbow =lower_arm
        n_hhiji_$ elbow
        n_hte_$ f80
        j_te_$ wrist =hand
         j_hito_a_$ i1
          j_hito_b_$ i2
         j_oya_a_$ t1
          j_oya_b_$ t2
         j_naka_a_$ i1
          j_naka_b_$ i2
     j_mune_$ s60
""",
    ),
    "a number of its own for each bone": (
        ("Left", "Right"),
        """
MOT00_Hips hips =hips
 MOT01_Waist s15 =spine
  MOT08_Chest s60
   MOT09_Neck neck =neck
    MOT15_Head head =head
   MOT10_LeftShoulder clav =shoulder
    MOT11_LeftUpArm arm =upper_arm
     MOT12_LeftForeArm elbow =lower_arm
      MOT13_LeftHand wrist =hand
   MOT20_RightShoulder clav =shoulder
    MOT21_RightUpArm arm =upper_arm
     MOT22_RightForeArm elbow =lower_arm
      MOT23_RightHand wrist =hand
 MOT02_LeftThigh leg =upper_leg
  MOT04_LeftCalf knee =lower_leg
   MOT06_LeftFoot ankle =foot
 MOT03_RightThigh leg =upper_leg
  MOT05_RightCalf knee =lower_leg
   MOT07_RightFoot ankle =foot
""",
    ),
    "shoulder for upper arm": (
        ("L", "R"),
        """
Trans ground
 Rot hips
  Hip hips =hips
   Waist s15 =spine
    Bust s60
     ClavicleC s80
      Clavicle$ clav =shoulder
       Shoulder$ arm =upper_arm
        Arm$ elbow =lower_arm
         Hand$ wrist =hand
          Finger$11 i1
           Finger$12 i2
          Finger$51 t1
     Neck neck =neck
      Head head =head
   LegC hips
    Leg$ leg =upper_leg
     Knee$ knee =lower_leg
      Foot$ ankle =foot
       Toe$ ball =toe
""",
    ),
    "words with spaces": (
        ("left", "right"),
        """
root ground ground
 root hips hips =hips
  pelvis hips
   leg $ thigh leg =upper_leg
    leg $ knee knee =lower_leg
     leg $ ankle ankle =foot
      leg $ toes ball =toe
  spine lower s15 =spine
   spine middle s40
    spine upper s60
     arm $ shoulder 1 clav =shoulder
      arm $ shoulder 2 arm =upper_arm
       arm $ elbow elbow =lower_arm
        arm $ wrist wrist =hand
         arm $ finger 1a t1
          arm $ finger 1b t2
         arm $ finger 2a i1
          arm $ finger 2b i2
         arm $ finger 3a i1
         arm $ finger 4a i1
         arm $ finger 5a i1
     head neck lower neck =neck
      head neck upper head =head
       head jaw face
       head eyeball $ face
     boob $ 1 s60
""",
    ),
    "letters that look like sides": (
        ("L", "R"),
        """
a_root ground
 b_pelvis hips =hips
  c_spine_a s15 =spine
   c_spine_b s50
    d_neck neck =neck
     e_head head =head
    f_clav_$ clav =shoulder
     g_uparm_$ arm =upper_arm
      h_loarm_$ elbow =lower_arm
       i_hand_$ wrist =hand
  j_upleg_$ leg =upper_leg
   k_loleg_$ knee =lower_leg
    l_foot_$ ankle =foot
     m_toe_$ ball =toe
""",
    ),
    "italian": (
        ("_sinistra", "_destra"),
        """
root ground
 anca hips =hips
  schiena s15 =spine
   petto s50
    collo neck =neck
     testa head =head
    spalla$ clav =shoulder
     braccio$ arm =upper_arm
      avambraccio$ elbow =lower_arm
       polso$ wrist =hand
  coscia$ leg =upper_leg
   polpaccio$ knee =lower_leg
    caviglia$ ankle =foot
     dita$ ball =toe
""",
    ),
    "portuguese": (
        ("_esq", "_dir"),
        """
raiz ground
 quadril hips =hips
  coluna1 s15 =spine
   coluna2 s35
    peito s60
     pescoco neck =neck
      cabeca head =head
     ombro$ clav =shoulder
      braco$ arm =upper_arm
       antebraco$ elbow =lower_arm
        mao$ wrist =hand
  coxa$ leg =upper_leg
   canela$ knee =lower_leg
    pe$ ankle =foot
     dedos_pe$ ball =toe
""",
    ),
    "russian": (
        ("_л", "_п"),
        """
корень ground
 таз hips =hips
  позвоночник1 s15 =spine
   позвоночник2 s35
    грудь s60
     шея neck =neck
      голова head =head
     ключица$ clav =shoulder
      плечо$ arm =upper_arm
       предплечье$ elbow =lower_arm
        кисть$ wrist =hand
  бедро$ leg =upper_leg
   голень$ knee =lower_leg
    стопа$ ankle =foot
     носок$ ball =toe
""",
    ),
    "korean": (
        ("왼", "오른"),
        """
루트 ground
 골반 hips =hips
  척추1 s15 =spine
   척추2 s35
    가슴 s60
     목 neck =neck
      머리 head =head
     $쇄골 clav =shoulder
      $상완 arm =upper_arm
       $전완 elbow =lower_arm
        $손 wrist =hand
  $허벅지 leg =upper_leg
   $종아리 knee =lower_leg
    $발 ankle =foot
     $발가락 ball =toe
""",
    ),
    "dutch": (
        ("_links", "_rechts"),
        """
wortel ground
 bekken hips =hips
  rug1 s15 =spine
   rug2 s35
    borst s60
     nek neck =neck
      hoofd head =head
     sleutelbeen$ clav =shoulder
      bovenarm$ arm =upper_arm
       onderarm$ elbow =lower_arm
        hand$ wrist =hand
  bovenbeen$ leg =upper_leg
   onderbeen$ knee =lower_leg
    voet$ ankle =foot
     tenen$ ball =toe
""",
    ),
    "polish": (
        ("_L", "_P"),
        """
korzen ground
 miednica hips =hips
  kregoslup1 s15 =spine
   kregoslup2 s35
    klatka s60
     szyja neck =neck
      glowa head =head
     obojczyk$ clav =shoulder
      ramie$ arm =upper_arm
       przedramie$ elbow =lower_arm
        dlon$ wrist =hand
  udo$ leg =upper_leg
   lydka$ knee =lower_leg
    stopa$ ankle =foot
     palce_stopy$ ball =toe
""",
    ),
    "more Japanese in Latin letters": (
        ("hidari_", "migi_"),
        """
zentai ground
 koshi hips =hips
  sebone s15 =spine
   mune s50
    kubi neck =neck
     atama head =head
    $kata clav =shoulder
     $ude arm =upper_arm
      $hiji elbow =lower_arm
       $tekubi wrist =hand
  $momo leg =upper_leg
   $hiza knee =lower_leg
    $ashikubi ankle =foot
     $tsumasaki ball =toe
""",
    ),
    "katakana": (
        ("左", "右"),
        """
ルート ground
 ヒップ hips =hips
  スパイン s15 =spine
   チェスト s50
    ネック neck =neck
     ヘッド head =head
    $ショルダー clav =shoulder
     $アッパーアーム arm =upper_arm
      $ロウアーアーム elbow =lower_arm
       $ハンド wrist =hand
  $アッパーレッグ leg =upper_leg
   $ロウアーレッグ knee =lower_leg
    $フット ankle =foot
     $トゥ ball =toe
""",
    ),
    "dedos": (
        ("_I", "_D"),
        """
Raíz ground
 Pelvis hips =hips
  Columna_baja s15 =spine
   Columna_alta s35
    Pecho s60
     Cuello neck =neck
      Cabeza head =head
     Hombro$ clav =shoulder
      Brazo$ arm =upper_arm
       Antebrazo$ elbow =lower_arm
        Muñeca$ wrist =hand
  Muslo$ leg =upper_leg
   Espinilla$ knee =lower_leg
    Tobillo$ ankle =foot
     Dedos$ ball =toe
""",
    ),
    "German bones": (
        ("links", "rechts"),
        """
Hauptknochen ground
 Hüftknochen hips =hips
  Lendenwirbel s15 =spine
   Brustwirbel s35
    Brustkorb s60
     Halswirbel neck =neck
      Schädel head =head
     Schulter_$ clav =shoulder
      Oberarmknochen_$ arm =upper_arm
       Elle_$ elbow =lower_arm
        Handwurzel_$ wrist =hand
  Oberschenkelknochen_$ leg =upper_leg
   Schienbein_$ knee =lower_leg
    Sprunggelenk_$ ankle =foot
     Zehen_$ ball =toe
""",
    ),
    "biceps": (
        ("l", "r"),
        """
Root ground
 pelvis hips =hips
  torso s15 =spine
   torso2 s35
    torso3 s60
     neck neck =neck
      head head =head
     $_shoulder clav =shoulder
      $_bicep arm =upper_arm
       $_bicepRoll a50
       $_forearm elbow =lower_arm
        $_hand wrist =hand
         $_thumb1 t1
          $_thumb2 t2
           $_thumb3 t2
         $_index1 i1
          $_index2 i2
           $_index3 i3
         $_middle1 i1
          $_middle2 i2
           $_middle3 i3
         $_ring1 i1
          $_ring2 i2
           $_ring3 i3
         $_pinky1 i1
          $_pinky2 i2
           $_pinky3 i3
  $_thigh leg =upper_leg
   $_legRoll l50
   $_shin knee =lower_leg
    $_foot ankle =foot
     $_toe ball =toe
 Trajectory ground
""",
    ),
    "noun, place, side": (
        ("L", "R"),
        """
root_motion ground
 pelvis hips =hips
  spine_0 s15 =spine
   spine_1 s30
    spine_2 s50
     spine_3 s65
      neck_0 neck =neck
       head_0 head =head
      clavicle_$ clav =shoulder
       arm_upper_$ arm =upper_arm
        arm_upper_$_TWIST a50
        arm_upper_$_TWIST1 a70
        arm_lower_$ elbow =lower_arm
         hand_$ wrist =hand
          finger_index_meta_$ wrist
           finger_index_0_$ i1
            finger_index_1_$ i2
          finger_thumb_0_$ t1
           finger_thumb_1_$ t2
  leg_upper_$ leg =upper_leg
   leg_lower_$ knee =lower_leg
    ankle_$ ankle =foot
     ball_$ ball =toe
""",
    ),
    "noun before place": (
        ("Left", "Right"),
        """
Root ground
 Hips hips =hips
  SpineLower s15 =spine
   SpineMiddle s35
    SpineUpper s55
     Chest s75
      Neck neck =neck
       Head head =head
      $Shoulder clav =shoulder
       $Scapula clav2
       $ArmUpper arm =upper_arm
        $ArmLower elbow =lower_arm
         $HandWristTwist f70
         $HandWrist wrist =hand
          $HandPalm wrist
          $HandThumbMetacarpal t1
           $HandThumbProximal t2
          $HandIndexMetacarpal wrist
           $HandIndexProximal i1
            $HandIndexIntermediate i2
  $UpperLeg leg =upper_leg
   $LowerLeg knee =lower_leg
    $FootAnkleTwist c70
    $FootAnkle ankle =foot
     $FootSubtalar ankle
      $FootTransverse ankle2
       $FootBall ball =toe
""",
    ),
    "biped wolf": (
        ("L", "R"),
        """
Wolf_ ground
 Wolf_-Pelvis hips =hips
  Wolf_-Spine s1
   Wolf_-Spine1 s2
    Wolf_-Ribcage s3
     Wolf_-Neck neck
      Wolf_-Neck1 neck2
       Wolf_-Head head =head
        Wolf_-Ponytail1 nose
        Wolf_-Ear$ ear
     Wolf_-$-Clavicle f0 =front_shoulder
      Wolf_-$-UpperArm f1 =front_upper
       Wolf_-$-Forearm f2 =front_lower
        Wolf_-$-Hand f3 =front_foot
         Wolf_-$-Finger0 f4 =front_toe
  Wolf_-$-Thigh h1 =hind_upper
   Wolf_-$-Calf h2 =hind_lower
    Wolf_-$-HorseLink h3 =hind_foot
     Wolf_-$-Foot h4 =hind_toe
      Wolf_-$-Toe0 h5
  Wolf_-Tail tail1
   Wolf_-Tail1 tail2
    Wolf_-Tail2 tail3
""",
    ),
    "cannon and pastern": (
        ("L", "R"),
        """
Horse_root ground
 Horse_pelvis hips =hips
  Horse_lumbar1 s1
   Horse_lumbar2 s2
    Horse_thoracic s3
     Horse_cervical1 neck
      Horse_cervical2 neck2
       Horse_skull head =head
        Horse_mandible nose
     Horse_scapula_$ f0 =front_shoulder
      Horse_humerus_$ f1 =front_upper
       Horse_radius_$ f2 =front_lower
        Horse_metacarpus_$ f3 =front_foot
         Horse_front_pastern_$ f4 =front_toe
          Horse_front_hoof_$ f5
  Horse_femur_$ h1 =hind_upper
   Horse_tibia_$ h2 =hind_lower
    Horse_metatarsus_$ h3 =hind_foot
     Horse_hind_pastern_$ h4 =hind_toe
      Horse_hind_hoof_$ h5
  Horse_tail1 tail1
   Horse_tail2 tail2
""",
    ),
    "hips called spine": (
        (".L", ".R"),
        """
root ground
 spine hips =hips
  spine.001 s1
   spine.002 s2
    spine.003 s3
     neck neck
      head head =head
       jaw nose
       ear$ ear
     shoulder$ f0 =front_shoulder
      front_thigh$ f1 =front_upper
       front_shin$ f2 =front_lower
        front_foot$ f3 =front_foot
         front_toe$ f4 =front_toe
  thigh$ h1 =hind_upper
   shin$ h2 =hind_lower
    foot$ h3 =hind_foot
     toe$ h4 =hind_toe
  tail tail1
   tail.001 tail2
    tail.002 tail3
""",
    ),
    "f and b": (
        ("_l", "_r"),
        """
Armature_rootJoint ground
 pelvis_01 hips =hips
  spine1_02 s1
   spine2_03 s2
    chest_04 s3
     neck1_05 neck
      neck2_06 neck2
       head_07 head =head
        jaw_08 nose
     f_leg1$ f1 =front_upper
      f_leg2$ f2 =front_lower
       f_leg3$ f3 =front_foot
        f_toe$ f4 =front_toe
  b_leg1$ h1 =hind_upper
   b_leg2$ h2 =hind_lower
    b_leg3$ h3 =hind_foot
     b_toe$ h4 =hind_toe
  tail1_30 tail1
   tail2_31 tail2
    tail3_32 tail3
""",
    ),
    "corners": (
        ("L", "R"),
        """
Root ground
 Pelvis hips =hips
  Spine1 s1
   Spine2 s2
    Spine3 s3
     Neck neck
      Head head =head
     $F_Scapula f0 =front_shoulder
      $F_UpperLeg f1 =front_upper
       $F_LowerLeg f2 =front_lower
        $F_Foot f3 =front_foot
         $F_Toe f4 =front_toe
  $H_UpperLeg h1 =hind_upper
   $H_LowerLeg h2 =hind_lower
    $H_Foot h3 =hind_foot
     $H_Toe h4 =hind_toe
  Tail1 tail1
   Tail2 tail2
""",
    ),
    "corners with numbers": (
        ("L", "R"),
        """
Root ground
 Pelvis hips =hips
  Spine_01 s1
   Spine_02 s2
    Chest s3
     Neck_01 neck
      Head head =head
     F$_Leg_01 f1 =front_upper
      F$_Leg_02 f2 =front_lower
       F$_Leg_03 f3 =front_foot
        F$_Paw f4 =front_toe
  B$_Leg_01 h1 =hind_upper
   B$_Leg_02 h2 =hind_lower
    B$_Leg_03 h3 =hind_foot
     B$_Paw h4 =hind_toe
  Tail_01 tail1
   Tail_02 tail2
""",
    ),
    "place after joint": (
        ("_L", "_R"),
        """
deer_root ground
 deer_pelvis hips =hips
  deer_spine_a s1
   deer_spine_b s2
    deer_ribcage s3
     deer_neck_a neck
      deer_neck_b neck2
       deer_head head =head
        deer_antler$ ear
     shoulder_front$ f1 =front_upper
      elbow_front$ f2 =front_lower
       wrist_front$ f3 =front_foot
        hoof_front$ f4 =front_toe
  hip_back$ h1 =hind_upper
   knee_back$ h2 =hind_lower
    ankle_back$ h3 =hind_foot
     hoof_back$ h4 =hind_toe
  deer_tail_a tail1
""",
    ),
    "Japanese dog": (
        ("左", "右"),
        """
全ての親 ground
 センター hips
  腰 hips =hips
   背骨1 s1
    背骨2 s2
     胸 s3
      首 neck
       頭 head =head
        $耳 ear
      $前足上 f1 =front_upper
       $前足下 f2 =front_lower
        $前足首 f3 =front_foot
         $前足先 f4 =front_toe
   $後足上 h1 =hind_upper
    $後足下 h2 =hind_lower
     $後足首 h3 =hind_foot
      $後足先 h4 =hind_toe
   しっぽ1 tail1
    しっぽ2 tail2
""",
    ),
}
ANIMALS = frozenset(
    {
        "f and b",
        "Japanese dog",
        "corners with numbers",
        "place after joint",
        "biped wolf",
        "corners",
        "cannon and pastern",
        "hips called spine",
    }
)
