"""The sidebar's "MVLift" tab."""

from __future__ import annotations

from . import exchange, lift, menus, people, poses, result, retarget

__all__ = ["CLASSES"]

CLASSES = (
    *people.CLASSES,
    *lift.CLASSES,
    *result.CLASSES,
    *poses.CLASSES,
    *retarget.CLASSES,
    *exchange.CLASSES,
    *menus.CLASSES,
)
