"""Selectors in ``when``: decided at compile time where the labels alone decide, and joined where two apply together."""

from __future__ import annotations

from collections.abc import Mapping

from setpoint.model.grammars.selector import Selector, Term

FACTS = frozenset({"urgent", "first", "change", "step", "by"})
"""What ``when`` sees of an attempt, besides ``release.<label>``."""
NEVER = Selector("never", ((),))
"""Stands for a condition that cannot hold; compared by identity."""


def is_fact(key: str) -> bool:
    """Whether a key speaks of the attempt."""
    return key in FACTS or key.startswith("release.")


def decide(when: Selector | None, labels: Mapping[str, str]) -> Selector | None:
    """None where it always holds, ``NEVER`` where it cannot, else the selector as it was."""
    if when is None or not when.alternatives:
        return None
    open_ones = 0
    for terms in when.alternatives:
        if any(not is_fact(term.key) and not term.matches(labels) for term in terms):
            continue
        if not any(is_fact(term.key) for term in terms):
            return None
        open_ones += 1
    return when if open_ones else NEVER


def both(first: Selector | None, second: Selector | None) -> Selector | None:
    """A condition that holds where both do."""
    if first is None or second is None or NEVER in {first, second}:
        return NEVER if NEVER in {first, second} else first or second
    alternatives = tuple(_joined(a, b) for a in first.alternatives for b in second.alternatives)
    text = (
        first.text if first == second else " | ".join(f"{a}, {b}" for a in first.text.split("|") for b in second.text.split("|"))
    )
    return Selector(" ".join(text.split()), alternatives)


def _joined(first: tuple[Term, ...], second: tuple[Term, ...]) -> tuple[Term, ...]:
    return (*first, *(term for term in second if term not in first))
