"""Normal equations of a motion: block-banded over frames, with a dense border for what the whole clip shares."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

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

    def _banded(self) -> F64:
        """Lower band storage (2D + 1, T D): row i - j, column j."""
        frames, dof = self.frames, self.dof
        band = 2 * dof + 1
        # Column j of the matrix is row j of `rows`; extra columns keep a block's writes inside its own rows.
        width = 3 * dof
        rows = np.zeros((frames * dof + 1, width))
        item = rows.itemsize

        def block(count: int, below: int) -> F64:
            """(count, column, row) view of the blocks `below` frames under the diagonal."""
            strides = (dof * width * item, (width - 1) * item, item)
            return np.lib.stride_tricks.as_strided(rows.reshape(-1)[below * dof :], (count, dof, dof), strides)

        block(frames, 0)[...] = np.triu(self.diagonal)  # (column, row >= column); symmetric
        if frames > 1:
            block(frames - 1, 1)[...] = self.next
        if frames > 2:
            index = np.arange(dof)
            block(frames - 2, 2)[:, index, index] = self.skip
        return rows[:-1, :band].T

    def solve(self, damping: float) -> tuple[F64, F64]:
        """The damped Gauss-Newton step: (T, D) and (B,), to be added to the unknowns.

        Raises:
            numpy.linalg.LinAlgError: the damped matrix is not positive definite.
        """
        index = np.arange(self.dof)
        self.diagonal[:, index, index] *= 1 + damping
        self.diagonal[:, index, index] += 1e-9
        factor = cholesky_banded(self._banded(), lower=True, check_finite=False)
        size = self.frames * self.dof
        right = np.concatenate([self.gradient.reshape(size, 1), self.border.reshape(size, self.shared)], 1)
        solved = cho_solve_banded((factor, True), right, check_finite=False)
        if not self.shared:
            return -solved[:, 0].reshape(self.frames, self.dof), np.zeros(0)
        border = self.border.reshape(size, self.shared)
        schur = self.corner - border.T @ solved[:, 1:]
        shared = np.linalg.solve(schur, self.corner_gradient - border.T @ solved[:, 0])
        per_frame = solved[:, 0] - solved[:, 1:] @ shared
        return -per_frame.reshape(self.frames, self.dof), -shared
