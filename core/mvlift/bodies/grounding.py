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
from mvlift.filters import gaussian_filter1d, maximum_filter1d, median_filter, minimum_filter1d, uniform_filter1d
from mvlift.typing import F64

__all__ = ["CONTACT", "Ground", "View", "find_ground", "seen_speed", "view_of"]

RAISED: Final = 0.14
"""Metres above the floor from which a resting part stands on something else (step, seat, bar)."""
SAME_LEVEL: Final = 0.06
"""Rests whose heights differ by less than this, metres, have one height."""
LOW_SHARE: Final = 0.1
"""Of all rest, at least so much is on the floor."""
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
SEATED_TRUNK: Final = 0.2
"""Metres by which the chest of somebody who sits is higher than the seat, at least."""
SMOOTH_SECONDS: Final = 0.05
DEPTH_SPEED: Final = 0.35
"""Metres a second along the line of sight that the lift of a point at rest may seem to move."""
IMAGE_SPEED: Final = 0.28
"""Metres a second across the line of sight at which a part is as likely to move as to rest."""
CRAWL_HEIGHT: Final = 0.35
"""Metres above the floor at which feet may seem to rest of somebody who is on hands or knees: one plane holds both."""
PROPPED: Final = 0.9
"""Probability that a hand rests which holds up a trunk"""
PRONE_SLOPE: Final = 0.6
"""that rises by less than this share of its length,"""
PROP_TRAVEL: Final = 0.3
"""goes no further than so many metres"""
PROP_SECONDS: Final = 0.7
"""within so long before and after,"""
PROP_HEIGHT: Final = 0.4
"""while the hand is not higher than so many metres above the other one."""
CONTACT: Final = 0.5
"""Probability from which a part is held where it rests."""
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

    def sight(self, points: F64) -> F64:
        """(T, C, 3) unit directions from the camera to points (T, C, 3)."""
        offset = points if self.path is None else points - self.path[:, None]
        return np.asarray(offset / np.maximum(np.linalg.norm(offset, axis=-1, keepdims=True), 1e-6))

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
        propped: (T, C) True for hands that hold up a body which lies prone on them, whatever they seem to do.
    """

    contacts: F64
    level: F64
    floor: float
    flight: NDArray[np.bool_]
    propped: NDArray[np.bool_]


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
    along = np.abs((step * view.sight(points)).sum(-1))
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
            if "chest" in index:  # a trunk that lies level is held up by hands and feet, not by a seat
                bent &= height[:, index["chest"]] > height[:, c] + SEATED_TRUNK
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
    """The median height of what rests, of its lowest level if it rests on several, or else the low end of each frame's
    lowest point."""
    weight = (rest**2).ravel()
    if weight.sum() < 3:
        return floor_height(height)
    flat = height.ravel()
    order = np.argsort(flat)
    flat, share = flat[order], np.cumsum(weight[order]) / weight.sum()
    floor = float(flat[np.searchsorted(share, 0.5)])
    low = float(flat[np.searchsorted(share, LOW_SHARE)])
    if floor - low < RAISED:
        return floor
    lowest = share[np.searchsorted(flat, low + SAME_LEVEL)]
    return float(flat[np.searchsorted(share, 0.5 * min(lowest, 1.0))])


def _propped(
    supports: tuple[Support, ...], points: F64, up: F64, contacts: F64, height: F64, fps: float
) -> NDArray[np.bool_]:
    """(T, C) True for the hands of a push-up or a plank.

    A trunk that stays in one place, level and off the floor, is held up by both hands if by one, though a detector
    may misplace the hand behind it.
    """
    index = {s.name: c for c, s in enumerate(supports)}
    out = np.zeros(contacts.shape, dtype=bool)
    hands = [c for c, s in enumerate(supports) if s.raised == "bar"]
    if len(hands) < 2 or not {"chest", "pelvis"} <= index.keys():
        return out
    chest, pelvis = index["chest"], index["pelvis"]
    trunk = points[:, chest] - points[:, pelvis]
    level = np.abs(trunk @ up) < PRONE_SLOPE * np.linalg.norm(trunk, axis=1)
    flat = points[:, pelvis] - (points[:, pelvis] @ up)[:, None] * up
    window = 2 * round(PROP_SECONDS * fps) + 1
    travel = np.linalg.norm(maximum_filter1d(flat, window) - minimum_filter1d(flat, window), axis=1)
    off = contacts[:, [chest, pelvis]].max(1) < CONTACT
    holds = level & (travel < PROP_TRAVEL) & off & (contacts[:, hands].max(1) > CONTACT)
    for rows in runs(uniform_filter1d(holds.astype(np.float64), window) > 0.5, round(PROP_SECONDS * fps)):
        for c in hands:
            below = height[rows, chest] - height[rows, c] > 0
            reach = height[rows, c] < height[rows, hands].min(1) + PROP_HEIGHT
            out[rows, c] = median_filter((below & reach).astype(np.float64), window) > 0
    return out


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
    propped = _propped(supports, points, up, contacts, height, fps) & (seen > 0)
    contacts = np.where(propped, np.maximum(contacts, PROPPED), contacts)
    clear = (contacts.max(1) < 0.25) & (usable.min(1) - floor > 0)
    flight = np.zeros(len(points), dtype=bool)
    for rows in runs(clear, max(round(FLIGHT_SECONDS[0] * fps), 3)):
        airborne = usable[rows].min(1).mean() - floor > FLIGHT_HEIGHT
        if rows.stop - rows.start <= FLIGHT_SECONDS[1] * fps and airborne and seen[rows].any():
            flight[rows] = True
    return Ground(contacts, level, floor, flight, propped)
