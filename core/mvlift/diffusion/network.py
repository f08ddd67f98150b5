"""The denoiser: a transformer over temporal patches, with optional attention across views.

One network serves both diffusion models. Stage 1 (``views`` = 1) reads noisy 2D motion and epipolar lines; stage 4
reads several noisy views and the given view, and attends across views after attending over time.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvlift.diffusion.denoiser import DenoiserConfig

__all__ = ["CAMERA_OUTPUTS", "DenoiserConfig", "MotionDenoiser"]

CAMERA_OUTPUTS: Final = 6
"""Mean and logarithm of the standard deviation of elevation (radians), roll (radians) and log distance (metres)."""
EXPLICIT_TOKENS: Final = 160
"""Up to so many tokens attention is two plain matrix products: on CPUs the fused kernel is several times slower in
bfloat16 there, and on CUDA its grid limits the batch of cross-view attention."""


def _sinusoid(values: Tensor, width: int, base: float = 10_000.0) -> Tensor:
    """(B,) to (B, width) sines and cosines of geometric frequencies."""
    frequency = torch.exp(-math.log(base) * torch.arange(width // 2, device=values.device) / (width // 2))
    angle = values.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


class _Rotary(nn.Module):
    """Rotary positions (Su et al. 2021): attention depends on the distance in time only, so any length works."""

    def __init__(self, head_width: int, base: float = 1_000.0) -> None:
        super().__init__()
        frequency = base ** (-torch.arange(0, head_width, 2) / head_width)
        self.register_buffer("frequency", frequency, persistent=False)
        self.frequency: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(..., S, D) queries or keys, turned by their position."""
        angle = torch.arange(x.shape[-2], device=x.device)[:, None] * self.frequency
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def _attention(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
    """Softmax attention of (B, heads, S, D) queries, keys and values; ``keys`` (B, S) False is not attended to."""
    mask = None if keys is None else keys[:, None, None, :]
    if q.shape[-2] > EXPLICIT_TOKENS:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1).to(v.dtype) @ v


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, rotary: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.rotary = _Rotary(width // heads) if rotary else None

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """(B, S, d) tokens; ``keys`` (B, S) False where a token must not be attended to."""
        b, s, d = x.shape
        q, k, v = self.qkv(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        return self.out(_attention(q, k, v, keys).transpose(1, 2).reshape(b, s, d))


class _Block(nn.Module):
    """Self-attention over time, attention across views, feed-forward; each scaled and shifted by the noise level."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        d = config.width
        self.parts = 3 if config.cross_view else 2
        self.norms = nn.ModuleList(nn.LayerNorm(d, elementwise_affine=False) for _ in range(self.parts))
        self.time = _Attention(d, config.heads, rotary=True)
        self.views = _Attention(d, config.heads, rotary=False) if config.cross_view else None
        self.feed = nn.Sequential(
            nn.Linear(d, 4 * d), nn.GELU(approximate="tanh"), nn.Dropout(config.dropout), nn.Linear(4 * d, d)
        )
        self.table = nn.Parameter(torch.zeros(3 * self.parts, d))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, modulation: Tensor, views: int, keys: Tensor | None) -> Tensor:
        """x (B V, S, d); modulation (B V, 3 parts, d); keys (B V, S)."""
        shift, scale, gate = (modulation + self.table).unsqueeze(2).chunk(3, 1)  # each (B V, parts, 1, d)
        y = self.norms[0](x) * (1 + scale[:, 0]) + shift[:, 0]
        x = x + (1 + gate[:, 0]) * self.dropout(self.time(y, keys))
        if self.views is not None:
            y = self.norms[1](x) * (1 + scale[:, 1]) + shift[:, 1]
            bv, s, d = y.shape
            y = y.view(-1, views, s, d).transpose(1, 2).reshape(-1, views, d)  # (B S, V, d)
            y = self.views(y, None).view(-1, s, views, d).transpose(1, 2).reshape(bv, s, d)
            x = x + (1 + gate[:, 1]) * self.dropout(y)
        y = self.norms[-1](x) * (1 + scale[:, -1]) + shift[:, -1]
        return x + (1 + gate[:, -1]) * self.dropout(self.feed(y))


class MotionDenoiser(nn.Module):
    """Predicts clean 2D motion from noisy 2D motion and a condition.

    Args:
        config: shape of the network.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        d = config.width
        self.embed = nn.Linear(config.patch * config.points * config.features, d)
        self.level = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.view = nn.Linear(8, d)
        self.modulate = nn.Sequential(nn.SiLU(), nn.Linear(d, 3 * (3 if config.cross_view else 2) * d))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, config.patch * config.points * 2)
        self.camera = nn.Linear(d, CAMERA_OUTPUTS) if config.camera_head else None
        self._initialise()

    def _initialise(self) -> None:
        residual = 0.02 / math.sqrt(2 * self.config.layers)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                zero = name in ("head", "modulate.1", "camera")
                into_residual = name.endswith((".out", "feed.3"))
                nn.init.trunc_normal_(module.weight, std=residual if into_residual else 0.02)
                if zero:
                    nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(
        self,
        features: Tensor,
        timestep: Tensor,
        views: Tensor,
        frames: Tensor | None = None,
        with_camera: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """X_0 of every view.

        Args:
            features: (B, V, T, P, features) noisy points and condition; T a multiple of ``patch``.
            timestep: (B,) diffusion timestep n.
            views: (B, V, 8) what is known of each view's direction, see ``view_code``.
            frames: (B, T) False for padding, or None.
            with_camera: also return what the camera head says of the input view, the first stream.

        Returns:
            (B, V, T, P, 2), and with ``with_camera`` (B, 6), see ``CAMERA_OUTPUTS``.

        Raises:
            ValueError: ``with_camera`` of a network without that head.
        """
        b, v, t, p, f = features.shape
        patch = self.config.patch
        x = self.embed(features.reshape(b * v, t // patch, patch * p * f))
        condition = self.level(_sinusoid(timestep, 256)).repeat_interleave(v, 0) + self.view(views.reshape(b * v, -1))
        modulation = self.modulate(condition).view(b * v, -1, self.config.width)
        keys = None if frames is None else frames.view(b, t // patch, patch).any(-1)
        stream_keys = None if keys is None else keys.repeat_interleave(v, 0)
        x = x + condition[:, None]
        for block in self.blocks:
            x = block(x, modulation, v, stream_keys)
        x = self.norm(x)
        clean = self.head(x).view(b, v, t, p, 2)
        if not with_camera:
            return clean
        if self.camera is None:
            raise ValueError("This network has no camera head.")
        tokens = x.view(b, v, *x.shape[1:])[:, 0]
        share = torch.ones_like(tokens[..., 0]) if keys is None else keys.to(tokens.dtype)
        pooled = (tokens * share[..., None]).sum(1) / share.sum(1, keepdim=True).clamp(min=1)
        return clean, self.camera(pooled)
