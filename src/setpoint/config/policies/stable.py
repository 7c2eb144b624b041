"""``release-channel-stable`` and ``service-stable``: entries of ``after`` in other words, on any node that has gates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from setpoint.config.catalog import Catalog
from setpoint.config.documents.channel import After
from setpoint.config.documents.gates import ProtectionEntry
from setpoint.config.documents.service import ServiceAfter
from setpoint.config.policies.builtins import ORDERINGS
from setpoint.config.policies.checks import CheckCompiler
from setpoint.config.problems import Problems
from setpoint.config.syntax.yaml import place_of
from setpoint.model.similar import suggest

Entry = TypeVar("Entry", bound=BaseModel)


@dataclass(frozen=True)
class Stable:
    """Turns entries of ``protections`` into entries of ``after``.

    What an entry lacks, and names in its own ``with`` that lead nowhere, are reported with the references; everything else here.
    """

    catalog: Catalog
    checks: CheckCompiler
    problems: Problems

    def after_channels(self, entry: ProtectionEntry, known: Iterable[str]) -> After | None:
        """What ``release-channel-stable`` stands for; ``known`` are the names of channels and groups."""
        return self._after(entry, After, "channel", ("soak", "need", "allowEmpty"), known)

    def after_services(self, entry: ProtectionEntry, known: Iterable[str]) -> ServiceAfter | None:
        """What ``service-stable`` stands for; ``known`` are the names of the application's services."""
        return self._after(entry, ServiceAfter, "service", ("version",), known)

    def _after(
        self, entry: ProtectionEntry, model: type[Entry], what: str, fields: tuple[str, ...], known: Iterable[str]
    ) -> Entry | None:
        arguments, several = self.checks.arguments(entry), f"{what}s"
        named = arguments.get(several, arguments.get(what))
        if named is None:
            if entry.use not in ORDERINGS:
                self._add("bad-argument", entry, f'"{entry.use}" does not name its {what}.', f"Add `{what}` to its `with`.")
            return None
        written = {key: arguments[key] for key in fields if key in arguments}
        written = {key: str(value).lower() if isinstance(value, bool) else value for key, value in written.items()}
        after = self._valid(entry, model, {**written, several: named, "name": entry.name or entry.use})
        unknown = [name for name in getattr(after, several, None) or () if name not in known]
        if unknown and self.catalog.complete and entry.use not in ORDERINGS:
            message = f'"{entry.use}" names "{unknown[0]}", which is not a known {what} here.'
            self._add("unknown-reference", entry, message, suggest(unknown[0], known))
        return None if after is None or unknown else after.model_copy(update={"override": entry.override})

    def _valid(self, entry: ProtectionEntry, model: type[Entry], fields: dict[str, Any]) -> Entry | None:
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                context = detail.get("ctx", {})
                field = f"`{detail['loc'][0]}`: " if detail["loc"] else ""
                hint = context.get("hint", "Write it as in `after`.")
                at = fields.get(str(detail["loc"][0])) if detail["loc"] else None
                self._add(detail["type"], entry, f"{field}{context.get('message', 'cannot be read.')}", hint, at)
            return None

    def _add(self, code: str, entry: ProtectionEntry, message: str, hint: str, at: Any = None) -> None:
        """``at``: the value that is wrong, if it is one."""
        place = getattr(at, "position", None) or place_of(entry.use)
        self.problems.add(code, place, self.catalog.where_at(place), message, hint)
