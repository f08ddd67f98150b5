"""The bundled detector: BlazePose on every person of a frame, followed from frame to frame, with hands where asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from mvlift.detection.blazepose import BodyPose, PersonFinder, PoseLandmarks, crops_agree, search_views
from mvlift.detection.crops import Crop
from mvlift.detection.hand_landmarks import HAND_POINTS, Hand, HandLandmarks, Wrist
from mvlift.detection.poses import FramePoses, distinct_poses
from mvlift.detection.video import Frame
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.typing import F64

__all__ = ["BlazePoseDetector"]

Side = Literal["l", "r"]
_SIDES: Final[tuple[Side, ...]] = ("l", "r")
_LEAST_PRESENCE: Final = 0.5
_LEAST_CONFIDENCE: Final = 0.2
"""Mean confidence of a pose; furniture and foliage stay below."""
_FOLLOWED_BONUS: Final = 0.05
"""Added to the score of a pose whose crop comes from the frame before."""
_ACROSS: Final = 0.5
"""Cosine of the angle between two bodies."""
_SPEED_SHARE: Final = 0.6
"""Share of the last step by which a crop moves on."""
_HAND_OF_ARM: Final = 0.4
"""Length from wrist to knuckles in lengths of the forearm."""


@dataclass
class _Person:
    """A tracked person.

    Attributes:
        crop: for the next frame.
        last: the square round the pose in the frame before.
        hands: crops of the hands for the next frame.
        fresh: found by the detector in this frame.
    """

    crop: Crop
    last: Crop
    hands: dict[Side, Crop] = field(default_factory=dict)
    fresh: bool = False


class BlazePoseDetector:
    """Several people by BlazePose.

    Args:
        landmarks: name of the landmark network, "pose_landmark_full" or "pose_landmark_heavy".
        hands: find the points of the hands too.
        max_people: at most so many, the largest; 0 for no limit.
        threads: of the networks.

    Raises:
        DetectionError: a network file or the runtime is missing.
    """

    def __init__(self, landmarks: str, hands: bool = False, max_people: int = 0, threads: int = 1) -> None:
        self._finder = PersonFinder(threads)
        self._landmarks = PoseLandmarks(landmarks, threads)
        self._hands = HandLandmarks(threads) if hands else None
        self._max_people = max_people
        self._layout = get_layout("mediapipe75" if hands else "mediapipe33")
        self._people: list[_Person] = []
        self._turn = 0

    @property
    def layout(self) -> Layout:
        """MediaPipe's 33 points, with 21 of each hand where asked."""
        return self._layout

    def reset(self) -> None:
        """Forget the tracked people."""
        self._people, self._turn = [], 0

    def detect(self, frame: Frame) -> FramePoses:
        """The people of a frame."""
        candidates = self._candidates(frame)
        poses = [self._pose(frame, person) for person in candidates]
        there = [i for i, pose in enumerate(poses) if _is_there(pose)]
        followed = [poses[i].following for i in there if not candidates[i].fresh]
        there = [i for i in there if not candidates[i].fresh or not _lies_across(poses[i].following, followed)]
        kept = [there[i] for i in self._distinct([poses[i] for i in there], [candidates[i] for i in there])]
        people = [candidates[i] for i in kept]
        joints = len(self._layout.names)
        points, confidence = np.zeros((len(kept), joints, 2)), np.zeros((len(kept), joints))
        for row, (i, person) in enumerate(zip(kept, people, strict=True)):
            body = len(poses[i].points)
            points[row, :body], confidence[row, :body] = poses[i].points, poses[i].confidence
            if self._hands is not None:
                hands = self._find_hands(frame, poses[i], person)
                for k, side in enumerate(_SIDES):
                    if side in hands:
                        at = slice(body + k * HAND_POINTS, body + (k + 1) * HAND_POINTS)
                        points[row, at], confidence[row, at] = hands[side].points, hands[side].presence
            _move_on(person, poses[i].following)
        self._people = people
        return FramePoses(points, confidence)

    def _candidates(self, frame: Frame) -> list[_Person]:
        """Crops of the tracked people, and of people that the detector finds elsewhere."""
        height, width = frame.overview.shape[:2]
        view_count = len(search_views(width, height))
        if self._turn == 0:
            views = list(range(view_count))
        else:
            views = [self._turn] if self._people else [0, self._turn]
        self._turn += 1
        factor = frame.image.shape[1] / width
        crops = [crop.scaled(factor) for crop in self._finder.find(frame.overview, views)]
        new = [c for c in crops if not any(crops_agree(c, p.crop) for p in self._people)]
        return [*self._people, *(_Person(crop, crop, fresh=True) for crop in new)]

    def _pose(self, frame: Frame, person: _Person) -> BodyPose:
        pose = self._landmarks.find(frame.image, person.crop)
        if person.fresh and pose.presence >= _LEAST_PRESENCE:  # the detector's crop is coarse
            person.crop = pose.following
            again = self._landmarks.find(frame.image, pose.following)
            pose = again if again.presence >= pose.presence - 0.2 else pose
        return pose

    def _distinct(self, poses: list[BodyPose], people: list[_Person]) -> list[int]:
        if not poses:
            return []
        points, confidence = np.stack([p.points for p in poses]), np.stack([p.confidence for p in poses])
        followed = np.array([not p.fresh for p in people])
        score = np.array([p.presence for p in poses]) * confidence.mean(1) + _FOLLOWED_BONUS * followed
        kept = distinct_poses(points, confidence, score, get_layout("mediapipe33"))
        if self._max_people and len(kept) > self._max_people:
            size = np.array([poses[i].following.size for i in kept])
            kept = kept[np.sort(np.argsort(-size, kind="stable")[: self._max_people])]
        return [int(i) for i in kept]

    def _find_hands(self, frame: Frame, pose: BodyPose, person: _Person) -> dict[Side, Hand]:
        assert self._hands is not None
        hands: dict[Side, Hand] = {}
        for side in _SIDES:
            wrist = self._wrist(pose, side)
            hand = self._hands.find(frame.image, wrist, person.hands.get(side))
            if hand is not None:
                hands[side] = hand
        person.hands = {side: hand.following for side, hand in hands.items()}
        return hands

    def _wrist(self, pose: BodyPose, side: Side) -> Wrist:
        names = ("wrist", "index", "pinky", "elbow", "shoulder")
        wrist, index, pinky, elbow, shoulder = (pose.points[self._layout.index(f"{side}_{n}")] for n in names)
        knuckles = (2 * index + pinky) / 3
        arm = max(np.linalg.norm(elbow - wrist), np.linalg.norm(shoulder - elbow))
        return Wrist(wrist, knuckles, max(float(np.linalg.norm(knuckles - wrist)), _HAND_OF_ARM * float(arm)))

    def state(self) -> dict[str, F64]:
        """Crops of everybody who is followed, and of their hands (NaN where there is none)."""
        none = np.full(4, np.nan)
        rows = [
            np.concatenate(
                [
                    p.crop.as_array(),
                    p.last.as_array(),
                    *(p.hands[s].as_array() if s in p.hands else none for s in _SIDES),
                ]
            )
            for p in self._people
        ]
        return {"crops": np.array(rows).reshape(-1, 16), "turn": np.array([float(self._turn)])}

    def restore(self, state: dict[str, F64]) -> None:
        """Go on from what ``state`` gave."""
        self._turn = int(state["turn"][0])
        self._people = []
        for row in state["crops"].reshape(-1, 4, 4):
            hands = {s: Crop(*map(float, v)) for s, v in zip(_SIDES, row[2:], strict=True) if np.isfinite(v).all()}
            self._people.append(_Person(Crop(*map(float, row[0])), Crop(*map(float, row[1])), hands))


def _is_there(pose: BodyPose) -> bool:
    return pose.presence >= _LEAST_PRESENCE and float(pose.confidence.mean()) >= _LEAST_CONFIDENCE


def _lies_across(crop: Crop, others: list[Crop]) -> bool:
    """True for a body with the hips of another one, turned across it: that one, read wrongly."""
    return any(crops_agree(crop, other) and np.cos(crop.angle - other.angle) < _ACROSS for other in others)


def _move_on(person: _Person, following: Crop) -> None:
    """Sets the crop for the next frame: where the pose asks for it, moved by a share of the person's last step."""
    crop = following
    if not person.fresh:
        reach = 0.2 * following.size
        dx, dy = (float(np.clip(v, -reach, reach)) for v in (following.x - person.last.x, following.y - person.last.y))
        crop = Crop(following.x + _SPEED_SHARE * dx, following.y + _SPEED_SHARE * dy, following.size, following.angle)
    person.crop, person.last, person.fresh = crop, following, False
