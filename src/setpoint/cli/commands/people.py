"""token, whoami: local people."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.options import grouped
from setpoint.cli.output import echo
from setpoint.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    tokens = typer.Typer(help="Tokens of local people.", no_args_is_help=True, rich_markup_mode=None)
    tokens.command("create")(grouped(create))
    tokens.command("list")(grouped(list_))
    tokens.command("revoke")(grouped(revoke))
    app.add_typer(tokens, name="token")
    app.command()(grouped(whoami))


def create(
    user: Annotated[str, typer.Argument(help="Name of the person, such as ann or ops@acme.example.")],
    group: Annotated[list[str] | None, typer.Option("--group", "-g", help="A group of the person; may be repeated.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May apply configurations and make tokens.")] = False,
    expires: Annotated[str, typer.Option("--expires", help="Duration until it is worthless, such as 30d.")] = "",
    *,
    session: Session,
) -> None:
    """Make a token for a person; it is printed once, on standard output and nowhere else.

    Example: SETPOINT_TOKEN=$(setpoint token create ann --group release-managers) setpoint approve web@production
    """
    answer = session.command("token-create", {"user": user, "groups": group or [], "admin": admin, "expires": expires})
    session.show(answer, lambda: echo(answer["token"]))


def list_(*, session: Session) -> None:
    """List the tokens there are, without their secrets."""
    answer = session.query("tokens")

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

    session.show(answer, table)


def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help="As `setpoint token list` shows it.")],
    *,
    session: Session,
) -> None:
    """Make a token worthless at once."""
    answer = session.command("token-revoke", {"id": identity})
    session.show(answer, lambda: echo(f"Token {answer['id']} of {answer['user']} is worthless now."))


def whoami(*, session: Session) -> None:
    """Show whom your token stands for, and what that person may do."""
    answer = session.query("whoami")

    def table() -> None:
        groups = f", in {', '.join(answer['groups'])}" if answer["groups"] else ""
        echo(f"{answer['name']}{' (administrator)' if answer['admin'] else ''}{groups}")
        echo(f"may {', '.join(answer['may'])}")

    session.show(answer, table)
