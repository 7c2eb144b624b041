"""Orders that stand: their end and their link, and what became of one that stood already."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from setpoint.cli.ending import ExitCode, Quit
from setpoint.cli.options import for_option, link_option, until_option
from setpoint.model.names import short_name


@dataclass(frozen=True)
class Ending:
    """When an order ends, and a link to why it was given."""

    until: str = ""
    lasts: str = ""
    link: str = ""

    def fields(self) -> dict[str, str]:
        """Return what a request has of it. A date or a time without an offset is of this machine's time zone."""
        return {"until": _moment(self.until) if self.until else "", "for": self.lasts, "link": self.link}


def ending_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command whose parameter ``ending`` is made from ``--until``, ``--for`` and ``--link``."""

    @until_option
    @for_option
    @link_option
    @functools.wraps(command)
    def run(until: str, lasts: str, link: str, **options: Any) -> None:
        command(**options, ending=Ending(until, lasts, link))

    return run


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Quit(
            ExitCode.ERROR,
            f'--until: "{text}" is not a valid date or time.',
            "Write a date such as 2026-12-24, or a time such as 2026-12-24T18:00.",
        ) from None
    return (moment if moment.tzinfo else moment.astimezone()).isoformat(timespec="seconds")


def until_words(until: int) -> str:
    """`` until 2026-12-24 18:00:00 CET``; empty without an end."""
    from setpoint.cli.render.words import clock_with_zone  # noqa: PLC0415 - only where there is an end

    return f" until {clock_with_zone(until)}" if until else ""


def done(answer: dict[str, Any], verb: str) -> list[str]:
    """What to print of an order: where it was given, and where it stood already."""
    unchanged = answer["unchanged"]
    changed = [one for one in answer["instances"] if one not in unchanged]
    found = [f"{verb} {_places(changed)}{until_words(answer['until'])}."] if changed else []
    return [*found, *([f"Nothing to change at {_places(unchanged)}: it stands already."] if unchanged else [])]


def _places(instances: list[str]) -> str:
    return ", ".join(short_name(one) for one in instances)
