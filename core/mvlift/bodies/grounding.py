"""What a moving body rests on: floor, steps, seats and bars above it, the places that resting parts keep, flight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.bodies.contacts import SPEED, contact_probability, floor_height, point_speed, resting
from mvlift.bodies.fit_problem import FitTargets
from mvlift.bodies.runs import runs
from mvlift.bodies.supports import Support
from mvlift.filters import gaussian_filter1d, uniform_filter1d
from mvlift.typing import F64

__all__ = ["Ground", "View", "find_anchors", "find_ground", "seen_speed", "view_of"]

RAISED: Final = 0.14
"""Metres above the floor from which a resting part stands on something else (step, seat, bar)."""
SAME_LEVEL: Final = 0.06
"""Rests whose heights differ by less than this, metres, have one height."""
STEP_SECONDS: Final = 0.25
SEAT_SECONDS: Final = 0.8
BAR_SECONDS: Final = 0.8
STEP_SPEED: Final = 0.3
"""Metres a second below which a foot stands on a step,"""
SEAT_SPEED: Final = 0.2
"""the seat sits, and"""
BAR_SPEED: Final = 0.3
"""a hand holds a bar."""
THIGH_DROP: Final = 0.25
"""Metres by which the knees of somebody who sits are lower or higher than the hips, at most."""
SMOOTH_SECONDS: Final = 0.05
DEPTH_SPEED: Final = 0.35
"""Metres a second along the line of sight that the lift of a point at rest may seem to move."""
IMAGE_SPEED: Final = 0.28
"""Metres a second across the line of sight at which a part is as likely to move as to rest."""
CRAWL_HEIGHT: Final = 0.35
"""Metres above the floor at which feet may seem to rest of somebody who is on hands or knees: one plane holds both."""
CONTACT: Final = 0.5
"""Probability from which a part is held where it rests."""
MAX_SHIFT: Final = 0.1
"""Metres from its place beyond which a part has been moved on and rests at another one."""
FLIGHT_SECONDS: Final = (0.13, 1.2)
"""Shortest and longest time in which nothing touches anything."""
FLIGHT_HEIGHT: Final = 0.04
"""Metres between the floor and everything in flight, on the average."""


@dataclass(frozen=True, eq=False)
class View:
    """Where a camera sees keypoints.

    Attributes:
        pixels: (T, K, 2).
        confidence: (T, K), 0 = missing.
        focal: pixels.
        rays: (T, K, 3) unit directions in scene axes, of a camera that moves.
        path: (T, 3) its places, metres.
    """

    pixels: F64
    confidence: F64
    focal: float
    rays: F64 | None = None
    path: F64 | None = None

    def across(self, points: F64, column: int, here: NDArray[np.bool_], fps: float) -> F64:
        """(T,) metres a second across the line of sight of what is seen as a keypoint and is at ``points`` (T, 3)."""
        frames, sigma = np.arange(len(points)), SMOOTH_SECONDS * fps
        seen = self.pixels[:, column] if self.rays is None else self.rays[:, column]
        smooth = [gaussian_filter1d(np.interp(frames, frames[here], v[here]), sigma) for v in seen.T]
        if self.rays is None or self.path is None:
            return np.asarray(
                np.hypot(*(np.gradient(v) for v in smooth)) * fps * np.maximum(points[:, 2], 0.2) / self.focal
            )
        rate = np.stack([np.gradient(v) for v in smooth], 1) * fps
        sight = np.stack(smooth, 1)
        sight /= np.linalg.norm(sight, axis=1, keepdims=True)
        distance = np.linalg.norm(points - self.path, axis=1, keepdims=True)
        moved = np.gradient(self.path, axis=0) * fps + distance * rate
        return np.asarray(np.linalg.norm(moved - (moved * sight).sum(1, keepdims=True) * sight, axis=1))


def view_of(targets: FitTargets) -> View | None:
    """The view of a fit's targets; None of a fit to 3D alone."""
    if targets.pixels is None or targets.confidence is None or targets.K is None:
        return None
    focal, camera = float(targets.K[0, 0]), targets.camera
    if camera is None:
        return View(targets.pixels, targets.confidence, focal)
    rays = camera.rays(targets.pixels)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return View(targets.pixels, targets.confidence, focal, rays, camera.path)


@dataclass(frozen=True, eq=False)
class Ground:
    """What parts of a body rest on.

    Attributes:
        contacts: (T, C) probability that each support rests.
        level: (T, C) height of what is under it, along ``up``, metres.
        floor: height of the floor.
        flight: (T,) True while nothing touches anything.
    """

    contacts: F64
    level: F64
    floor: float
    flight: NDArray[np.bool_]


def seen_speed(
    supports: tuple[Support, ...], points: F64, names: tuple[str, ...], view: View | None, fps: float
) -> F64:
    """(T, C) metres a second of supports, across the line of sight from the picture and along it from the fit.

    A still camera shows far better than a lifted path whether a foot moves; along the line of sight only the path can
    tell, and what is within its error does not count.

    Args:
        supports: C of them.
        points: (T, C, 3) metres, camera axes.
        names: (K,) of the keypoints.
        view: where keypoints are seen; None: speeds come from the points alone.
        fps: frames a second.
    """
    speed = point_speed(points, fps)
    if view is None or len(points) < 3:
        return speed
    step = np.gradient(gaussian_filter1d(points, SMOOTH_SECONDS * fps), axis=0) * fps
    offset = points if view.path is None else points - view.path[:, None]
    ray = offset / np.maximum(np.linalg.norm(offset, axis=-1, keepdims=True), 1e-6)
    along = np.abs((step * ray).sum(-1))
    for c, support in enumerate(supports):
        column = next((names.index(n) for n in (support.name, *support.seen) if n in names), None)
        if column is None:
            continue
        here = view.confidence[:, column] > 0
        if here.sum() < 3:
            continue
        across = view.across(points[:, c], column, here, fps)
        both = np.hypot(across, np.maximum(along[:, c] - DEPTH_SPEED, 0))
        speed[:, c] = np.where(here, SPEED / IMAGE_SPEED * both, speed[:, c])
    return speed


def _rests(supports: tuple[Support, ...], speed: F64, height: F64, floor: float, fps: float) -> list[tuple[int, slice]]:
    """Supports and stretches in which they rest on something above the floor."""
    index = {s.name: c for c, s in enumerate(supports)}
    feet = [c for c, s in enumerate(supports) if s.raised == "step"]
    lowest = height[:, feet].min(1) if feet else height.min(1)
    others = [c for c, s in enumerate(supports) if s.raised != "step"]
    low = height[:, others] < floor + np.array([supports[c].height for c in others])
    on_feet = ~low.any(1)  # not on hands or knees, whose floor is the feet's too
    striding = speed[:, feet].min(1) > STEP_SPEED if feet else np.ones(len(height), dtype=bool)
    stretches = []
    for c, support in enumerate(supports):
        above = height[:, c] - floor
        if support.raised == "step":
            still = (speed[:, c] < STEP_SPEED) & (height[:, c] < lowest + SAME_LEVEL) & (above > RAISED) & on_feet
            stretches += [(c, rows) for rows in runs(still, round(STEP_SECONDS * fps))]
        elif support.raised == "seat" and {"l_knee", "r_knee"} <= index.keys():
            knees = height[:, [index["l_knee"], index["r_knee"]]].min(1)
            bent = np.abs(knees - height[:, c]) < THIGH_DROP
            still = (speed[:, c] < SEAT_SPEED) & bent & (above > 1.3 * RAISED)
            stretches += [(c, rows) for rows in runs(still, round(SEAT_SECONDS * fps))]
        elif support.raised == "bar" and "chest" in index:
            high = height[:, c] > height[:, index["chest"]] + 0.35
            held = runs((speed[:, c] < BAR_SPEED) & high, round(BAR_SECONDS * fps))
            stretches += [(c, rows) for rows in held if striding[rows].mean() > 0.5]
    return stretches


def _levels(supports: tuple[Support, ...], speed: F64, height: F64, floor: float, fps: float) -> F64:
    """(T, C) height under each support: the floor's, or that of steps, seats and bars where parts rest above it."""
    level = np.full(height.shape, floor)
    rests = _rests(supports, speed, height, floor, fps)
    medians = [float(np.median(height[rows, c])) for c, rows in rests]
    order = np.argsort(medians)
    groups: list[list[int]] = []
    for i in order:  # rests whose heights are near each other are on one level
        if groups and medians[i] - medians[groups[-1][0]] < SAME_LEVEL:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    for group in groups:
        shared = float(np.mean([medians[i] for i in group]))
        for i in group:
            level[rests[i][1], rests[i][0]] = shared
    return level


def _floor(height: F64, rest: F64) -> float:
    """The median height of what rests, or else the low end of each frame's lowest point."""
    weight = (rest**2).ravel()
    if weight.sum() < 3:
        return floor_height(height)
    order = np.argsort(height.ravel())
    share = np.cumsum(weight[order])
    return float(height.ravel()[order][np.searchsorted(share, 0.5 * share[-1])])


def find_ground(
    supports: tuple[Support, ...], points: F64, up: F64, fps: float, seen: F64, speed: F64 | None = None
) -> Ground:
    """Contacts, levels and flight of a moving body.

    Args:
        supports: C of them.
        points: (T, C, 3) metres, the lowest point of each support.
        up: (3,) unit vector.
        fps: frames a second.
        seen: (T, C) 1 where the part is seen; contacts are set to 0 where it is not.
        speed: (T, C) metres a second, see ``seen_speed``; None: of the points.
    """
    speed = point_speed(points, fps) if speed is None else speed
    height = points @ up
    feet = np.array([s.raised == "step" for s in supports])
    usable = np.where(seen > 0, height, height + 10.0)  # parts that are not seen are put high above the floor
    if not (seen > 0).any():
        usable = height
    floor = _floor(usable, resting(points + (usable - height)[..., None] * up, up, fps, speed) * (seen > 0))
    if feet.any() and not (seen[:, feet] > 0).any():  # guessed legs stand: the hands at a desk are not the floor
        floor = min(floor, floor_height(height[:, feet]))
    level = _levels(supports, speed, height, floor, fps)
    limits = np.tile([s.height for s in supports], (len(points), 1))
    contacts = contact_probability(points, up, level, fps, limits, speed) * seen
    if feet.any() and not feet.all():
        lowest = height[:, feet].min(1, keepdims=True)
        crawls = (contacts[:, ~feet].max(1) > CONTACT)[:, None] & feet & (height < lowest + SAME_LEVEL)
        limits = np.where(crawls, CRAWL_HEIGHT, limits)
        contacts = contact_probability(points, up, level, fps, limits, speed) * seen
    clear = (contacts.max(1) < 0.25) & (usable.min(1) - floor > 0)
    flight = np.zeros(len(points), dtype=bool)
    for rows in runs(clear, max(round(FLIGHT_SECONDS[0] * fps), 3)):
        airborne = usable[rows].min(1).mean() - floor > FLIGHT_HEIGHT
        if rows.stop - rows.start <= FLIGHT_SECONDS[1] * fps and airborne and seen[rows].any():
            flight[rows] = True
    return Ground(contacts, level, floor, flight)


def find_anchors(points: F64, ground: Ground, up: F64, fps: float) -> tuple[F64, F64]:
    """Where each support is held while it rests: one place on its level for each stretch of contact.

    A stretch in which a part creeps further than ``MAX_SHIFT`` is cut, so that intended sliding is kept.

    Args:
        points: (T, C, 3) metres, as in ``find_ground``.
        ground: of the same points.
        up: (3,).
        fps: frames a second.

    Returns:
        Places (T, C, 3) metres and weights (T, C) in [0, 1], which fade in and out within a tenth of a second.
    """
    anchors, weights = points.copy(), np.zeros(points.shape[:2])
    for c in range(points.shape[1]):
        for rows in runs(ground.contacts[:, c] > CONTACT, max(round(0.1 * fps), 2)):
            for part in _stays(points[rows, c], rows.start):
                resting_points, share = points[part, c], ground.contacts[part, c] ** 2
                place = (share[:, None] * resting_points).sum(0) / share.sum()
                level = float(np.median(ground.level[part, c]))
                anchors[part, c] = place + (level - place @ up) * up
                weights[part, c] = 1.0
    width = max(round(0.1 * fps), 1)
    return anchors, np.minimum(uniform_filter1d(weights, width), weights)


def _stays(points: F64, first: int) -> list[slice]:
    """Parts of a stretch (n, 3) that begins at row ``first``, each within ``MAX_SHIFT`` of its own running mean."""
    parts, begin = [], 0
    total = np.zeros(3)
    for t, point in enumerate(points):
        if t > begin and np.linalg.norm(point - total / (t - begin)) > MAX_SHIFT:
            parts.append(slice(first + begin, first + t))
            begin, total = t, np.zeros(3)
        total = total + point
    parts.append(slice(first + begin, first + len(points)))
    return parts
