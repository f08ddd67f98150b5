"""Loss of a multi-view model in one step from pure noise, on motion with 3D truth: what a lift asks of it.

    python tools/one_step_loss.py validation.npz WEIGHTS.safetensors [WEIGHTS.safetensors ...] [--subject human]

Random cameras see random windows of the true motion, with realistic, rough and no errors of a detector: the same for
all weights.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.models import load_denoiser
from mvlift_training.detector_noise import DetectorNoise
from mvlift_training.evaluation.data import load_validation
from mvlift_training.motion_library import MotionLibrary, write_motion_library
from mvlift_training.stage4 import ViewTask

WINDOW = 96
BATCHES, BATCH = 12, 16
INPUTS = {
    "realistic": DetectorNoise(clean=0.0, realistic=1.0),
    "rough": DetectorNoise(clean=0.0, realistic=0.0),
    "clean": DetectorNoise(clean=1.0),
}


def library_of(data: Path, subject: Subject) -> MotionLibrary:
    """The true motions of a validation set."""
    sequences = load_validation(data, None, 1)
    columns = [sequences[0].names.index(name) for name in subject.layout.names]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motions.npz"
        write_motion_library(path, [s.truth[:, columns] for s in sequences], subject.layout.names, 30.0)
        return MotionLibrary(path, subject, WINDOW, "cpu", mirrored=False)


def losses(weights: Path, library: MotionLibrary, subject: Subject) -> dict[str, float]:
    """L1 of the generated views by kind of input, network units (half a metre on a body)."""
    network, schedule = load_denoiser(str(weights), "multiview", "cpu")
    out = {}
    for name, noise in INPUTS.items():
        task = ViewTask(library, subject, schedule, noise, elevation=(-15.0, 45.0),
                        azimuths=tuple(network.config.azimuths), pure_noise=1.0)  # fmt: skip
        generator = torch.Generator().manual_seed(1)
        with torch.inference_mode():
            terms = [task.loss(network.eval(), task.batch(BATCH, generator)) for _ in range(BATCHES)]
        out[name] = float(np.mean([float(t["views"]) for t in terms]))
    return out


def main() -> None:
    """Print one line per file of weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--subject", default="human")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    subject = get_subject(arguments.subject)
    library = library_of(arguments.data, subject)
    for weights in arguments.weights:
        by_input = losses(weights, library, subject)
        print(weights.name, "  ".join(f"{name} {value:.4f}" for name, value in by_input.items()))


if __name__ == "__main__":
    main()
