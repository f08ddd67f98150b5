"""Configs: typed dataclasses, read from YAML; an unknown key is an error, not a silent default."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from mvlift.diffusion.samplers import SamplerName
from mvlift.errors import MvliftError
from mvlift.lifting.options import RETIRED_PRESETS
from mvlift.lifting.presets import PresetName

from mvlift_training.detector_noise import DetectorNoise
from mvlift_training.motion_data import Augmentation
from mvlift_training.train_options import TrainOptions

__all__ = ["ConfigError", "NetworkOptions", "Stage2Options", "Stage3Options", "TrainConfig", "load_config", "plain"]

T = TypeVar("T")


class ConfigError(MvliftError):
    """A config file has a key or value that does not fit."""


@dataclass(frozen=True)
class NetworkOptions:
    """Size of both denoisers: width d, transformer layers, heads, frames in one token, dropout."""

    width: int = 384
    layers: int = 8
    heads: int = 6
    patch: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads, self.patch) < 1 or self.width % (2 * self.heads):
            raise ConfigError(
                f"network: width {self.width}, layers {self.layers}, heads {self.heads}, patch {self.patch}.",
                "Give numbers of at least 1, and a width that is a multiple of twice the heads.",
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"network.dropout is {self.dropout}.", "Give a share from 0 to below 1.")


@dataclass(frozen=True)
class Stage1Options:
    """Line conditioning of stage 1; see ``stage1.LineTask``."""

    line_weight: float = 1.0
    line_noise: float = 0.03
    unconditional: float = 0.1
    lineless: float = 0.5
    epipoles: Literal["mixed", "ring"] = "mixed"


@dataclass(frozen=True)
class Stage2Options:
    """How training sequences become 3D.

    Attributes:
        method: what lifts in the first round, with stage 1's model: "loop" triangulates inside sampling; "sds" is the
            paper's optimisation. "lift" is the whole lift of ``preset`` with the base's stage 4, body fit and
            refinement passes included.
        weights: name or path of the stage-4 weights that "lift" lifts with in the first round; "" is the base's own.
        later: what lifts in later rounds: "stage4" is the model of the round before by sampling alone, "lift" the whole
            lift with it; the others as ``method``.
        preset: of "lift".
        sampler: of "loop".
        steps: of "loop".
        hypotheses: samples a sequence, of which stage 3 keeps the most plausible one.
        elevation: assumed elevation of the cameras, degrees.
        sds_iterations: of "sds".
        sds_weighting: "clean": the gradient is the difference between a view and its denoised self; "noise": that of
            the predicted noise, eq. 4 of the paper with weight 1.
        consistency, consistency_weight: multi-view consistency of "sds": "l2": half the squared distance to the lines,
            "l1": the distance, as the paper's eq. 5 and 6; and its weight.
        sds_batch: sequences of "sds" at once, which a GPU wants; results do not depend on it.
        stride: each so many-th sequence is lifted and fitted; the fit is what takes long on a CPU.
    """

    method: Literal["loop", "sds", "lift"] = "loop"
    later: Literal["stage4", "loop", "sds", "lift"] = "stage4"
    preset: PresetName = "fast"
    weights: str = ""
    sampler: SamplerName = "ddim"
    steps: int = 20
    hypotheses: int = 2
    elevation: float = 7.0
    sds_iterations: int = 5000
    sds_weighting: Literal["clean", "noise"] = "clean"
    consistency: Literal["l2", "l1"] = "l2"
    consistency_weight: float = 1.0
    sds_batch: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigError(f"stage2.stride is {self.stride}.", "Give 1 for all sequences, 2 for half of them.")
        for name in ("sds_iterations", "sds_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"stage2.{name} is {getattr(self, name)}.", "Give at least 1.")


@dataclass(frozen=True)
class Stage3Options:
    """What stage 3 keeps.

    Attributes:
        max_reprojection: largest median reprojection error, as a share of the body's height in the picture.
        max_energy: largest median energy of the pose prior.
        max_disagreement: largest median distance of the body to the lifted keypoints, metres.
        max_speed: fastest root, metres a second.
        rounds: self-training rounds: lift again (``stage2.later``), fit, train stage 4 further.
        workers: processes that fit; 0 takes every core.
    """

    max_reprojection: float = 0.03
    max_energy: float = 6.0
    max_disagreement: float = 0.12
    max_speed: float = 9.0
    workers: int = 0
    rounds: int = 1


@dataclass(frozen=True)
class Stage4Options:
    """Stage 4.

    Attributes:
        warm_start: begin with stage 1's weights.
        weights: name or path of a base's stage-4 weights to begin with; "": those that it is shipped with.
        average_rounds: export the mean of all rounds' weights, which fits other footage better than the last round's
            (Wortsman et al. 2022): each round goes on from the one before.
        limb_spread, elevation, roll, distance, perspective, size_error, turn, azimuths, input_weight, camera_weight,
            pure_noise, tempo_spread, other_arms: see ``stage4.ViewTask``.
    """

    warm_start: bool = True
    weights: str = ""
    average_rounds: bool = False
    limb_spread: float = 0.06
    elevation: tuple[float, float] = (-12.0, 30.0)
    roll: float = 3.0
    distance: tuple[float, float] = (2.5, 10.5)
    perspective: bool = True
    size_error: float = 0.06
    turn: float = 14.3
    azimuths: tuple[float, ...] = (0.0, 60.0, 120.0)
    input_weight: float = 0.25
    camera_weight: float = 0.0
    pure_noise: float = 0.0
    tempo_spread: float = 0.0
    other_arms: float = 0.0

    def __post_init__(self) -> None:
        if not self.azimuths or len({a % 360 for a in self.azimuths}) < len(self.azimuths):
            raise ConfigError(f"stage4.azimuths is {list(self.azimuths)}.", "Give different directions, in degrees.")
        for name in ("elevation", "distance"):
            low, high = getattr(self, name)
            if low > high:
                raise ConfigError(f"stage4.{name} is {[low, high]}.", "Write [lowest, highest].")
        for name in ("limb_spread", "roll", "size_error", "turn", "input_weight", "camera_weight", "tempo_spread"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"stage4.{name} is {getattr(self, name)}.", "Give 0 or more.")
        for name in ("pure_noise", "other_arms"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"stage4.{name} is {getattr(self, name)}.", "Give a share between 0 and 1.")


@dataclass(frozen=True)
class TrainConfig:
    """A whole run: ``mvlift-train all --config FILE``.

    Attributes:
        subject: name or file of the subject.
        data: 2D data set (``mvlift-train prepare``).
        folder: of checkpoints and results.
        library: 3D motions of our own making that stage 4 learns from, instead of stage 3's.
        base: subject whose shipped weights stages 1 and 4 begin with (NAME-stage1, NAME-stage4): the body alone of a
            subject with an object, or a species that moves alike; "" to begin fresh.
        alike: keypoint -> keypoint of the base that moves much like it, where their names differ.
        name: of the exported weights: NAME-stage1, NAME-stage4.
        seed: of everything random.
        window: frames in a training window, a multiple of the network's patch.
        device: "auto", "cpu", "cuda", "mps".
        devices: processes or GPUs.
        threads: CPU threads a process; 0 leaves torch's default.
        network, augmentation, stage1, train1, stage2, stage3, stage4, train4, noise: see their classes.
    """

    subject: str = "human"
    data: Path = Path("data/human/train_2d.npz")
    folder: Path = Path("runs/human")
    library: Path | None = None
    base: str = ""
    alike: dict[str, str] = field(default_factory=dict)
    name: str = "human"
    seed: int = 1
    window: int = 96
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    threads: int = 0
    network: NetworkOptions = field(default_factory=NetworkOptions)
    augmentation: Augmentation = field(default_factory=Augmentation)
    stage1: Stage1Options = field(default_factory=Stage1Options)
    train1: TrainOptions = field(default_factory=TrainOptions)
    stage2: Stage2Options = field(default_factory=Stage2Options)
    stage3: Stage3Options = field(default_factory=Stage3Options)
    stage4: Stage4Options = field(default_factory=Stage4Options)
    train4: TrainOptions = field(default_factory=TrainOptions)
    noise: DetectorNoise = field(default_factory=DetectorNoise)

    def __post_init__(self) -> None:
        if self.window < 4 or self.window % self.network.patch:
            raise ConfigError(
                f"window is {self.window} with network.patch {self.network.patch}.",
                "Give a multiple of network.patch, at least 4.",
            )
        for name, weights in (("stage2", self.stage2.weights), ("stage4", self.stage4.weights)):
            if weights and not self.base:
                raise ConfigError(
                    f"{name}.weights is {weights}, but there is no base.", "Name the base they belong to."
                )
        for name, least in (("devices", 1), ("threads", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}.", f"Give at least {least}.")


def _value(kind: Any, value: Any, key_path: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value, key_path)
    if origin is Literal:
        if value not in typing.get_args(kind):
            raise ConfigError(f"{key_path}: {value!r}", f"Choose one of {', '.join(map(str, typing.get_args(kind)))}.")
        return value
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _value(typing.get_args(kind)[0], value, key_path)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{key_path}: {value!r} is not a mapping.", "Write {key: value}.")
        key_kind, value_kind = typing.get_args(kind)
        return {_value(key_kind, k, key_path): _value(value_kind, v, f"{key_path}.{k}") for k, v in value.items()}
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{key_path}: {value!r} is not a list.", "Write [first, second].")
        kinds = typing.get_args(kind)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) != len(kinds):
            raise ConfigError(
                f"{key_path}: {value!r} has {len(value)} values, not {len(kinds)}.", "Write [first, second]."
            )
        return tuple(_value(k, v, key_path) for k, v in zip(kinds, value, strict=True))
    if kind in (int, float) and (isinstance(value, bool) or not isinstance(value, (int, float, str))):
        raise ConfigError(f"{key_path}: {value!r} is not a number.", "Write a number.")
    if kind is bool and not isinstance(value, bool):
        raise ConfigError(f"{key_path}: {value!r} is not true or false.", "Write true or false.")
    if kind is str and not isinstance(value, (str, int, float)):
        raise ConfigError(f"{key_path}: {value!r} is not a text.", "Write one text.")
    try:
        number = kind(float(value)) if kind is int else kind(value)  # YAML takes 1e5 for a text
        if kind is int and number != float(value):
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{key_path}: {value!r} is not a {kind.__name__}.", "Correct the value.") from error


_OLD_KEYS: Final[dict[tuple[type, str], str]] = {(Stage2Options, "every"): "stride"}
"""Keys of configs of version 0.1 under today's names."""


def _build(kind: type[T], values: Any, key_path: str) -> T:
    if not isinstance(values, dict):
        raise ConfigError(f"{key_path}: {values!r} is not a mapping.", "Write key: value lines.")
    values = {_OLD_KEYS.get((kind, key), key): value for key, value in values.items()}
    if kind is Stage2Options and values.get("preset") in RETIRED_PRESETS:
        values["preset"] = RETIRED_PRESETS[values["preset"]]
    hints = typing.get_type_hints(kind)
    unknown = sorted(str(key) for key in values if key not in hints)
    if unknown:
        raise ConfigError(f"{key_path}: unknown keys {unknown}.", f"Known keys: {', '.join(sorted(hints))}.")
    checked = {key: _value(hints[key], value, f"{key_path}.{key}") for key, value in values.items()}
    try:
        return kind(**checked)
    except MvliftError as error:
        raise ConfigError(f"{key_path}: {error.message}", error.remedy) from error


def load_config(path: Path) -> TrainConfig:
    """A run's config; ``data`` and ``folder`` stay relative to the working directory.

    Raises:
        ConfigError: not YAML, or a key or value that does not fit.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path}: {error}", "Give a YAML file such as training/mvlift_training/configs/human.yaml."
        ) from error
    return _build(TrainConfig, content or {}, str(path))


def plain(config: object) -> Any:
    """A config as values that JSON can hold."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, (tuple, list)):
        return [plain(v) for v in config]
    return str(config) if isinstance(config, Path) else config
