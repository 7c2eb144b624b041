"""What people write to name things: ``web@production``, ``saas/web@production``, ``production``, ``saas/production``.

The name of a group stands for all of its channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.errors import NotFound
from setpoint.model.names import channel_of, short_name
from setpoint.model.similar import suggest


def suggestion(word: str, known: Iterable[str], what: str) -> str:
    """``Did you mean …?``, or what there is."""
    return suggest(word, known, none=f"There is no {what} yet: apply a configuration with `setpoint apply DIRECTORY`.")


def application(configuration: CompiledConfiguration, name: str, *, having: str = "") -> str:
    """The application of this name; of an empty name the only one, or the only one with a service called ``having``.

    Raises:
        NotFound: there is none, or several.
    """
    known = configuration.applications
    if name:
        if name not in known:
            raise NotFound(f'Application "{name}" does not exist.', suggestion(name, known, "application"))
        return name
    fitting = [one for one in known if having in configuration.services(one)] if having else known
    candidates = fitting or known
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise NotFound("No application is configured yet.", "Apply a configuration with `setpoint apply DIRECTORY`.")
    raise NotFound(f"There are several applications: {', '.join(candidates)}.", "Choose one with --app.")


def service(configuration: CompiledConfiguration, owner: str, name: str) -> str:
    """Raises NotFound."""
    known = configuration.services(owner)
    if name not in known:
        raise NotFound(f'Application "{owner}" has no service "{name}".', suggestion(name, known, "service"))
    return name


def channels(configuration: CompiledConfiguration, owner: str, name: str) -> list[str]:
    """The channel of this name, or all channels of the group of this name.

    Raises:
        NotFound: there is neither.
    """
    known = places(configuration, owner)
    if name not in known:
        raise NotFound(f'Application "{owner}" has no channel or group "{name}".', suggestion(name, known, "channel"))
    return list(known[name])


def places(configuration: CompiledConfiguration, owner: str) -> dict[str, tuple[str, ...]]:
    """Channels and groups of an application, each with the channels that it stands for."""
    return {one.name: (one.name,) for one in configuration.channels(owner)} | configuration.members(owner)


def instance(configuration: CompiledConfiguration, text: str) -> str:
    """``application/service@channel`` of ``web@production`` or the long form.

    Raises:
        NotFound: naming the nearest.
    """
    found = instances(configuration, text)
    if "@" not in text or len(found) != 1:
        raise NotFound(f'"{text}" does not name one instance.', f"Write service@channel, such as {short_name(found[0])}.")
    return found[0]


def instances(configuration: CompiledConfiguration, text: str) -> list[str]:
    """Everything that a target means: one instance, or those of a channel or group.

    Raises:
        NotFound: naming the nearest.
    """
    head, at, place = text.rpartition("@")
    return _one(configuration, text, head, place) if at and head else _of_channel(configuration, place or text)


def _one(configuration: CompiledConfiguration, text: str, head: str, place: str) -> list[str]:
    owner, _, name = head.rpartition("/")
    long = [one for one in configuration.all_instances if one == text or (not owner and one.endswith(f"/{name}@{place}"))]
    if len(long) == 1:
        return long
    if len(long) > 1:
        raise NotFound(f'"{text}" is in several applications.', f"Write one of: {', '.join(long)}.")
    raise NotFound(
        f'Instance "{text}" does not exist.', suggestion(text, _spellings(configuration.all_instances, owner), "instance")
    )


def _spellings(known: Sequence[str], owner: str) -> list[str]:
    return list(known) if owner else [short_name(one) for one in known]


def _of_channel(configuration: CompiledConfiguration, text: str) -> list[str]:
    owner, _, name = text.rpartition("/")
    owners = [application(configuration, owner)] if owner else configuration.applications
    known = {one: places(configuration, one) for one in owners}
    having = [one for one in owners if name in known[one]]
    if len(having) > 1:
        raise NotFound(
            f'"{text}" is a channel of several applications.', f"Write one of: {', '.join(f'{one}/{name}' for one in having)}."
        )
    if not having:
        every = [place for below in known.values() for place in below]
        raise NotFound(f'No channel or group is called "{name}".', suggestion(name, every, "channel"))
    wanted = set(known[having[0]][name])
    found = [one for one in configuration.instances(having[0]) if channel_of(one) in wanted]
    if not found:
        raise NotFound(f'Channel "{name}" has no service.', "Write service@channel.")
    return found
