"""Real walks of animals, without 3D truth: do limbs keep their side, and does the skeleton lie on the keypoints?

python tools/animal_sides.py DATA.npz --subject ungulate16 [--every 5] [--frames 200] [--weights FILE] [--pictures DIR]

DATA is a 2D data set (``mvlift-train prepare``). A limb is on its side while its joint is to the left (right) of the
other side's, across the pelvis. A swap is a change of that over a whole stride (the median of a
second): narrow gaits set hooves past the middle for moments.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import mvlift
import numpy as np
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.motion import LiftedMotion
from mvlift.preview import draw_preview
from mvlift_training.motion_data import load_sequences
from scipy.ndimage import median_filter


def limb_pairs(subject: Subject) -> list[tuple[int, int]]:
    """Columns (left, right) of what comes in pairs below the trunk; eyes, hips and shoulders are on it."""
    names, still = subject.layout.names, ("eye", "ear", "shoulder", "hip")
    left = [n for n in names if n.startswith("l_") and n[2:] not in still and "r_" + n[2:] in names]
    return [(names.index(n), names.index("r_" + n[2:])) for n in left]


def sides(motion: LiftedMotion, subject: Subject) -> np.ndarray:
    """(T, pairs) metres by which the left joint is left of the right one, across the pelvis.

    Left is the pelvis's own x axis (at rest x left, y up, z front).
    """
    points = motion.keypoints.astype(np.float64)
    left = exp_map(motion.rotations[:, 0].astype(np.float64))[:, :, 0]
    return np.stack([((points[:, a] - points[:, b]) * left).sum(1) for a, b in limb_pairs(subject)], 1)


def count(offset: np.ndarray, fps: float) -> tuple[int, float]:
    """Swaps, and the share of frames in which a limb is on the other side."""
    right_side = median_filter(offset, (2 * round(0.5 * fps) + 1, 1)) > 0
    return int(np.abs(np.diff(right_side.astype(int), axis=0)).sum()), float((offset < 0).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--subject", default="ungulate16")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--weights", default=None, help="stage-4 weights instead of the shipped ones")
    parser.add_argument("--pictures", type=Path, default=None)
    options = parser.parse_args()
    subject, sequences = get_subject(options.subject), load_sequences(options.data)
    models = None if options.weights is None else {"multiview": options.weights}
    total, wrong, error, seconds, lowest, highest = 0, [], [], 0.0, [], []
    with np.load(options.data) as data:
        rate = Fraction(float(data["fps"])).limit_denominator(1001)
    for i in range(0, len(sequences.points), options.every):
        points, confidence = sequences.points[i][: options.frames], sequences.confidence[i][: options.frames]
        clip = KeypointClip(points, confidence, subject.layout, fps=rate, image_size=tuple(sequences.image_size[i]))
        motion = mvlift.lift(clip, subject=subject, preset=options.preset, models=models)
        swaps, share = count(sides(motion, subject), float(rate))
        length = max(motion.camera.image_size)
        error.append(np.nanmedian(motion.reprojection_error) / length * 1000)
        paws = [motion.keypoint_names.index(n) for n in subject.contacts]
        low = motion.keypoints[:, paws, 2].min(1)
        lowest.append(np.percentile(low, 5))
        highest.append(np.percentile(low, 95))
        total, seconds = total + swaps, seconds + len(motion) / float(rate)
        wrong.append(share)
        if options.pictures is not None:
            options.pictures.mkdir(parents=True, exist_ok=True)
            draw_preview(motion, clip, options.pictures / f"{i:04d}.png")
        print(f"{i}: {len(motion)} frames, {swaps} swaps, {share:.1%} on the other side, {error[-1]:.2f} per mille")
    print(f"{len(error)} clips, {seconds / 60:.1f} minutes: {total} swaps, {60 * total / seconds:.1f} a minute")
    print(f"{np.mean(wrong):.1%} of frames and limbs are on the other side")
    print(f"median reprojection {np.median(error):.2f} per mille of the picture's longer side")
    print(f"lowest paw {np.median(lowest):.3f} to {np.median(highest):.3f} m above the floor")


if __name__ == "__main__":
    main()
