"""What can be wrong with a command or query: a code for programs, a sentence for people, and what to do next."""

# ruff: noqa: N818 - each is named for its cause as a person sees it; "Error" behind each would add nothing

from __future__ import annotations


class ControlError(Exception):
    """The command was not carried out. ``message``: what is wrong; ``hint``: what to do about it."""

    code = "error"
    status = 400
    """As an HTTP status."""

    def __init__(self, message: str, hint: str = "", *, details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or []
        """Return further sentences, such as every error of a configuration."""


class Malformed(ControlError):
    """The request is not what the command takes."""

    code = "malformed"
    status = 422


class Unreadable(Malformed):
    """The request holds what no command takes."""

    status = 400


class Invalid(ControlError):
    """The configuration cannot be used."""

    code = "invalid-configuration"
    status = 422


class Unauthenticated(ControlError):
    """The token belongs to no person."""

    code = "unauthenticated"
    status = 401


class Forbidden(ControlError):
    """This person may not do this."""

    code = "forbidden"
    status = 403


class NotFound(ControlError):
    """The application, service, channel, release … does not exist."""

    code = "not-found"
    status = 404


class Refused(ControlError):
    """It cannot be done as things are."""

    code = "refused"
    status = 409


class Decided(Refused):
    """A decision was made already; the message contains it (§10.10)."""

    code = "decided"


class InFlight(Refused):
    """The first request with this key has not ended."""

    code = "in-flight"


class KeyReused(ControlError):
    """The key was used for something else."""

    code = "key-reused"
    status = 422


class TooExpensive(ControlError):
    """Compiling the configuration takes more time or memory than one request may."""

    code = "too-expensive"
    status = 422


class Busy(ControlError):
    """So many requests of this sort wait that this one is not taken."""

    code = "busy"
    status = 429


class Unavailable(ControlError):
    """The engine cannot take it now."""

    code = "unavailable"
    status = 503


__all__ = [
    "Busy",
    "ControlError",
    "Decided",
    "Forbidden",
    "InFlight",
    "Invalid",
    "KeyReused",
    "Malformed",
    "NotFound",
    "Refused",
    "TooExpensive",
    "Unauthenticated",
    "Unavailable",
    "Unreadable",
]
