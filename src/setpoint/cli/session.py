"""One command's session: the client it asks, the answer it prints, the end it comes to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from setpoint.cli import rehearsal
from setpoint.cli.ending import REFUSALS, Code, Ended
from setpoint.cli.options import Output
from setpoint.durable.home import default_home

if TYPE_CHECKING:
    from setpoint.server.client import Client, ClientError

Answer = dict[str, Any]


def home_of(home: Path | None) -> Path:
    """The data directory that is meant, absolute."""
    return (home or default_home()).expanduser().absolute()


@contextmanager
def connected(home: Path | None, token: str) -> Iterator[Client]:
    """A client of the engine; whatever it raises becomes an exit status and a sentence."""
    from setpoint.server.client import Client, ClientError  # noqa: PLC0415 - httpx is only loaded by commands that ask

    try:
        with Client.at(home_of(home), token) as client:
            yield client
    except ClientError as error:
        raise ended(error) from error


def ended(error: ClientError) -> Ended:
    """How a refusal or a mistake ends."""
    code = Code.REFUSED if error.code in REFUSALS else Code.ERROR
    return Ended(code, error.message, error.hint, error.details)


def command(home: Path | None, token: str, name: str, payload: Mapping[str, Any]) -> Answer:
    """One command, and its answer. With ``--dry-run`` it ends here, with what would come of it."""
    with connected(home, token) as client:
        return carried_out(client, name, payload)


def carried_out(client: Client, name: str, payload: Mapping[str, Any], *, request: str = "") -> Answer:
    """As ``command``, by a client that is connected."""
    output = rehearsal.rehearsed_as()
    if output is None:
        return client.command(name, payload, request=request)
    answer = client.rehearse(name, payload)

    def table() -> None:
        from setpoint.cli.render.console import say, width  # noqa: PLC0415 - loads rich

        say(*rehearsal.lines(answer, width()))

    show(answer, output, table)
    raise typer.Exit


def query(home: Path | None, token: str, name: str, payload: Mapping[str, Any] | None = None) -> Answer:
    """One query, and its answer."""
    with connected(home, token) as client:
        return client.query(name, payload)


def show(answer: Any, output: Output, table: Callable[[], None]) -> None:
    """Print an answer as asked for."""
    if output is Output.TABLE:
        table()
    elif output is Output.JSON:
        print(json.dumps(answer, indent=2, ensure_ascii=False))  # noqa: T201 - the command line prints
    else:
        print(as_yaml(answer), end="")  # noqa: T201 - the command line prints


def as_yaml(answer: Any) -> str:
    """The answer as YAML."""
    import io  # noqa: PLC0415 - seldom needed

    from ruamel.yaml import YAML  # noqa: PLC0415 - seldom needed, and slow to load

    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(answer, stream)
    return stream.getvalue()
