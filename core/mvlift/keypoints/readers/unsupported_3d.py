"""Files of 3D data, recognised so that the error can say what to import instead."""

from __future__ import annotations

from collections.abc import Callable

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.tables import first_rows
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_Recognise = Callable[[Source], str | None]


def _poses_npz(source: Source) -> str | None:
    return "npz with positions_3d" if "positions_3d" in source.arrays else None


def _motion_npz(source: Source) -> str | None:
    return "npz of body poses" if {"poses", "trans"} <= set(source.arrays) else None


def _parquet(source: Source) -> str | None:
    return "parquet table" if source.path.suffix.lower() == ".parquet" else None


def _joint_angles(source: Source) -> str | None:
    rows = first_rows(source, 8) if source.path.suffix.lower() in (".mot", ".sto") else []
    return "table of joint angles (mot)" if any("endheader" in row for row in rows) else None


def _refuse(name: str, title: str, recognise: _Recognise, content: str, remedy: str) -> None:
    """Register a reader whose only result is an error that says what to import instead."""

    @reader(name, title, recognise, rank=5)
    def _read(source: Source) -> Detections:
        raise KeypointError(f"{source.path.name} {content}.", remedy)


_refuse(
    "positions-3d",
    "VideoPose3D data set of 3D poses",
    _poses_npz,
    "holds 3D poses (positions_3d), not the 2D keypoints that MVLift lifts",
    "Import the data set file of 2D keypoints (data_2d_*.npz) instead.",
)
_refuse(
    "amass",
    "Motion of a body (AMASS)",
    _motion_npz,
    "holds a 3D motion (poses and trans), not 2D keypoints",
    "Import the keypoints that the motion was made from.",
)
_refuse(
    "parquet",
    "Parquet table (freemocap)",
    _parquet,
    "is a parquet table, in which freemocap keeps 3D points",
    "Import the 2D points of one camera, raw_data/mediapipe2dData_numCams_...npy.",
)
_refuse(
    "mot",
    "Joint angles (OpenSim)",
    _joint_angles,
    "holds joint angles (mot), not keypoints",
    "Import the folder of json files that Pose2Sim or Sports2D wrote beside it (pose/..._json).",
)
