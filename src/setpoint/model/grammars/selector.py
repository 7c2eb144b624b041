"""The one selector grammar: Kubernetes' labels plus ``|`` (see docs/configuration.md).

``selector = all *("|" all) | "*"``, ``all = term *("," term)``,
``term = key ("=" | "!=") value | key ("in" | "notin") "(" value *("," value) ")" | key | "!" key``
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec


class Term(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``key`` is (not) among ``values``; without values: is (not) present. A negated term matches where the key is absent."""

    key: str
    values: tuple[str, ...] | None = None
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the term."""
        value = labels.get(self.key)
        found = value is not None and (self.values is None or value in self.values)
        return found is not self.negated


class Selector(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Alternatives of terms that must all hold; no alternatives at all is ``*``."""

    text: str
    alternatives: tuple[tuple[Term, ...], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        if not self.alternatives:
            return True
        return any(all(term.matches(labels) for term in terms) for terms in self.alternatives)

    @property
    def keys(self) -> frozenset[str]:
        """Every label it requires."""
        return frozenset(term.key for terms in self.alternatives for term in terms)


_KEY = r"[A-Za-z0-9._/-]+"
_VALUE = r"[A-Za-z0-9._@+-]*"
_TERM = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<set>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<key>{_KEY})\s*(?:(?P<eq>!=|=)\s*(?P<value>{_VALUE}))?)\s*"
)


def parse_selector(text: str) -> Selector:
    """Raises ValueError saying where the text stops being a selector."""
    stripped = text.strip()
    if not stripped:
        raise ValueError('an empty selector is not valid: write "*" to select everything')
    if stripped == "*":
        return Selector("*")
    alternatives: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    position = 0
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise ValueError(f'"{text}" is not a valid selector: expected a label at "{text[position:].strip() or "its end"}"')
        terms.append(_term(match))
        position = match.end()
        if position == len(text):
            return Selector(stripped, (*alternatives, tuple(terms)))
        if text[position] == "|":
            alternatives.append(tuple(terms))
            terms = []
        elif text[position] != ",":
            raise ValueError(f'"{text}" is not a valid selector: expected "," or "|" at "{text[position:]}"')
        position += 1


def _term(match: re.Match[str]) -> Term:
    if match["absent"]:
        return Term(match["absent"], negated=True)
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        for value in values:
            if not re.fullmatch(_VALUE, value):
                raise ValueError(f'"{value}" in "{match.group().strip()}" is not a valid label value')
        return Term(match["set"], values, negated=match["op"] == "notin")
    if match["eq"]:
        return Term(match["key"], (match["value"],), negated=match["eq"] == "!=")
    return Term(match["key"])
