"""Names that documents name each other by: one that leads nowhere is reported with what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from setpoint.config.catalog import Catalog
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.yaml import place_of
from setpoint.model.similar import suggest


class Naming:
    """What checks across documents have in common: where an error is, and whether a name is known."""

    def __init__(self, catalog: Catalog, problems: Problems) -> None:
        self._catalog, self._problems = catalog, problems

    def add(self, code: str, node: Any, label: str, message: str, hint: str) -> None:
        """Add an error at a node; ``label`` names its document, where the place does not."""
        place = node if isinstance(node, Position) else place_of(node)
        self._problems.add(code, place, self._catalog.where_at(place) or label, message, hint)

    def known(
        self, name: str, known: Iterable[str], what: str, label: str, field: str, *, of: str = "", code: str = "unknown-reference"
    ) -> bool:
        """Reports a name that leads nowhere, unless it may stand in a file that could not be read."""
        names = known if isinstance(known, Mapping | set) else list(known)
        if name in names or not self._catalog.complete:
            return name in names
        owner = f" of {of}" if of else ""
        otherwise = (
            "" if names else f"There is no {what} yet: add a document of kind {what.split(' ', maxsplit=1)[0].capitalize()}."
        )
        elsewhere = [application for application in self._catalog.below if of and name in self._elsewhere(application, what)]
        message = f'`{field}` names "{name}", which is not a known {what}{owner}.'
        hint = suggest(name, names, otherwise=otherwise)
        if elsewhere:
            hint = f'It is a {what} of application "{elsewhere[0]}": `{field}` names those of one application only.'
        self.add(code, name, label, message, hint)
        return False

    def _elsewhere(self, application: str, what: str) -> Iterable[str]:
        """The names of this sort in an application."""
        return self._catalog.services(application) if what == "service" else self._catalog.places(application)

    def builtin(self, name: str, known: Iterable[str], label: str, field: str) -> bool:
        """Of a protection, the organization's or a built-in one."""
        if name in known:
            return True
        return self.known(
            name, known, "protection" if field == "use" else "built-in protection", label, field, code="unknown-protection"
        )
