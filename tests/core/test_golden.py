"""Lifts with the shipped weights give the motions that are written down (``golden.py``)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from golden import CASES, FILE, golden_lift

TOLERANCE = {"root": 2e-3, "gravity": 1e-3, "height": 1e-3, "contacts": 5e-3, "confidence": 5e-3, "reprojection": 0.02}
"""Metres, and the units of each; other processors and libraries round otherwise."""
ANGLE = 0.01
"""Radians between a joint's rotation and the golden one."""


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_the_motion_is_the_golden_one(case: tuple[str, str, int, str], golden: dict[str, Any], shipped: bool) -> None:
    from scipy.spatial.transform import Rotation

    if not shipped:
        pytest.skip("the person's weights are not in this copy")
    lifted, expected = golden_lift(case), golden[case[0]]
    for name, tolerance in TOLERANCE.items():
        np.testing.assert_allclose(lifted[name], expected[name], atol=tolerance, err_msg=name)
    a, b = (Rotation.from_rotvec(np.reshape(x["rotations"], (-1, 3))) for x in (lifted, expected))
    assert (a.inv() * b).magnitude().max() < ANGLE
