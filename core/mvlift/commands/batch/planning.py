"""Which files the clips of a command become, fixed before anything is lifted, so that no two ever share a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mvlift.errors import MvliftError

__all__ = ["Task", "check_outputs", "clips_in", "person_paths", "plan_tasks", "shard_of"]

_PACKED: Final = (".gz", ".zip")
_LONGEST: Final = 255
"""Bytes of a file's name on the usual file systems."""
_PERSON: Final = 40
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^\w.+@=-]")


@dataclass(frozen=True)
class Task:
    """One clip, and the outputs of its best (or only) person.

    Attributes:
        source: file or folder of the clip.
        outputs: one for each format; other people's names are made from them by `person_paths`.
        resumes: outputs that are there already are left as they are.
    """

    source: Path
    outputs: tuple[Path, ...]
    resumes: bool = False


def clips_in(folder: Path) -> tuple[list[Path], list[str]]:
    """The clips in a folder of them, and a sentence for each entry that cannot be one.

    Raises:
        MvliftError: it is no folder, cannot be read, or is empty.
    """
    if not folder.is_dir():
        raise MvliftError(f"{folder} is not a folder.", "With --batch, give the folder that holds the clips.")
    try:
        entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise MvliftError(f"{folder} cannot be read ({error.strerror}).", "Check that it may be read.") from error
    usable = [p for p in entries if p.is_dir() or p.is_file()]
    skipped = [f"{p.name} is not a file (a pipe, a device, or a link that leads nowhere): skipped." for p in entries
               if p not in usable]  # fmt: skip
    if not usable:
        raise MvliftError(f"{folder} is empty.", "Put keypoint files or folders of them there.")
    return usable, skipped


def _stem(source: Path) -> str:
    """A clip's name without its file type; folders keep their dots."""
    if source.is_dir():
        return source.resolve().name
    inner = source.with_suffix("") if source.suffix.lower() in _PACKED and source.with_suffix("").suffix else source
    return inner.stem or source.name


def _key(name: str) -> str:
    return name.casefold()


def _unique_stems(sources: Sequence[Path]) -> list[str]:
    """A unique name for each clip; none is another one's with a suffix after a dot, because people are named so."""
    made = [_stem(s) for s in sources]
    longer = (lambda s: s.name, lambda s: f"{s.resolve().parent.name}-{s.name}")
    for name_of in longer:
        counts = Counter(map(_key, made))
        made = [name_of(s).replace(".", "_") if counts[_key(m)] > 1 else m for s, m in zip(sources, made, strict=True)]
    heads = {_key(m) for m in made}
    made = [m.replace(".", "_") if _begins_with_another(m, heads) else m for m in made]
    taken: set[str] = set()
    for i, name in enumerate(made):
        number, unique = 2, name
        while _key(unique) in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(_key(unique))
        made[i] = unique
    return made


def _begins_with_another(name: str, heads: Collection[str]) -> bool:
    parts = _key(name).split(".")
    return any(".".join(parts[:i]) in heads for i in range(1, len(parts)))


def _is_dir(path: Path) -> bool:
    """Whether a folder exists; False for names that the file system refuses."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_folder(output: Path, many: bool, formats: Collection[str]) -> bool:
    """Whether an output is a folder, which for many clips may have a dot in its name."""
    return _is_dir(output) or not output.suffix or (many and output.suffix.lower() not in formats)


def plan_tasks(
    sources: Sequence[Path], output: Sequence[Path], extensions: Sequence[str], many: bool, formats: Collection[str]
) -> list[Task]:
    """What each clip becomes.

    Args:
        sources: the clips.
        output: files for one clip; one folder for many.
        extensions: of the files in a folder.
        many: the output is a folder even for one clip.
        formats: extensions that can be written.

    Raises:
        MvliftError: several clips have no folder as output.
    """
    single = output[0] if len(output) == 1 else None
    if single is None or not _is_folder(single, many, formats):
        if many:
            raise MvliftError(
                f"Several clips need one folder as output, not {', '.join(map(str, output))}.", "Give -o FOLDER."
            )
        return [Task(sources[0], tuple(output))]
    ends = [f".{e.lstrip('.')}" for e in dict.fromkeys(extensions)]
    return [
        Task(source, tuple(single / f"{stem}{end}" for end in ends), resumes=True)
        for source, stem in zip(sources, _unique_stems(sources), strict=True)
    ]


def check_outputs(tasks: Sequence[Task], inputs: Sequence[Path], formats: Collection[str]) -> None:
    """Refuses what would fail after the lift.

    Args:
        tasks: the plan.
        inputs: files that must stay as they are.
        formats: extensions that can be written.

    Raises:
        MvliftError: a format is not known, a name is too long or used twice, or an output is an input or a folder.
    """
    protected = {p.resolve() for p in (*inputs, *(t.source for t in tasks))}
    seen: dict[str, Path] = {}
    for task in tasks:
        for output in task.outputs:
            if output.suffix.lower() not in formats:
                raise MvliftError(
                    f"{output.name}: {output.suffix or 'no extension'} cannot be written.",
                    f"Use one of {', '.join(formats)}.",
                )
            if len(output.name.encode()) > _LONGEST:
                raise MvliftError(f"The name {output.name[:60]}... is too long for a file.", "Rename the clip.")
            resolved = output.resolve()
            if resolved in protected:
                raise MvliftError(f"{output} is one of the inputs and would be overwritten.", "Choose another output.")
            if _is_dir(output):
                raise MvliftError(f"{output} is a folder.", "Choose another output.")
            if _key(str(resolved)) in seen:
                raise MvliftError(
                    f"{task.source} and {seen[_key(str(resolved))]} would both become {output}.", "Rename one of them."
                )
            seen[_key(str(resolved))] = task.source


def person_paths(output: Path, tracks: Sequence[str], protected: Collection[Path] = ()) -> list[Path]:
    """A file for each person of a clip: the first has the planned name, others their track's behind a dot.

    Args:
        output: planned for the clip.
        tracks: names of the people; what no file's name can hold becomes "_".
        protected: files that must stay as they are.
    """
    made, taken = [output], {_key(output.name)} | {_key(p.name) for p in protected if p.parent == output.parent}
    for track in tracks[1:]:
        name = _UNSAFE.sub("_", track)[:_PERSON].strip(". ") or "person"
        name = f"_{name}" if _RESERVED.fullmatch(name) else name
        room = _LONGEST - len(f".{name}-999{output.suffix}".encode())
        stem = output.stem.encode()[:room].decode(errors="ignore")
        number, path = 2, output.with_name(f"{stem}.{name}{output.suffix}")
        while _key(path.name) in taken:
            path, number = output.with_name(f"{stem}.{name}-{number}{output.suffix}"), number + 1
        taken.add(_key(path.name))
        made.append(path)
    return made


def shard_of(tasks: Sequence[Task], text: str) -> list[Task]:
    """The tasks of one machine of several: every n-th, so that long and short clips mix.

    Args:
        tasks: all of them, in the same order on each machine.
        text: such as ``3/16``, the third of sixteen; "" for all.

    Raises:
        MvliftError: it is not a share.
    """
    if not text:
        return list(tasks)
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise MvliftError(f"--shard {text} is not a share.", "Give 3/16 for the third of sixteen.")
    return list(tasks[part - 1 :: parts])
