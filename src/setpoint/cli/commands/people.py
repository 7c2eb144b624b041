"""token, whoami, audit: the people who may use this engine, and what they did."""

from __future__ import annotations

import click

from setpoint.cli.output import echo
from setpoint.cli.session import Session, session_options


@click.group()
def token() -> None:
    """Create, list and revoke tokens."""


@token.command()
@click.argument("user", help="Name of the person, such as ann or ops@acme.example.")
@click.option("--group", "-g", multiple=True, help="Group of the person. Repeatable.")
@click.option("--admin", is_flag=True, help="Grant every permission, such as to apply configurations and create tokens.")
@click.option("--expires", default="", help="Lifetime of the token, such as 30d. Default: it does not expire.")
@session_options
def create(user: str, group: tuple[str, ...], admin: bool, expires: str, session: Session) -> None:
    """Create a token for a person, and print it. It is not shown again.

    Example: SETPOINT_TOKEN=$(setpoint token create ann --group release-managers) setpoint approve web@production
    """
    answer = session.command("token-create", {"user": user, "groups": list(group), "admin": admin, "expires": expires})
    session.show(answer, lambda: echo(answer["token"]))


@token.command("list")
@session_options
def list_(session: Session) -> None:
    """List the tokens, without their secrets."""
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


@token.command()
@click.argument("identity", metavar="ID", help="Identifier of the token as in `setpoint token list`.")
@session_options
def revoke(identity: str, session: Session) -> None:
    """Revoke a token immediately."""
    answer = session.command("token-revoke", {"id": identity})
    session.show(answer, lambda: echo(f"Revoked token {answer['id']} of {answer['user']}."))


@click.command()
@session_options
def whoami(session: Session) -> None:
    """Show who you are to the engine, and what you may do."""
    answer = session.query("whoami")

    def table() -> None:
        groups = f", in {', '.join(answer['groups'])}" if answer["groups"] else ""
        echo(f"{answer['name']}{' (administrator)' if answer['admin'] else ''}{groups}")
        echo(f"may {', '.join(answer['may'])}")

    session.show(answer, table)


@click.command()
@click.option(
    "--limit", "-n", type=click.IntRange(min=1, max=1000), default=50, show_default=True, help="Number of entries, the newest."
)
@click.option("--before", type=click.IntRange(min=0), default=0, help="Show entries before this number.")
@session_options
def audit(limit: int, before: int, session: Session) -> None:
    """Show who attempted what, by which token, from where, and the outcome, the newest last.

    Example: setpoint audit --limit 20
    """
    answer = session.query("audit", {"limit": limit, "before": before})

    def table() -> None:
        from setpoint.cli.render.console import print_lines, width  # noqa: PLC0415 - loads rich
        from setpoint.cli.render.stories import audit_line  # noqa: PLC0415 - as above

        print_lines(*(audit_line(entry, width()) for entry in reversed(answer["entries"])))

    session.show(answer, table)
