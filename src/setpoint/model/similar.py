"""What was probably meant by a misspelt name, and the sentence that suggests it.

A name is near when it is few edits away, or when what was written is its start or its last part.
"""

from __future__ import annotations

from collections.abc import Iterable

_ABBREVIATION = 4
"""So many characters must be written before a longer name that starts with them, or has them as its last part, is suggested."""


def suggest(word: str, known: Iterable[str], *, otherwise: str = "", none: str = "There is none yet.") -> str:
    """Return ``Did you mean "staging"?``; where nothing is near ``otherwise``, or the known names, or ``none``."""
    names = sorted(set(known))
    if near := closest(word, names):
        return f'Did you mean "{near}"?'
    return otherwise or (f"There is: {listing(names)}." if names else none)


def listing(names: Iterable[str], *, most: int = 12) -> str:
    """Return names in a row, cut where there are too many: ``web, api and 3 more``."""
    every = list(names)
    shown = ", ".join(every[:most])
    return shown + (f" and {len(every) - most} more" if len(every) > most else "")


def closest(word: str, known: Iterable[str]) -> str:
    """The known name that is nearest to a word; empty: none is near.

    ``closest("stagging", ["staging"])`` is ``"staging"``; ``closest("cron", ["reason"])`` is empty.
    """
    names = sorted(set(known))
    if same := [name for name in names if name.lower() == word.lower()]:
        return same[0]
    near = [(found, name) for name in names if (found := edits(word, name, _allowed(word, name))) is not None]
    if near:
        return min(near)[1]
    longer = [name for name in names if len(word) >= _ABBREVIATION and (name.startswith(word) or name.endswith(f"-{word}"))]
    return longer[0] if len(longer) == 1 else ""


def _allowed(word: str, name: str) -> int:
    """Edits that leave a word recognizable: none of two characters, one of up to five, two of up to eight, else three."""
    length = min(len(word), len(name))
    return 0 if length < 3 else 1 if length < 6 else 2 if length < 9 else 3


def edits(one: str, other: str, most: int) -> int | None:
    """Characters inserted, removed, exchanged or swapped with the next; None: more than ``most``."""
    if abs(len(one) - len(other)) > most:
        return None
    earlier: list[int] = []
    above = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b))
            if earlier and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return None
        earlier, above = above, row
    return above[-1] if above[-1] <= most else None
