"""Whom the configuration lets approve or skip, in words."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from setpoint.control.act import Act
from setpoint.model.people import Person


def matches(person: Person, principals: Sequence[str] | None) -> bool:
    """Whether somebody is among those named; None: everybody who has the right at all."""
    return principals is None or any(person.matches(principal) for principal in principals)


def who_may(act: Act, principals: Iterable[Sequence[str] | None], *, without: Container[str] = ()) -> str:
    """A hint that names the others with a token who are among those named, such as ``Ask ann or bob.``"""
    wanted = list(principals)
    names = [name for name in with_token(act, wanted, without=without) if name != act.person.name]
    if names:
        return f"Ask {' or '.join(names)}."
    groups = sorted({one for among in wanted for one in among or ()})
    return f"No one with a token is {listing(groups)}: an administrator makes one with `setpoint token create`."


def with_token(act: Act, principals: Iterable[Sequence[str] | None], *, without: Container[str] = ()) -> list[str]:
    """Names of people with a token who are among all of those named, but for some."""
    wanted = list(principals)
    valid = [token for token in act.control.people.known() if not token.expires or token.expires > act.now]
    return sorted({token.user for token in valid if token.user not in without and _among_all(token.person, wanted)})


def _among_all(person: Person, wanted: Iterable[Sequence[str] | None]) -> bool:
    return all(matches(person, principals) for principals in wanted)


def listing(principals: Sequence[str]) -> str:
    """``group:leads or user:ann``; of none: ``nobody``."""
    return " or ".join(principals) or "nobody"
