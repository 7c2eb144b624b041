"""Write what the code knows: the tables of configuration.md (meanings from meanings.py), commands.md, cli.md, reason.schema.json,
and the diagram of an attempt's stages in design/actors.md.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

import click
from pydantic_core import PydanticUndefined

from setpoint.cli.main import SECTIONS, app
from setpoint.config.documents import KINDS, ChannelFields, Node
from setpoint.config.documents.base import Document, Labelled
from setpoint.config.documents.channel import CadenceBlock
from setpoint.config.documents.gates import Gated
from setpoint.config.syntax import values
from setpoint.control.documentation import commands_page
from setpoint.control.views.reasons import ReasonView
from setpoint.core.instance.transitions import TRANSITIONS, Stage
from setpoint.model.time import format_duration

sys.path.insert(0, str(Path(__file__).parent))
from meanings import KIND_ORDER, MEANINGS

PAGE = Path(__file__).parent / "configuration.md"
COMMANDS = PAGE.with_name("commands.md")
CLI = PAGE.with_name("cli.md")
REASON = PAGE.with_name("reason.schema.json")
ACTORS = PAGE.parent / "design" / "actors.md"
MARK = re.compile(r"(?<=<!-- generated: begin -->\n).*?(?=<!-- generated: end -->)", re.DOTALL)
CLI_HEAD = """# Every command

You look up an option: this page has the `--help` of every command. [The command line](command-line.md) has the commands of a day.

Every option has an environment variable, named after the command and the option: `SETPOINT_RELEASE_TIMEOUT=1h` stands for
`setpoint release --timeout 1h`.
"""
WORDS = {
    "read_duration": "duration",
    "read_template": "text †",
    "read_text": "text",
    "read_prose": "text",
    "read_name": "name",
    "read_integer": "number",
    "_read_number": "number †",
    "read_boolean": "`true` or `false`",
    "read_amount": "amount",
    "read_selector": "selector",
    "read_zone": "time zone",
    "read_pattern": "pattern",
    "read_principal": "principal",
    "read_url": "URL",
    "_read_http_url": "URL †",
    "read_label": "text",
    "read_any": "any value †",
    "read_constant": "any value",
    "_read_header": "text † or secret",
    "_read_traffic": "percentage",
    "_read_source_pattern": "pattern †",
    "_read_pointer": "JSON pointer",
    "read_command": "list of text †",
    "_read_user": "name of a Unix user",
    "_read_network": "IP address or network",
    "_read_path": "path",
    "_read_need": "`all`, `any` or amount",
    "_read_size": "amount or `rest`",
    "_read_share": "amount",
    "_read_concurrent": "amount",
    "_read_failures": "amount",
    "read_range": "range of versions",
    "_read_version_range": "range of versions †",
    "_read_status": "statuses",
    "_read_label_key": "text",
    "_read_env_name": "text",
    "_read_env_value": "text † or secret",
    "_read_fragment": "fields of a Service",
    "_read_fields": "`name` and fields of a Channel",
    "_read_override": "`select` and fields of a Channel",
    "read_days": "days",
    "read_hours": "hours",
    "read_moment": "date or instant",
    "read_date": "date",
    "read_length": "duration",
    "read_rule": "RFC 5545 rule",
}
"""What a reader of values takes, in words of section 2 of the page."""


def page(text: str) -> str:
    """The page with its tables made anew."""
    return MARK.sub(lambda _: tables(), text)


def tables() -> str:
    """All kinds, each followed by the maps that only it uses."""
    told: set[type[Node]] = {ChannelFields, CadenceBlock}  # a Channel in place, and a Window
    parts = []
    for title, model in [("Every kind", Document), ("Gates", Gated), *((name, KINDS[name]) for name in KIND_ORDER)]:
        parts.append(_section(title, model, 3, told))
    return "\n" + "\n".join(parts)


def _section(title: str, model: type[Node], depth: int, told: set[type[Node]]) -> str:
    told.add(model)
    rows = [_row(model, name) for name in model.model_fields if not _shared(model, name)]
    above = MEANINGS[model.__name__][""]
    lines = [f"{'#' * depth} {title}", "", *([above, ""] if above else [])]
    lines += ["| field | type | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    if model.LATER:
        lines += [f"Later: {', '.join(f'`{key}`' for key in model.LATER)}.", ""]
    lines += [_section(_title(inner), inner, depth + 1, told) for inner in _inner(model) if inner not in told]
    return "\n".join(lines)


def _shared(model: type[Node], name: str) -> bool:
    """The fields of every kind and the gate fields are told once."""
    if model in (Document, Gated):
        return False
    apart = {"api_version", "kind"} if issubclass(model, Labelled) else set()
    return name in apart or any(issubclass(model, one) and name in one.model_fields for one in (Labelled, Gated))


def _title(model: type[Node]) -> str:
    return MEANINGS[model.__name__].get("title", model.title())


def _inner(model: type[Node]) -> list[type[Node]]:
    found: list[type[Node]] = []
    for name, field in model.model_fields.items():
        if not _shared(model, name):
            found += [one for one in _nodes(field.annotation) if one not in found]
    return found


def _nodes(annotation: Any) -> list[type[Node]]:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return [annotation] if issubclass(annotation, Node) else []
    return [node for part in typing.get_args(annotation) for node in _nodes(part)]


def _written(model: type[Node], name: str) -> str:
    return model.model_fields[name].alias or name


def _row(model: type[Node], name: str) -> str:
    field = model.model_fields[name]
    written = _written(model, name)
    meaning = MEANINGS[model.__name__].get(written) or _inherited(model, written)
    kind = _words(field.annotation, field.metadata)
    return f"| `{written}` | {kind} | {_default(field, kind)} | {meaning} |"


def _inherited(model: type[Node], written: str) -> str:
    for base in model.__mro__[1:]:
        if meaning := MEANINGS.get(base.__name__, {}).get(written):
            return meaning
    raise KeyError(f"docs/meanings.py does not say what {model.__name__}.{written} means")


def _words(annotation: Any, metadata: typing.Iterable[Any] = ()) -> str:
    metadata = list(metadata)
    reader = next((one for one in metadata if isinstance(one, values.Reads)), None)
    if reader is not None:
        return _reader_words(reader)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _words(arguments[0], [*arguments[1:], *metadata])
    if origin in {typing.Union, types.UnionType}:
        return _words(next(one for one in arguments if one is not type(None)), metadata)
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"map {_words(arguments[0])} → {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Node):
        title = _title(annotation)
        return f"[{title}](#{title.lower().replace(' ', '-')})"
    raise TypeError(f"docs/generate.py has no words for {annotation}")


def _reader_words(reader: values.Reads) -> str:
    if "enum" in reader.schema:
        return " \\| ".join(f"`{word}`" for word in reader.schema["enum"])
    if reader.read.__name__ in WORDS:
        return WORDS[reader.read.__name__]
    # A reader made from another, which also lets a release say the value.
    inner = inspect.getclosurevars(reader.read).nonlocals["read"]
    return f"{WORDS[inner.__name__]} †"


def _default(field: Any, kind: str) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is PydanticUndefined or value is None or value in ((), "", (0, 0)) or isinstance(value, Node):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_duration(value) if kind == "duration" and value else str(value)


def actors_page() -> str:
    """The page with its diagram drawn anew."""
    steps = [f"    {before.name} --> {after.name}" for before, found in TRANSITIONS.items() for after in sorted(found)]
    ends = [f"    {end.name} --> [*]" for end in Stage if end not in TRANSITIONS]
    drawn = "\n".join(("```mermaid", "stateDiagram-v2", "    [*] --> NEW", *steps, *ends, "```", ""))
    return MARK.sub(lambda _: drawn, ACTORS.read_text("utf-8"))


def reason_schema() -> str:
    """The schema of ``Reason`` on the wire. UI, notifications and metrics build on it: a change of it is a change of the API."""
    return json.dumps(ReasonView.model_json_schema(), indent=2) + "\n"


def cli_page() -> str:
    """Return the page with the ``--help`` of every command, by section."""
    parts = [CLI_HEAD]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in names:
            command = app.get_command(click.Context(app), name)
            assert command is not None, name
            parts += [f"### `{words}`\n\n```text\n{text}\n```\n" for words, text in _helps(command, f"setpoint {name}")]
    return "\n".join(parts)


def _helps(command: click.Command, words: str) -> typing.Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=words, terminal_width=80)
    yield words, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _helps(one, f"{words} {name}")


def main() -> None:
    """Write the pages, or say with ``--check`` which are stale."""
    for path, text in (
        (PAGE, page(PAGE.read_text("utf-8"))),
        (COMMANDS, commands_page()),
        (CLI, cli_page()),
        (REASON, reason_schema()),
        (ACTORS, actors_page()),
    ):
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if "--check" in sys.argv:
            sys.exit(f"{path.name} does not say what the code says: run `make docs`")
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
