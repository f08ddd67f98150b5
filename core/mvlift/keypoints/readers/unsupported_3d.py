"""Files that hold motion in space, recognised so that the refusal can say what to import instead."""

from __future__ import annotations

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.tables import first_rows
from mvlift.keypoints.sources import Source

__all__: list[str] = []


def _recognise_npz(source: Source) -> str | None:
    return "npz with positions_3d" if "positions_3d" in source.arrays else None


@reader("positions-3d", "VideoPose3D data set of 3D poses", _recognise_npz, rank=5)
def _read_npz(source: Source) -> Detections:
    raise KeypointError(
        f"{source.path.name} holds 3D poses (positions_3d), not the 2D keypoints that MVLift lifts.",
        "Import the data set file of 2D keypoints (data_2d_*.npz) instead.",
    )


def _recognise_motion(source: Source) -> str | None:
    return "npz of body poses" if {"poses", "trans"} <= set(source.arrays) else None


@reader("amass", "Motion of a body (AMASS)", _recognise_motion, rank=5)
def _read_motion(source: Source) -> Detections:
    raise KeypointError(
        f"{source.path.name} holds a 3D motion (poses and trans), not 2D keypoints.",
        "Import the keypoints that the motion was made from.",
    )


def _recognise_parquet(source: Source) -> str | None:
    return "parquet table" if source.path.suffix.lower() == ".parquet" else None


@reader("parquet", "Parquet table (freemocap)", _recognise_parquet, rank=5)
def _read_parquet(source: Source) -> Detections:
    raise KeypointError(
        f"{source.path.name} is a parquet table, in which freemocap keeps points in space.",
        "Import the 2D points of one camera, raw_data/mediapipe2dData_numCams_...npy.",
    )


def _recognise_mot(source: Source) -> str | None:
    rows = first_rows(source, 8) if source.path.suffix.lower() in (".mot", ".sto") else []
    return "table of joint angles (mot)" if any("endheader" in row for row in rows) else None


@reader("mot", "Joint angles (OpenSim)", _recognise_mot, rank=5)
def _read_mot(source: Source) -> Detections:
    raise KeypointError(
        f"{source.path.name} holds joint angles (mot), not keypoints.",
        "Import the folder of json files that Pose2Sim or Sports2D wrote beside it (pose/..._json).",
    )
