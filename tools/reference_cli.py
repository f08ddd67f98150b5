"""The command-line page of the reference: every command and option, read from the dataclasses that the commands parse.

The classes are read as source text, so that Blender's commands are listed without Blender.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
MAIN: Final = "core/mvlift/cli.py"
TRAIN: Final = "training/mvlift_training"
COMMANDS: Final = {
    "mvlift": [
        ("mvlift lift", MAIN, "Lift"),
        ("mvlift detect", MAIN, "Detect"),
        ("mvlift inspect", MAIN, "Inspect"),
        ("mvlift convert", MAIN, "Convert"),
        ("mvlift models", MAIN, "Models"),
        ("mvlift retarget", "mvlift_blender/commands/retarget.py", "Retarget"),
    ],
    "Inside Blender": [
        ("blender --background --command mvlift lift", "mvlift_blender/commands/headless.py", "LiftInScene"),
        ("blender --background --command mvlift write", "mvlift_blender/commands/headless.py", "Write"),
    ],
    "mvlift-train": [
        ("mvlift-train prepare", f"{TRAIN}/cli.py", "Prepare"),
        ("mvlift-train combine", f"{TRAIN}/cli.py", "Combine"),
        ("mvlift-train stage1, stage2, stage3, stage4", f"{TRAIN}/cli.py", "Stage"),
        ("mvlift-train all", f"{TRAIN}/cli.py", "Run"),
        ("mvlift-train export", f"{TRAIN}/cli.py", "Export"),
        ("mvlift-train evaluate", f"{TRAIN}/evaluation/cli.py", "EvaluateOptions"),
        ("mvlift-train convert-results", f"{TRAIN}/evaluation/converters.py", "ConvertOptions"),
        ("mvlift-train fid", f"{TRAIN}/evaluation/fid.py", "FidConfig"),
        ("mvlift-train prior", f"{TRAIN}/prior.py", "PriorConfig"),
        ("mvlift-train elepose", f"{TRAIN}/elepose.py", "EleposeConfig"),
        ("mvlift-train animals", f"{TRAIN}/animals/footage.py", "AnimalOptions"),
        ("mvlift-train objects", f"{TRAIN}/interaction/build.py", "_Command"),
    ],
}
"""Program -> (command, file, dataclass)."""
ATTRIBUTE: Final = re.compile(r"^ +(?P<names>\w[\w, ]*): (?P<text>.*(?:\n {10,}.*)*)", re.M)


@dataclass(frozen=True)
class Option:
    """One argument of a command.

    Attributes:
        spelling: as it is typed, such as ``--frames``, ``-o``, or INPUTS for a positional argument.
        kind: what it takes.
        default: as it is written, "" when it has none.
        text: its help.
    """

    spelling: str
    kind: str
    default: str
    text: str


def _class(path: str, name: str) -> ast.ClassDef | None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return next((n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name), None)


def _imported(path: str, name: str) -> str:
    """The file that a module takes a class from, the file itself when it defines it."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and any(a.name == name for a in node.names):
            module = str(node.module).replace(".", "/") + ".py"
            return next(str(p) for p in (f"core/{module}", f"training/{module}") if (ROOT / p).is_file())
    return path


def _evaluated(path: str, node: ast.expr) -> Any:
    """A default's value; its source text where the module needs Blender."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "field":
        inner = {k.arg: k.value for k in node.keywords}
        if "default_factory" in inner:
            node = ast.Call(inner["default_factory"], [], [])
        else:
            node = inner["default"]
    try:
        return ast.literal_eval(node)
    except ValueError:
        module = re.sub(r"^(core|training)/|\.py$", "", path).replace("/", ".")
        names = {} if path.startswith("mvlift_blender") else vars(importlib.import_module(module))
        return eval(compile(ast.Expression(ast.fix_missing_locations(node)), path, "eval"), {**names})


def _default(value: Any) -> str:
    if value is True:
        return "on"
    if value is None or value == "" or value in ([], (), {}):
        return ""
    if isinstance(value, Path):
        value = value.relative_to(ROOT) if value.is_absolute() else value
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"`{text}`"


def _kind(annotation: str, default: Any) -> str:
    """What an option takes: a metavar, choices, or the type."""
    if metavar := re.search(r"metavar='([^']+)'", annotation):
        return f"`{metavar[1]}`"
    text = re.sub(r"^Annotated\[(.*), tyro\.conf\.arg\(.*$", r"\1", annotation)
    text = re.sub(r"^tyro\.conf\.(?:Positional|UseAppendAction)\[(.*)\]$", r"\1", text).removesuffix(" | None")
    text = text.replace("str | Subject", "str")
    if choices := re.search(r"Literal\[([^\]]*)\]", text):
        named = [c for c in ast.literal_eval(f"[{choices[1]}]") if c]
        return ", ".join(f"`{c}`" for c in named) + (" ..." if "..." in text else "")
    if text == "bool":
        return "on or off" if default else "flag"
    several = re.match(r"(?:list|tuple)\[(\w+)(?:, (\.\.\.|\w+(?:, \w+)*))?\]$", text)
    plain = {"str": "text", "Path": "path", "int": "integer", "float": "number"}
    if several is None:
        return "`NAME:VALUE` ..." if text.startswith("dict") else plain.get(text, f"`{text}`")
    count = len((several[2] or "").split(",")) + 1 if several[2] not in (None, "...") else 0
    return f"{count} {plain[several[1]]}s" if count else f"{plain[several[1]]} ..."


def _documented(body: ast.ClassDef) -> Iterator[tuple[ast.AnnAssign, str]]:
    """Fields with their help: the string below a field, or its entry under Attributes."""
    listed = {}
    for match in ATTRIBUTE.finditer((ast.get_docstring(body, clean=False) or "").partition("Attributes:")[2]):
        for name in match["names"].split(","):
            listed[name.strip()] = " ".join(match["text"].split())
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            below = after.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
            yield node, str(below.value) if below is not None else listed.get(node.target.id, "")


def _resolved(path: str, annotation: str) -> str:
    """An annotation that is the name of a type of the module, as that type."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == annotation:
            return ast.unparse(node.value)
    return annotation


def options(path: str, name: str) -> Iterator[Option]:
    """The arguments of a command's dataclass, those of its bases and of groups inside it included."""
    path = _imported(path, name)
    body = _class(path, name)
    if body is None:
        raise KeyError(f"{path} has no class {name}")
    for base in body.bases:
        if ast.unparse(base) == "_LiftArguments":
            yield from _lift_options()
        else:
            yield from options(path, ast.unparse(base))
    for node, text in _documented(body):
        annotation = _resolved(path, ast.unparse(node.annotation))
        if inner := re.search(r"OmitArgPrefixes\[(\w+)\]", annotation):
            yield from options(path, inner[1])
            continue
        yield _option(path, node, annotation, text)


def _option(path: str, node: ast.AnnAssign, annotation: str, text: str) -> Option:
    name = ast.unparse(node.target)
    value = None if node.value is None else _evaluated(path, node.value)
    aliases = re.search(r"aliases=\['([^']+)'\]", annotation)
    dashed = "--" + name.replace("_", "-")
    spelling = name.upper() if "Positional" in annotation else dashed + (f", {aliases[1]}" if aliases else "")
    if annotation == "bool" and value:
        spelling = f"{dashed}, --no-{dashed[2:]}"
    required = node.value is None and "Positional" not in annotation
    default = "required" if required else "" if value is False else _default(value)
    text = " ".join(text.replace("``", "`").split())
    return Option(spelling, _kind(annotation, value), default, text[:1].upper() + text[1:])


def _lift_options() -> Iterator[Option]:
    """Options that the command line makes of `LiftOptions`."""
    cli = importlib.import_module("mvlift.cli")
    tree = ast.parse(inspect.getsource(importlib.import_module("mvlift.lifting.options")))
    body = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "LiftOptions")
    texts = importlib.import_module("mvlift.lifting.options").option_help()
    for node in body.body:
        if not isinstance(node, ast.AnnAssign) or ast.unparse(node.target) in cli._SPELT_OTHERWISE:
            continue
        name = ast.unparse(node.target)
        option = _option("core/mvlift/lifting/options.py", node, ast.unparse(node.annotation), texts[name])
        metavar = cli._METAVAR.get(name)
        yield option if metavar is None else Option(option.spelling, f"`{metavar}`", option.default, option.text)


def command_line_page(note: str) -> str:
    """The page's text; ``note`` stands above its title."""
    text = note + "# Command-line reference\n\n"
    text += (
        "Every command and option, as `--help` shows them. The guides explain when to use them:\n"
        "[the command line](cli.md), [retargeting](retargeting.md), [training](training.md). Words in capitals are\n"
        "positional arguments. `...` stands for several values, separated by spaces.\n\n"
    )
    for program, commands in COMMANDS.items():
        text += f"## {program}\n\n"
        for command, path, name in commands:
            body = _class(_imported(path, name), name)
            assert body is not None
            about = (ast.get_docstring(body) or "").split("\n\n")[0]
            text += f"### `{command}`\n\n{' '.join(about.split())}\n\n"
            listed = list(options(path, name))
            if name == "LiftInScene":
                text += "All options of `mvlift lift`, and:\n\n"
                listed = [o for o in listed if o not in list(options(MAIN, "Lift"))]
            rows = [
                f"| `{o.spelling}` | {o.kind} | {o.default} | {o.text.replace('|', chr(92) + '|')} |" for o in listed
            ]
            if rows:
                text += "\n".join(["| argument | takes | default | |", "|---|---|---|---|", *rows]) + "\n\n"
    return text.rstrip("\n") + "\n"
