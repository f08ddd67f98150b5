"""Generate the reference pages of the documentation from docstrings and dataclasses.

python tools/reference.py            # write docs/reference-*.md
python tools/reference.py --check    # exit code 1 when a page is not current
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reference_cli import command_line_page
from reference_files import files_page

ROOT: Final = Path(__file__).resolve().parents[1]
NOTE: Final = "<!-- Made by tools/reference.py from the code; edit the docstrings there. -->\n"
FUNCTIONS: Final = ("read_keypoints", "inspect_keypoints", "lift", "load_motion")
CLASSES: Final = ("mvlift.keypoints.clip:KeypointClip", "mvlift.motion:LiftedMotion", "mvlift.motion:Camera",
                  "mvlift.motion:ObjectMotion")  # fmt: skip
SECTION: Final = re.compile(r"^(Args|Attributes|Returns|Raises):$", re.M)
ENTRY: Final = re.compile(r"^    (?P<names>\w[\w, ]*): (?P<text>.*(?:\n {6,}.*)*)", re.M)


def sections(docstring: str) -> dict[str, str]:
    """A docstring's parts: "" is what stands before the first section."""
    parts = SECTION.split(inspect.cleandoc(docstring))
    return {
        "": parts[0].strip(),
        **{name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)},
    }


def entries(text: str) -> dict[str, str]:
    """What a section says of each name; ``a, b: text`` says it of both."""
    texts = {}
    for match in ENTRY.finditer(text):
        for name in match["names"].split(","):
            texts[name.strip()] = one_line(match["text"])
    return texts


def one_line(text: str) -> str:
    """Text of a table's cell."""
    return re.sub(r"``([^`]*)``", r"`\1`", " ".join(text.split())).replace("|", "\\|")


def kind_of(annotation: object) -> str:
    """A type as a reader wants it."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(
        r"\b(?:mvlift|numpy|typing|pathlib|fractions|collections\.abc|mvlift_training)(?:\.\w+)*\.(?=\w)", "", text
    ).replace("|", "\\|")


def default_of(value: object) -> str:
    """A default as it is written, "" for none."""
    if value in (inspect.Parameter.empty, dataclasses.MISSING):
        return ""
    return f"`{str(value) if isinstance(value, Path) else repr(value)}`"


def table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """A markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def function_part(name: str, function: Callable[..., Any]) -> str:
    """A function: what it does, its arguments, what it returns and raises."""
    parts = sections(function.__doc__ or "")
    said = entries(parts.get("Args", ""))
    rows = [
        (f"`{p.name}`", kind_of(p.annotation), default_of(p.default), said.get(p.name, ""))
        for p in inspect.signature(function).parameters.values()
    ]
    text = f"### mvlift.{name}\n\n{one_line(parts[''])}\n\n" + table(rows, ("argument", "type", "default", ""))
    for section in ("Returns", "Raises"):
        if section in parts:
            text += f"\n**{section}** {one_line(parts[section])}\n"
    return text


def class_part(kind: type) -> str:
    """A dataclass: what it is, its fields, its public methods."""
    parts = sections(kind.__doc__ or "")
    said = entries(parts.get("Attributes", ""))
    rows = [(f"`{f.name}`", kind_of(f.type), said.get(f.name, "")) for f in dataclasses.fields(kind)]
    text = f"### {kind.__name__}\n\n{one_line(parts[''])}\n\n" + table(rows, ("field", "type", ""))
    methods = [
        (f"`{name}`", one_line(sections(method.__doc__ or "")[""]))
        for name, method in vars(kind).items()
        if not name.startswith("_") and (callable(method) or isinstance(method, property | staticmethod))
    ]
    return text + ("\n" + table(methods, ("method or property", "")) if methods else "")


def api_page() -> str:
    """The Python interface."""
    mvlift = importlib.import_module("mvlift")
    text = NOTE + "# Python reference\n\n"
    text += (
        "What `import mvlift` offers. Importing it is light: heavy packages are loaded by the first lift.\n"
        "`mvlift.__version__` is the version. Names on this page stay as they are within a minor version; a name that\n"
        "is to go is kept for one minor version, warns with `DeprecationWarning`, and is listed in the changelog.\n\n"
        "## Functions\n\n"
    )
    text += "\n".join(function_part(name, getattr(mvlift, name)) for name in FUNCTIONS)
    text += "\n## Objects\n\nAll are frozen dataclasses.\n\n"
    for place in CLASSES:
        module, name = place.split(":")
        text += class_part(getattr(importlib.import_module(module), name)) + "\n"
    errors = importlib.import_module("mvlift.errors")
    rows = [(f"`{n}`", one_line(sections(getattr(errors, n).__doc__)[""])) for n in sorted(errors.__all__)]
    text += (
        "## Errors\n\nEvery error that MVLift raises on purpose is an `MvliftError` with `message` and `remedy`.\n\n"
    )
    return text + table(rows, ("error", ""))


def config_part(kind: type, path: str, seen: list[str]) -> str:
    """A config class and those inside it."""
    parts, hints = sections(kind.__doc__ or ""), typing.get_type_hints(kind)
    said, rows, inner = entries(parts.get("Attributes", "")), [], []
    for f in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[f.name]):
            inner.append((f"{path}{f.name}", hints[f.name]))
            continue
        default = f.default if f.default is not dataclasses.MISSING else None
        if f.default_factory is not dataclasses.MISSING:
            default = f.default_factory()
        rows.append((f"`{path}{f.name}`", kind_of(hints[f.name]), default_of(default), said.get(f.name, "")))
    title = f"`{path.rstrip('.')}`" if path else "The whole run"
    text = f"## {title}\n\n{one_line(parts[''])}\n\n" + table(rows, ("key", "type", "default", "")) + "\n"
    for name, inside in inner:
        same = name.rsplit(".", 1)[-1]
        if same.startswith("train") and inside.__name__ in seen:
            text += f"## `{name}`\n\nThe same keys as `{seen[seen.index(inside.__name__) + 1]}`.\n\n"
            continue
        seen += [inside.__name__, name]
        text += config_part(inside, f"{name}.", seen)
    return text


def config_page() -> str:
    """The keys of a training config."""
    config = importlib.import_module("mvlift_training.config")
    text = NOTE + "# Training configuration\n\n"
    text += "The keys of a YAML file for `mvlift-train ... --config FILE`. An unknown key is an error.\n\n"
    return (text + config_part(config.TrainConfig, "", [])).rstrip("\n") + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "reference-api.md": api_page,
    "reference-config.md": config_page,
    "reference-cli.md": lambda: command_line_page(NOTE),
    "reference-files.md": lambda: files_page(NOTE),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not current")
    check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / "docs" / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"Not current: {', '.join(stale)}. Run python tools/reference.py.")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
