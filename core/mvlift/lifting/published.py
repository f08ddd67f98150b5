"""The preset "paper": every step as the paper and its release do it, slow, for comparison.

1000 ancestral steps over independent views, 3D joints by 500 steps of Adam on reprojection, and 1000 steps of Adam
on the latent of the pose prior, orientation, translation and scale through every vertex of the body; shape, floor and
contacts are left alone. Different from the release are the networks, and root-centred views instead of a 3 m ring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mvlift.arrays import Generator
from mvlift.bodies.contacts import contact_probability, floor_height
from mvlift.bodies.fit import BodyFit
from mvlift.bodies.fit_start import camera_path, relative_size, starting_rotations
from mvlift.bodies.kinematic_model import KinematicModel
from mvlift.bodies.kinematics import Kinematics
from mvlift.bodies.loading import load_body
from mvlift.bodies.model import BodyModel
from mvlift.bodies.pose_prior import VPoserPrior, decode_pose, gram_schmidt
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.diffusion.denoiser import Denoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import LiftError
from mvlift.kinematics.chains import forward_kinematics
from mvlift.lifting.sampling.in_loop import SampleOptions
from mvlift.lifting.sampling.independent import sample_independently
from mvlift.lifting.sampling.lift_points import LiftedPoints, Sampler
from mvlift.typing import F64

__all__ = ["PublishedOptions", "adam_triangulation", "fit_as_published", "make_published_sampler"]

STILL: Final = 1e-3
"""Weight of pose change between frames."""


@dataclass(frozen=True)
class PublishedOptions:
    """The release's values.

    Attributes:
        triangulation_steps, triangulation_rate: of Adam on 3D joints.
        fit_steps, fit_rate: of Adam on the body.
    """

    triangulation_steps: int = 500
    triangulation_rate: float = 0.01
    fit_steps: int = 1000
    fit_rate: float = 0.01


def adam_triangulation(views: Tensor, points: Tensor, options: PublishedOptions) -> Tensor:
    """(T, P, 3) by gradient descent on the distance in all views; views (V, T, 3, 3), points (V, T, P, 2)."""
    points3d = torch.zeros(*points.shape[1:3], 3, requires_grad=True)
    adam = torch.optim.Adam([points3d], options.triangulation_rate)
    for _ in range(options.triangulation_steps):
        adam.zero_grad()
        seen = points3d @ views[..., :2, :].transpose(-1, -2)
        (seen - points).abs().mean().backward()
        adam.step()
    return points3d.detach()


def make_published_sampler(
    network: Denoiser,
    schedule: CosineSchedule,
    options: SampleOptions,
    generator: Generator,
    progress: Callable[[float], None] = lambda _: None,
) -> Sampler:
    """Views sampled independently, then Adam; arguments as ``make_sampler``."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(done / options.steps)

    def solve(views: Tensor, points: Tensor, _: Tensor) -> Tensor:
        return adam_triangulation(views, points, PublishedOptions())

    return lambda input_view: sample_independently(
        network, input_view, schedule, options, generator, solve=solve, progress=count
    )


@cache
def _regressor(keypoints: tuple[str, ...]) -> tuple[BodyModel, Tensor]:
    """The default body and (K, V) weights that give the skeleton's keypoints from vertices."""
    body = load_body(None).reduced()
    rest = body.skeleton(keypoints)
    regressor = np.zeros((len(keypoints), len(body.template)))
    for k, point in enumerate(rest.rest_points):
        nearest = np.argsort(np.linalg.norm(body.template - point, axis=1))[:32]
        # weights of the nearest vertices that reproduce the point: least norm, sum one
        system = np.concatenate([body.template[nearest].T, np.ones((1, len(nearest)))])
        regressor[k, nearest] = np.linalg.lstsq(system, np.append(point, 1.0), rcond=None)[0]
    return body, torch.as_tensor(regressor, dtype=torch.float32)


def _vertices(body: BodyModel, rotations: Tensor, template: Tensor, rest: Tensor, weights: Tensor) -> Tensor:
    """(T, V, 3) linear blend skinning of every vertex, root joint at its rest position."""
    turn, at = forward_kinematics(body.parents, rest, rotations, rest[0])
    offset = at - (turn @ rest[None, :, :, None])[..., 0]
    blended = torch.einsum("vj,tjab->tvab", weights, turn)
    return (blended @ template[None, :, :, None])[..., 0] + torch.einsum("vj,tja->tva", weights, offset)


def fit_as_published(
    lifted: LiftedPoints,
    pixels: F64,
    confidence: F64,
    K: F64,
    fps: float,
    body: tuple[BodySkeleton, KinematicModel, VPoserPrior | None],
    progress: Callable[[float], None] = lambda _: None,
    options: PublishedOptions | None = None,
) -> BodyFit:
    """The body by Adam through all vertices.

    Args:
        lifted: 3D keypoints relative to the root, camera axes.
        pixels: (T, K, 2) and confidence (T, K) of the clip.
        confidence: see pixels.
        K: (3, 3).
        fps: frames a second.
        body: skeleton, rig and pose prior.
        progress: called with the share that is done.
        options: the release's values.

    Raises:
        LiftError: there is no pose prior.
    """
    skeleton, kinematic_model, prior = body
    if prior is None:
        raise LiftError("The preset paper needs the pose prior's weights.", "Install MVLift's weights.")
    options = options or PublishedOptions()
    betas = np.zeros(len(skeleton.shape_sigma))
    size = relative_size(lifted.points, skeleton, kinematic_model, betas)
    points = lifted.points * size
    path = camera_path(points, pixels, confidence, K, fps)
    target = torch.as_tensor(points + path[:, None], dtype=torch.float32)
    model, regressor = _regressor(skeleton.keypoint_names)
    template = torch.as_tensor(model.template, dtype=torch.float32)
    rest = torch.as_tensor(skeleton.rest_joints, dtype=torch.float32)
    weights = torch.as_tensor(model.weights, dtype=torch.float32)
    start = starting_rotations(points, skeleton, kinematic_model, betas)
    latent = torch.zeros(len(points), 32, requires_grad=True)
    orientation = torch.as_tensor(start[:, 0, :, :2], dtype=torch.float32).clone().requires_grad_(True)
    start_translation = torch.as_tensor(path - start[:, 0] @ skeleton.rest_joints[0], dtype=torch.float32)
    translation = start_translation.clone().requires_grad_(True)
    scale = torch.ones(1, requires_grad=True)
    hands = torch.eye(3).expand(len(points), 2, 3, 3)

    decoder = {name: torch.as_tensor(values) for name, values in prior.weights.items()}

    def pose() -> Tensor:
        root = gram_schmidt(orientation)
        return torch.cat([root[:, None], decode_pose(decoder, latent), hands], 1)

    adam = torch.optim.Adam([latent, orientation, translation, scale], options.fit_rate)
    for step in range(options.fit_steps):
        adam.zero_grad()
        rotations = pose()
        vertices = _vertices(model, rotations, template, rest, weights)
        keypoints = scale * (regressor @ vertices) + translation[:, None]
        loss = (keypoints - target).pow(2).sum(-1).mean()
        if len(points) > 1:
            loss = loss + STILL * (rotations[1:] - rotations[:-1]).abs().mean()
        loss.backward()
        adam.step()
        progress((step + 1) / options.fit_steps)
    with torch.no_grad():
        rotations64 = pose().double().numpy()
        factor = float(scale)
        root = factor * skeleton.rest_joints[0] + translation.double().numpy()
    return _as_fit(skeleton, kinematic_model, lifted, rotations64, root / factor, betas, size / factor, fps)


def _as_fit(
    skeleton: BodySkeleton,
    kinematic_model: KinematicModel,
    lifted: LiftedPoints,
    rotations: F64,
    root: F64,
    betas: F64,
    size: float,
    fps: float,
) -> BodyFit:
    """The result in metres of the default body (the picture does not tell one scale from another)."""
    placed = Kinematics(skeleton, kinematic_model).pose(betas, rotations, root).points
    feet = placed[:, [skeleton.keypoint_names.index(n) for n in kinematic_model.contacts]]
    floor = floor_height(feet @ lifted.up)
    return BodyFit(
        betas=betas,
        rotations=rotations,
        root=root,
        points=placed,
        up=lifted.up,
        floor=floor,
        contacts=contact_probability(feet, lifted.up, floor, fps),
        contact_names=kinematic_model.contacts,
        size=size,
    )
