"""`--dry-run` on everything that a person does: what would come of it, shown instead of done."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.options import Output

if TYPE_CHECKING:
    from rich.text import Text

DryRun = Annotated[bool, typer.Option("--dry-run", help="Do nothing; show what would come of it at once.")]
_output: ContextVar[Output | None] = ContextVar("dry run", default=None)


def rehearsed_as() -> Output | None:
    """How a dry run is to be printed; None: the command is to be carried out."""
    return _output.get()


def acting(function: Callable[..., None]) -> Callable[..., None]:
    """The same command, with ``--dry-run``."""
    signature = inspect.signature(function, eval_str=True)
    option = inspect.Parameter("dry_run", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DryRun)

    @functools.wraps(function)
    def run(*args: Any, dry_run: bool = False, **options: Any) -> None:
        token = _output.set(options.get("output", Output.TABLE) if dry_run else None)
        try:
            function(*args, **options)
        finally:
            _output.reset(token)

    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()} | {"dry_run": DryRun}
    return run


def lines(answer: dict[str, Any], columns: int) -> Iterator[Text]:
    """The consequences, entity by entity."""
    from rich.text import Text  # noqa: PLC0415 - seldom needed, and slow to load

    from setpoint.cli.render.console import wrapped  # noqa: PLC0415 - as above

    consequences = answer["consequences"]
    yield Text(
        "Nothing was done. It would lead to:" if consequences else "Nothing was done, and nothing would come of it.", "bold"
    )
    entity = ""
    for one in consequences:
        if one["entity"] != entity:
            entity = one["entity"]
            yield Text(f"  {_short(entity)}", "bold")
        mark, style = _MARKS[one["kind"]]
        yield wrapped(one["text"], first=Text(f"    {mark} ", style), columns=columns)
    if not answer["complete"]:
        yield Text("  … and more than is told here.")


_MARKS = {"decides": ("·", ""), "starts": ("▶", "blue"), "waits": ("⧗", "dim")}


def _short(entity: str) -> str:
    kind, _, key = entity.partition(":")
    return key.partition("/")[2] if kind == "instance" else f"{kind} {key}"
