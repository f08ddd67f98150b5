"""What samplers know of a network: its shape, and that it predicts clean views from noisy ones. It may run anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mvlift.arrays import Array

__all__ = ["Denoiser", "DenoiserConfig"]


@dataclass(frozen=True)
class DenoiserConfig:
    """Shape of a denoiser.

    Attributes:
        points: P, 2D points a frame (keypoints and the root's velocity).
        features: features a point on input (noisy x, y and what the condition adds).
        width: model width d.
        layers: transformer blocks.
        heads: attention heads.
        patch: frames in one token.
        cross_view: attend across views in every block (stage 4).
        dropout: after attention and in the feed-forward part.
        azimuths: of the views that a cross-view network generates, degrees from the input view; opposite parallel
            views mirror each other, so the usual ones are a ring of six.
        camera_head: also predict the input view's elevation, roll and distance with their uncertainties.
    """

    points: int
    features: int
    width: int = 384
    layers: int = 8
    heads: int = 6
    patch: int = 4
    cross_view: bool = False
    dropout: float = 0.0
    azimuths: tuple[float, ...] = (0.0, 60.0, 120.0)
    camera_head: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "azimuths", tuple(float(a) for a in self.azimuths))  # a list in a JSON header


class Denoiser(Protocol):
    """A denoising network, of torch or of ONNX Runtime, for arrays of its own kind."""

    @property
    def config(self) -> DenoiserConfig:
        """Shape of the network."""
        ...

    def __call__(
        self, features: Array, timestep: Array, views: Array, frames: Array | None = None, with_camera: bool = False
    ) -> Any:
        """X_0 of every view.

        Args:
            features: (B, V, T, P, features) noisy points and condition; T a multiple of the patch.
            timestep: (B,) diffusion timestep n.
            views: (B, V, 8) what is known of each view's direction, see ``view_code``.
            frames: (B, T) False for padding, or None.
            with_camera: also return what the camera head says of the input view.

        Returns:
            (B, V, T, P, 2), and with ``with_camera`` (B, 6).
        """
        ...
