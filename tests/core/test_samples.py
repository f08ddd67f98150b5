"""Real files of the field, where they are at hand: what each must be recognised as.

The expectations were checked one by one against the producers' documentation and by drawing the keypoints.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mvlift.errors import KeypointError
from mvlift.keypoints.reading import inspect_keypoints

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
# file or folder; format; layout; keypoints; people who are seen in half or more of the frames that show anybody; first
# and last frame
EXPECTED = [
    ("alphapose_cmu_open_derived/alphapose-results_format_cmu.json", "alphapose-cmu", "openpose18", 18, 1, (0, 137)),
    ("alphapose_cmu_open_derived/alphapose-results_format_open.json", "alphapose-cmu", "openpose18", 18, 1, (0, 137)),
    ("alphapose_cmu_open_derived/sep-json", "openpose", "openpose18", 18, 1, (0, 59)),
    ("alphapose_coco17/dance_2people_tracked.json", "alphapose", "coco17", 17, 2, (0, 299)),
    ("alphapose_coco17/figure_skating_1to5_people.json", "alphapose", "coco17", 17, 1, (0, 299)),
    ("alphapose_halpe136/3frames_5to14people.json", "alphapose", "halpe136", 136, 5, (1, 3)),
    ("alphapose_halpe26/motionbert_1person.json", "alphapose", "halpe26", 26, 1, (0, 299)),
    ("alphapose_halpe26/triathlon_clip_tri_2.json", "alphapose", "halpe26", 26, 2, (0, 60)),
    ("animal_ap10k/test_animalpose.json", "coco", "animalpose20", 20, 1, (105, 110)),
    ("animal_ap10k/test_ap10k.json", "coco", "ap10k17", 17, 1, (0, 1)),
    ("animal_ap10k/test_horse10.json", "coco", "named", 22, 0, (244, 465)),
    ("animal_csv/horse20_wide_csv_timestamps.csv", "wide-csv", "animalpose20", 20, 1, (0, 299)),
    ("annotation_cvat/cvat_for_video_test_asset.xml", "cvat", "named", 4, 1, (10, 16)),
    ("annotation_labelme/primitives_test_asset.json", "labelme", "named", 1, 1, (0, 0)),
    ("annotation_v7_darwin/clip_10k_2_darwin1.json", "darwin", "halpe26", 26, 2, (0, 99)),
    ("coco/coco_results_list_no_track.json", "coco-results", "coco17", 17, 0, (1, 199)),
    ("coco/test_coco_annotations.json", "coco", "coco17", 17, 4, (0, 3)),
    ("coco/test_coco_wholebody_annotations.json", "coco", "coco133", 133, 4, (0, 3)),
    ("deeplabcut/BrownHorseinShadow_gt.h5", "deeplabcut", "named", 22, 1, (50, 338)),
    ("deeplabcut/CollectedData_lyphardcross_horse.csv", "deeplabcut", "ungulate16", 16, 1, (0, 183)),
    (
        "deeplabcut/PCCD3_Mouse16_25mm_run18-6DLC_resnet50_SIMINewOct24shuffle1_200000.csv",
        "deeplabcut",
        "named",
        15,
        1,
        (200, 499),
    ),
    ("deeplabcut/m3v1mp4DeepCut_resnet50_openfield.h5", "deeplabcut", "named", 4, 1, (0, 299)),
    ("deeplabcut/machinelabels_horse_low_likelihood.csv", "deeplabcut", "ungulate16", 16, 1, (2, 444)),
    ("deeplabcut/openfield_dlc_inference_example.csv", "deeplabcut", "named", 4, 1, (0, 299)),
    ("deeplabcut/openfield_dlc_inference_example_missingdata.csv", "deeplabcut", "named", 4, 1, (0, 299)),
    ("derived/mvlift_body_pose_from_musk_dance.npz", "mvlift", "openpose18", 18, 1, (0, 299)),
    ("derived/pose2sim_rtmpose_halpe26_layout/run_10k_2_json", "openpose", "halpe26", 26, 2, (0, 119)),
    ("derived/ultralytics_save_txt/labels", "yolo-txt", "coco17", 17, 2, (0, 119)),
    ("derived/ultralytics_to_json_list_of_frames.json", "ultralytics", "coco17", 17, 2, (0, 119)),
    ("dwpose/ComfyUI_PoseKeypoint_00001.json", "comfyui", "openpose18", 18, 2, (0, 0)),
    ("dwpose/fast_dwpose_npz_normalised", "dwpose", "openpose18", 18, 1, (0, 19)),
    ("mediapipe/A_list_of_lists_dance.json", "mediapipe", "mediapipe33", 33, 1, (0, 299)),
    ("mediapipe/B_frame_landmarks_list.json", "mediapipe", "mediapipe33", 33, 1, (0, 149)),
    ("mediapipe/E_frame_dict_person_dict_18named.json", "mediapipe", "coco17neck", 18, 2, (0, 299)),
    ("mediapipe/F_metadata_frames_pixel_xy_WRONG_INDEX_MAP.json", "mediapipe", "mediapipe33", 33, 1, (0, 119)),
    ("mmpose_demo/results_clip_tri_2.json", "mmpose-demo", "coco133", 133, 2, (0, 60)),
    ("mmpose_inferencer/walk2.json", "mmpose", "coco133", 133, 1, (0, 118)),
    ("openpose_body25/badminton_7to12_people", "openpose", "body25", 25, 9, (0, 199)),
    (
        "openpose_body25/face_capture_gap_181_217/33svea_000000000181_keypoints.json",
        "openpose",
        "body25",
        25,
        1,
        (181, 181),
    ),
    (
        "openpose_body25/face_capture_gap_181_217/33svea_000000000217_keypoints.json",
        "openpose",
        "body25",
        25,
        2,
        (217, 217),
    ),
    ("openpose_body25/fall_10people_zip_members_unsorted.zip", "openpose", "body25", 25, 10, (0, 468)),
    ("openpose_body25/model_no_version", "openpose", "body25", 25, 1, (0, 120)),
    ("openpose_body25/sign_language_upper_body", "openpose", "body25", 25, 1, (0, 174)),
    ("openpose_body25/soccer_kick_space_in_name", "openpose", "body25", 25, 1, (0, 90)),
    ("openpose_body25/triathlon_clip_tri_2", "openpose", "body25", 25, 2, (0, 60)),
    ("openpose_body25/workout_march", "openpose", "body25", 25, 1, (0, 119)),
    ("openpose_body25b/pose2sim_single_cam01_2people", "openpose", "body25b", 25, 2, (0, 99)),
    ("openpose_body25b/pose2sim_single_cam03_with_del_files", "openpose", "body25b", 25, 1, (0, 99)),
    ("openpose_coco18/musk_dance_json", "openpose", "openpose18", 18, 1, (0, 299)),
    ("openpose_coco18/musk_pose_keypoints_2d_aggregated.json", "openpose-aggregate", "openpose18", 18, 1, (0, 299)),
    ("openpose_coco18/v1.0_old_key_pose_keypoints.json", "openpose", "openpose18", 18, 2, (0, 0)),
    ("point_tracks_cotracker/check_results_v001.nk", "nuke", "named", 90, 1, (0, 106)),
    ("point_tracks_cotracker/cotracker_tracks_DERIVED.npz", "point-tracks", "named", 90, 1, (0, 106)),
    ("sleap/centered_pair_matlab.analysis.h5", "sleap", "named", 24, 2, (0, 299)),
    ("sleap/centered_pair_standard.analysis.h5", "sleap", "named", 24, 2, (0, 299)),
    ("sleap/dance.mp4.labels.slp", "sleap", "coco17", 17, 1, (0, 449)),
    ("ultralytics_yolo/labels_txt_training", "yolo-txt", "coco17", 17, 2, (17, 121)),
    ("ultralytics_yolo/results_path_keyed_xy_only.json", "by-frame", "coco17", 17, 2, (3, 113)),
    ("ultralytics_yolo/wide_csv_frame_person_index.csv", "wide-csv", "coco17", 17, 2, (0, 215)),
    ("videopose3d_detectron/data_2d_custom_myvideos.npz", "videopose3d-dataset", "coco17", 17, 1, (0, 286)),
    ("videopose3d_detectron/lia_kim_10_30fps.mp4.npz", "videopose3d", "coco17", 17, 1, (0, 301)),
    ("vitpose/easy_ViTPose_image_result_yx_order.json", "easy-vitpose", "coco17", 17, 2, (0, 0)),
    ("vitpose/long_csv_no_confidence.csv", "csv", "coco17", 17, 1, (0, 299)),
]
# file; what the refusal says
REFUSED = [
    ("deeplabcut/superanimal_quadruped_skeleton_NOT_DATA.json", "in no format"),
    ("mediapipe/G_named_arrays_world_metres_12joints.json", "world landmarks"),
    ("mmpose_demo/results_demo_3D_h36m_NOT_2D.json", "3D poses"),
]
# file; (width, height), frame rate where the file says them
KNOWN = {
    "annotation_cvat/cvat_for_video_test_asset.xml": ((25, 20), None),
    "annotation_labelme/primitives_test_asset.json": ((560, 450), None),
    "annotation_v7_darwin/clip_10k_2_darwin1.json": ((1920, 1080), 30),
    "dwpose/ComfyUI_PoseKeypoint_00001.json": ((512, 336), None),
    "mediapipe/F_metadata_frames_pixel_xy_WRONG_INDEX_MAP.json": ((960, 544), None),
    "point_tracks_cotracker/check_results_v001.nk": ((2304, 1296), 23.976),
    "point_tracks_cotracker/cotracker_tracks_DERIVED.npz": ((2304, 1296), None),
    "videopose3d_detectron/data_2d_custom_myvideos.npz": ((640, 480), None),
    "videopose3d_detectron/lia_kim_10_30fps.mp4.npz": ((1920, 1080), None),
}

CASES = [*EXPECTED, *((name, "refused", said, 0, 0, (0, 0)) for name, said in REFUSED)]


@pytest.mark.parametrize(
    ("name", "format", "layout", "keypoints", "people", "frames"), CASES, ids=[case[0] for case in CASES]
)
def test_a_real_file(name: str, format: str, layout: str, keypoints: int, people: int, frames: tuple[int, int]) -> None:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"{path} is not here: samples of other projects are not part of this one")
    if path.suffix in (".h5", ".slp"):
        pytest.importorskip("h5py", reason="HDF5 files need h5py")
    if format == "refused":
        with pytest.raises(KeypointError, match=layout) as caught:
            inspect_keypoints(path)
        assert caught.value.remedy.endswith(".")
        return
    inspection = inspect_keypoints(path)
    seen = [set(c.frames[c.seen.any(1)].tolist()) for c in inspection.clips]
    half = [frames for frames in seen if 2 * len(frames) >= len(set().union(*seen))]
    assert (inspection.format, inspection.layout.name, len(inspection.layout.names)) == (format, layout, keypoints)
    assert (len(half), inspection.frames) == (people, frames)
    size, fps = KNOWN.get(name, (None, None))
    if size is not None:
        assert inspection.clips[0].image_size == size
    assert (
        inspection.clips[0].fps is None
        if fps is None
        else float(inspection.clips[0].fps or 0) == pytest.approx(fps, abs=1e-3)
    )


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"{SAMPLES} is not here: samples of other projects")
def test_every_sample_is_in_the_list() -> None:
    named = {SAMPLES / case[0] for case in CASES}
    files = [p for p in SAMPLES.rglob("*") if p.is_file() and p.name != "SOURCE"]
    assert [p for p in files if not named & {p, *p.parents}] == []
