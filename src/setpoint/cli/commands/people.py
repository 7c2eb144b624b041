"""token, whoami: local people."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import Format, Home, Output, Token
from setpoint.cli.session import command, query, show


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    tokens = typer.Typer(help="Tokens of local people.", no_args_is_help=True, rich_markup_mode=None)
    tokens.command("create")(create)
    tokens.command("list")(list_)
    tokens.command("revoke")(revoke)
    app.add_typer(tokens, name="token")
    app.command()(whoami)


def create(
    user: Annotated[str, typer.Argument(help="Name of the person, such as ann or ops@acme.example.")],
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="A group of the person; may be repeated.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May apply configurations and make tokens.")] = False,
    expires: Annotated[str, typer.Option("--expires", help="Duration until it is worthless, such as 30d.")] = "",
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Make a token for a person; it is printed once, on standard output and nowhere else.

    Example: SETPOINT_TOKEN=$(setpoint token create ann --group release-managers) setpoint approve web@production
    """
    answer = command(home, token, "token-create", {"user": user, "groups": group or [], "admin": admin, "expires": expires})
    show(answer, output, lambda: typer.echo(answer["token"]))


def list_(home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """List the tokens there are, without their secrets."""
    answer = query(home, token, "tokens")

    def table() -> None:
        from setpoint.cli.render.tables import columns  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.words import clock  # noqa: PLC0415 - as above

        rows = [
            [
                one["id"],
                one["user"],
                ", ".join(one["groups"]) or "–",
                "admin" if one["admin"] else "–",
                clock(one["expires"]) or "never",
            ]
            for one in answer["tokens"]
        ]
        columns(["id", "user", "groups", "rights", "expires"], rows)

    show(answer, output, table)


def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help="As `setpoint token list` shows it.")],
    home: Home = None,
    token: Token = "",
    output: Format = Output.TABLE,
) -> None:
    """Make a token worthless at once."""
    answer = command(home, token, "token-revoke", {"id": identity})
    show(answer, output, lambda: typer.echo(f"Token {answer['id']} of {answer['user']} is worthless now."))


def whoami(home: Home = None, token: Token = "", output: Format = Output.TABLE) -> None:
    """Show whom your token stands for, and what that person may do."""
    answer = query(home, token, "whoami")

    def table() -> None:
        groups = f", in {', '.join(answer['groups'])}" if answer["groups"] else ""
        typer.echo(f"{answer['name']}{' (administrator)' if answer['admin'] else ''}{groups}")
        typer.echo(f"may {', '.join(answer['may'])}")

    show(answer, output, table)
