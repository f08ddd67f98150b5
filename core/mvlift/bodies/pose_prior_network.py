"""The pose prior as a torch module, for training: batch normalisation and dropout act. Lifting uses its weights through
the functions of ``pose_prior``."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from mvlift.bodies.pose_prior import JOINTS, gram_schmidt

__all__ = ["PosePriorNetwork"]


class _Normal(nn.Module):
    """Mean and scale of the latent."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.mu = nn.Linear(width, latent)
        self.logvar = nn.Linear(width, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mu(x), functional.softplus(self.logvar(x))


class PosePriorNetwork(nn.Module):
    """Encoder and decoder; parameter names are those of V02_05 checkpoints.

    Args:
        width: of the hidden layers.
        latent: dimensions of the latent.
    """

    def __init__(self, width: int = 512, latent: int = 32) -> None:
        super().__init__()
        self.encoder_net = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(3 * JOINTS),
            nn.Linear(3 * JOINTS, width),
            nn.LeakyReLU(),
            nn.BatchNorm1d(width),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.Linear(width, width),
            _Normal(width, latent),
        )
        self.decoder_net = nn.Sequential(
            nn.Linear(latent, width),
            nn.LeakyReLU(),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.LeakyReLU(),
            nn.Linear(width, 6 * JOINTS),
        )

    def encode(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and scale (N, latent) of axis-angle poses (N, 63)."""
        mean, scale = self.encoder_net(pose)
        return mean, scale

    def decode(self, latent: Tensor) -> Tensor:
        """(N, 21, 3, 3) rotations: two columns of each, made orthonormal by Gram-Schmidt."""
        return gram_schmidt(self.decoder_net(latent).view(-1, JOINTS, 3, 2))
