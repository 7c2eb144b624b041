"""The one selector grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.model.grammars.selector import Selector, Term, parse_selector

KEYS = st.from_regex(r"[A-Za-z0-9._/-]{1,6}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9._@+-]{0,5}", fullmatch=True)
TERMS = st.builds(Term, KEYS, st.none() | st.lists(VALUES, min_size=1, max_size=3).map(tuple), st.booleans())
ALTERNATIVES = st.lists(st.lists(TERMS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)
BLANKS = st.sampled_from(["", " ", "  "])


def written(term: Term, blank: str) -> str:
    if term.values is None:
        return f"!{blank}{term.key}" if term.negated else term.key
    if len(term.values) == 1:
        return f"{term.key}{blank}{'!=' if term.negated else '='}{blank}{term.values[0]}"
    separator = f"{blank},{blank}"
    return f"{term.key} {'notin' if term.negated else 'in'}{blank}({separator.join(term.values)})"


@given(ALTERNATIVES, BLANKS)
def test_a_selector_survives_its_spelling(alternatives, blank):
    text = f"{blank}|{blank}".join(f"{blank},{blank}".join(written(term, blank) for term in terms) for terms in alternatives)
    found = parse_selector(f"{blank}{text}{blank}")
    assert found.alternatives == alternatives
    assert found.keys == {term.key for terms in alternatives for term in terms}


@given(ALTERNATIVES, st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_comma_binds_tighter_than_a_bar(alternatives, labels):
    expected = any(all(term.matches(labels) for term in terms) for terms in alternatives)
    assert Selector("", alternatives).matches(labels) == expected


@given(TERMS, st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_negated_term_matches_exactly_where_the_plain_one_does_not(term, labels):
    assert Term(term.key, term.values, not term.negated).matches(labels) is not term.matches(labels)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("*", {}, True),
        (" * ", {"a": "b"}, True),
        ("env=production", {"env": "production"}, True),
        ("env=production", {}, False),
        ("env!=production", {}, True),
        ("env notin (a, b)", {}, True),
        ("env in (a, b)", {"env": "b"}, True),
        ("env in(a,b)", {"env": "c"}, False),
        ("env", {"env": ""}, True),
        ("env=", {"env": ""}, True),
        ("env in ()", {"env": ""}, True),
        ("!urgent", {}, True),
        ("!urgent", {"urgent": "true"}, False),
        ("a=1, b=2 | c", {"c": ""}, True),
        ("a=1, b=2 | c", {"a": "1"}, False),
        ("release.ticket=OPS-1", {"release.ticket": "OPS-1"}, True),
        ("in in (in)", {"in": "in"}, True),
        ("owner=a.b@example+x", {"owner": "a.b@example+x"}, True),
    ],
)
def test_selectors(text, labels, matches):
    assert parse_selector(text).matches(labels) is matches


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "empty selector"),
        ("  ", "empty selector"),
        ("a,", "its end"),
        ("a|", "its end"),
        (",a", 'a label at ",a"'),
        ("a b", 'expected "," or "|" at "b"'),
        ("a==b", 'at "=b"'),
        ("a in b", 'at "in b"'),
        ("a in (b c)", '"b c"'),
        ("(a|b),c", "expected a label"),
        ("* , a", "expected a label"),
        ("a=*", 'at "*"'),
        ("ä=1", "expected a label"),
    ],
)
def test_what_is_no_selector_is_refused_where_it_stops(text, advice):
    with pytest.raises(ValueError, match=r"select|label") as caught:
        parse_selector(text)
    assert advice in str(caught.value)


@given(st.text(alphabet="ab=!,|() in*\n", max_size=15))
def test_any_text_is_a_selector_or_refused(text):
    try:
        found = parse_selector(text)
    except ValueError:
        return
    assert parse_selector(found.text) == found
