"""One command's session: the engine it uses, the result it prints, and how it ends."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setpoint.cli.ending import REFUSALS, ExitCode, Quit
from setpoint.cli.options import Output, dry_run_option, home_option, output_option, token_file_option
from setpoint.cli.output import echo_json, echo_yaml
from setpoint.durable.home import HOME_VARIABLE, default_home, unsafe

if TYPE_CHECKING:
    from setpoint.server.client import Client, ClientError

Answer = dict[str, Any]


def home_of(home: Path | None) -> Path:
    """Return the data directory that is meant, absolute. Raises Quit: another user could replace it."""
    place = (home or default_home()).expanduser().absolute()
    if why := unsafe(place):
        raise Quit(
            ExitCode.REFUSED,
            f"The data directory {place} is not safe to use: {why}.",
            f"Name a directory of your own with --home or {HOME_VARIABLE}, or correct the owner and mode: chmod go-w.",
        )
    return place


@dataclass(frozen=True)
class Session:
    """Which engine a command talks to, as whom, and how it prints the result: options of every command that needs an engine."""

    home: Path | None = None
    token_file: Path | None = None
    output: Output = Output.TABLE

    @contextmanager
    def connected(self) -> Iterator[Client]:
        """Yield a client of the engine; whatever it raises becomes an exit code and a sentence."""
        from setpoint.server.client import Client, ClientError  # noqa: PLC0415 - httpx2 is only loaded by commands that ask

        token = _read(self.token_file) if self.token_file else ""
        try:
            with Client.at(home_of(self.home), token) as client:
                yield client
        except ClientError as error:
            raise ended(error) from error

    def query(self, name: str, payload: Mapping[str, Any] | None = None) -> Answer:
        """Return the result of one query."""
        with self.connected() as client:
            return client.query(name, payload)

    def command(self, name: str, payload: Mapping[str, Any]) -> Answer:
        """Carry out one command, and return its result."""
        with self.connected() as client:
            return self.carry_out(client, name, payload)

    def carry_out(self, client: Client, name: str, payload: Mapping[str, Any], *, request: str = "") -> Answer:
        """As ``command``, by a client that is connected."""
        return client.command(name, payload, request=request)

    def show(self, answer: Any, table: Callable[[], None]) -> None:
        """Print a result as ``output`` wants it."""
        show(answer, self.output, table)


@dataclass(frozen=True)
class Acting(Session):
    """The session of a command that changes something: with ``--dry-run`` it ends with what would come of it."""

    dry_run: bool = False

    def carry_out(self, client: Client, name: str, payload: Mapping[str, Any], *, request: str = "") -> Answer:
        """As ``command``, by a client that is connected."""
        if not self.dry_run:
            return super().carry_out(client, name, payload, request=request)
        answer = client.rehearse(name, payload)

        def table() -> None:
            from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
            from setpoint.cli.render.trials import dry_run_lines  # noqa: PLC0415 - as above

            print_lines(*dry_run_lines(answer, width()))

        self.show(answer, table)
        raise click.exceptions.Exit


def session_options(command: Callable[..., None], kind: type[Session] = Session) -> Callable[..., None]:
    """Decorate a command whose parameter ``session`` is made from the options of a session."""

    @home_option
    @token_file_option
    @output_option
    @functools.wraps(command)
    def run(home: Path | None, token_file: Path | None, output: Output, **options: Any) -> None:
        command(**options, session=kind(home, token_file, output))

    return run


def acting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command that changes something: as ``session_options``, with ``--dry-run``."""

    @home_option
    @token_file_option
    @output_option
    @dry_run_option
    @functools.wraps(command)
    def run(home: Path | None, token_file: Path | None, output: Output, *, dry_run: bool, **options: Any) -> None:
        command(**options, session=Acting(home, token_file, output, dry_run))

    return run


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Quit(
            ExitCode.ERROR, f"The token in {path} cannot be read: {why}.", "`setpoint token create NAME > FILE` writes one."
        ) from error


def ended(error: ClientError) -> Quit:
    """How a refusal or an error ends."""
    code = ExitCode.REFUSED if error.code in REFUSALS else ExitCode.ERROR
    return Quit(code, error.message, error.hint, error.details)


def show(answer: Any, output: Output, table: Callable[[], None]) -> None:
    """Print a result in this format."""
    if output is Output.TABLE:
        table()
    elif output is Output.JSON:
        echo_json(answer)
    else:
        echo_yaml(answer)
