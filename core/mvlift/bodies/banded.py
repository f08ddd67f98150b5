"""Normal equations of a motion: block-banded over frames, with a dense border for what the whole clip shares."""

from __future__ import annotations

import numpy as np

from mvlift.typing import F64

__all__ = ["MotionSystem"]


class MotionSystem:
    """Accumulates JᵀWJ and JᵀWr over frames t of size D, couplings to t+1 and t+2, and B shared unknowns.

    Args:
        frames: T.
        dof: D unknowns of a frame.
        shared: B unknowns of the clip (0 for none).
    """

    def __init__(self, frames: int, dof: int, shared: int) -> None:
        self.frames, self.dof, self.shared = frames, dof, shared
        self.diagonal = np.zeros((frames, dof, dof))
        self.next = np.zeros((max(frames - 1, 0), dof, dof))
        """(T - 1, D, D) rows of frame t, columns of frame t + 1."""
        self.skip = np.zeros((max(frames - 2, 0), dof))
        """(T - 2, D) diagonal of the coupling of t and t + 2."""
        self.gradient = np.zeros((frames, dof))
        self.border = np.zeros((frames, dof, shared))
        self.corner = np.zeros((shared, shared))
        self.corner_gradient = np.zeros(shared)

    def add(self, residual: F64, weight: F64, jacobian: F64, shape_jacobian: F64 | None = None) -> None:
        """Residuals of single frames.

        Args:
            residual: (T, N).
            weight: (T, N) inverse variances times robust weights.
            jacobian: (T, N, D).
            shape_jacobian: (T, N, B), or None where the shape is held.
        """
        weighted = jacobian * weight[..., None]
        transposed = weighted.transpose(0, 2, 1)
        self.diagonal += transposed @ jacobian
        self.gradient += (transposed @ residual[..., None])[..., 0]
        if shape_jacobian is not None and self.shared:
            self.border += transposed @ shape_jacobian
            flat = shape_jacobian.reshape(-1, self.shared)
            scaled = flat * weight.reshape(-1, 1)
            self.corner += scaled.T @ flat
            self.corner_gradient += scaled.T @ residual.reshape(-1)

    def add_difference(self, residual: F64, weight: F64, jacobian: F64) -> None:
        """Residuals r_t = f_{t+1} - f_t (T - 1, N), weights (T - 1, N), jacobian of f (T, N, D)."""
        after, before = jacobian[1:], jacobian[:-1]
        weighted_after = (after * weight[..., None]).transpose(0, 2, 1)
        weighted_before = (before * weight[..., None]).transpose(0, 2, 1)
        self.diagonal[1:] += weighted_after @ after
        self.diagonal[:-1] += weighted_before @ before
        self.next -= weighted_before @ after
        self.gradient[1:] += (weighted_after @ residual[..., None])[..., 0]
        self.gradient[:-1] -= (weighted_before @ residual[..., None])[..., 0]

    def add_diagonal(self, residual: F64, weight: F64) -> None:
        """Residuals that are the unknowns themselves: (T, D) each."""
        index = np.arange(self.dof)
        self.diagonal[:, index, index] += weight
        self.gradient += weight * residual

    def add_velocity(self, residual: F64, weight: F64) -> None:
        """Residuals r_t = x_{t+1} - x_t (T - 1, D) with weights (D,) or (T - 1, D)."""
        index = np.arange(self.dof)
        self.diagonal[:-1, index, index] += weight
        self.diagonal[1:, index, index] += weight
        self.next[:, index, index] -= weight
        self.gradient[:-1] -= weight * residual
        self.gradient[1:] += weight * residual

    def add_acceleration(self, residual: F64, weight: F64) -> None:
        """Residuals r_t = x_{t+1} - 2 x_t + x_{t-1} (T - 2, D) with weights (D,) or (T - 2, D)."""
        if self.frames < 3:
            return
        index = np.arange(self.dof)
        self.diagonal[:-2, index, index] += weight
        self.diagonal[1:-1, index, index] += 4 * weight
        self.diagonal[2:, index, index] += weight
        self.next[:-1, index, index] -= 2 * weight
        self.next[1:, index, index] -= 2 * weight
        self.skip += weight
        self.gradient[:-2] += weight * residual
        self.gradient[1:-1] -= 2 * weight * residual
        self.gradient[2:] += weight * residual

    def solve(self, damping: float) -> tuple[F64, F64]:
        """The damped Gauss-Newton step: (T, D) and (B,), to be added to the unknowns. Overwrites the matrix.

        Raises:
            numpy.linalg.LinAlgError: the damped matrix is not positive definite.
        """
        index = np.arange(self.dof)
        self.diagonal[:, index, index] *= 1 + damping
        self.diagonal[:, index, index] += 1e-9
        solved = self._solve_frames(np.concatenate([self.gradient[..., None], self.border], 2))
        if not self.shared:
            return -solved[..., 0], np.zeros(0)
        size = self.frames * self.dof
        flat, border = solved.reshape(size, -1), self.border.reshape(size, -1)
        schur = self.corner - border.T @ flat[:, 1:]
        shared = np.linalg.solve(schur, self.corner_gradient - border.T @ flat[:, 0])
        per_frame = solved[..., 0] - solved[..., 1:] @ shared
        return -per_frame, np.asarray(-shared, np.float64)

    def _solve_frames(self, right: F64) -> F64:
        """Solves the part of the frames for right sides (T, D, N), by block factors L D L^T.

        Frame t is eliminated with the inverse P of its pivot. The coupling to t + 2 is diagonal, so it costs no product
        of matrices, and its fill is in the coupling of t + 1 and t + 2. Unknowns are scaled to a diagonal of ones: then
        damping bounds the condition of every pivot, whatever the units. What rounding adds that is not symmetric would
        double with every frame, so pivots and inverses are made symmetric.
        """
        frames, next_frame = self.frames, self.next
        scale = 1 / np.sqrt(np.diagonal(self.diagonal, axis1=1, axis2=2))
        self.diagonal *= scale[:, :, None] * scale[:, None]
        next_frame *= scale[:-1, :, None] * scale[1:, None]
        skip = self.skip * scale[:-2] * scale[2:]
        right *= scale[..., None]
        inverse, factor = np.empty_like(self.diagonal), np.empty_like(next_frame)
        for t in range(frames):
            pivot = self.diagonal[t] + self.diagonal[t].T
            np.linalg.cholesky(pivot)  # refuses what is not positive definite
            half = np.linalg.inv(pivot)
            P = np.add(half, half.T, out=inverse[t])
            if t + 1 < frames:
                G = np.matmul(next_frame[t].T, P, out=factor[t])
                self.diagonal[t + 1] -= G @ next_frame[t]
                right[t + 1] -= G @ right[t]
            if t + 2 < frames:
                self.diagonal[t + 2] -= skip[t][:, None] * P * skip[t]
                next_frame[t + 1] -= G * skip[t]
                right[t + 2] -= skip[t][:, None] * (P @ right[t])
        solution = inverse @ right
        for t in range(frames - 2, -1, -1):
            solution[t] -= factor[t].T @ solution[t + 1]
            if t + 2 < frames:
                solution[t] -= inverse[t] @ (skip[t][:, None] * solution[t + 2])
        return np.asarray(solution * scale[..., None])
