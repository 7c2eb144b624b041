"""The one lookup grammar."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from setpoint.model.grammars.lookup import LookupMissing, paths, resolve, roots

VALUES = {
    "version": "1.4.2",
    "constants": {
        "plan": "gold",
        "n": 3,
        "yes": True,
        "no": False,
        "empty": "",
        "nothing": None,
        "map": {"a": 1},
        "list": [1, 2],
        "look": "${version}",
    },
    "channel": {"labels": {"a.b/c": "deep"}},
}
DOLLARS = st.text(alphabet='${}ab.:-"[]', max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${version}", "1.4.2"),
        ("v${version}-${constants.plan}", "v1.4.2-gold"),
        ('${channel.labels["a.b/c"]}', "deep"),
        ("${constants.n}", 3),
        ("${constants.yes}", True),
        ("n=${constants.n} ${constants.yes} ${constants.no}", "n=3 true false"),
        ("${constants.map}", {"a": 1}),
        ("${constants.list}", [1, 2]),
        ("${constants.absent:-red}", "red"),
        ("${constants.empty:-red}", "red"),
        ("${constants.empty}", ""),
        ("${constants.absent:-}", ""),
        ("${constants.plan.deeper:-red}", "red"),
        ("${constants.no:-red}", False),
        ("${constants.nothing:-red}", "red"),
        ("$${version}", "${version}"),
        ("$$${version}", "$${version}"),
        ("a $${version} ${version}", "a ${version} 1.4.2"),
        ("$HOME $(id) ${a b} $", "$HOME $(id) ${a b} $"),
        ("${constants.look} now", "${version} now"),
        ("${constants.look}", "${version}"),
    ],
)
def test_lookups(text, expected):
    found = resolve(text, VALUES)
    assert found == expected
    assert type(found) is type(expected)


def test_every_text_of_a_value_is_resolved():
    value = {"${version}": ["${version}", ("x${constants.n}", 1, None)]}
    assert resolve(value, VALUES) == {"${version}": ["1.4.2", ["x3", 1, None]]}


@pytest.mark.parametrize("text", ["${constants.absent}", "a ${constants.absent}", "${nowhere.at.all}", "${constants.nothing}"])
def test_a_missing_path_is_named(text):
    with pytest.raises(LookupMissing, match="is not defined here") as caught:
        resolve(text, VALUES)
    assert caught.value.path in text


@pytest.mark.parametrize("path", ["constants.map", "constants.list"])
def test_a_map_or_list_cannot_stand_inside_a_text(path):
    with pytest.raises(ValueError, match="cannot stand inside a text"):
        resolve(f"a${{{path}}}", VALUES)


def test_paths_and_roots_are_found_anywhere():
    assert list(paths('${a.b["c d"]} $${no} ${e:-f}')) == [("a", "b", "c d"), ("e",)]
    assert roots({"x": ["${a.b}", {"y": "${c}"}], "z": 1}) == {"a", "c"}


KEEP = frozenset({"version"})


def test_kept_lookups_stay_as_they_are_written():
    assert resolve("${version:-x} ${constants.plan}", VALUES, keep=KEEP) == "${version:-x} gold"
    assert resolve("${version}", VALUES, keep=KEEP) == "${version}"


@pytest.mark.parametrize(
    "text",
    [
        "${constants.look}",
        "x ${constants.look} ${version}",
        "$${version} ${version}",
        "${a b} ${version}",
        "${constants.dollar}{version}",
        "${constants.listed}",
        "${constants.odd}",
    ],
)
def test_what_was_put_in_is_not_scanned_by_the_next_resolve(text):
    constants = {"look": "${version}", "dollar": "$", "listed": ["${version}", {"a": "${version}", "n": 1}], "odd": "$${x}$"}
    at_once = resolve(text, {"version": "1.4.2", "constants": constants})
    assert resolve(resolve(text, {"constants": constants}, keep=KEEP), {"version": "1.4.2"}) == at_once


def test_a_dollar_that_would_escape_a_kept_lookup_is_refused():
    with pytest.raises(ValueError, match="would be an escape"):
        resolve("${constants.dollar}${version}", {"constants": {"dollar": "$"}}, keep=KEEP)


@given(
    st.lists(
        st.sampled_from(["${version}", "${constants.x}", "${constants.y:-d}", "$${", "$", "{", "}", "a", "${"]), max_size=6
    ).map("".join),
    DOLLARS,
)
def test_resolving_in_two_steps_is_resolving_at_once(text, inserted):
    values = {"version": "1.4.2", "constants": {"x": inserted}}
    assume({path[0] for path in paths(text)} <= {"version", "constants"})
    try:
        first = resolve(text, {"constants": values["constants"]}, keep=KEEP)
    except LookupMissing:  # pieces that happen to make a lookup of something else
        assume(False)
    except ValueError:  # the one pair that cannot be written
        assert inserted.endswith("$") or "${constants.y:-d}" in text
        assume(False)
    assert resolve(first, {"version": "1.4.2"}) == resolve(text, values)


@given(DOLLARS)
def test_a_value_put_into_a_text_is_never_changed(value):
    assert resolve("<${x}>", {"x": value}) == f"<{value}>"


@given(DOLLARS)
def test_any_text_is_resolved_once_its_paths_are_there(text):
    named = list(paths(text))
    if named and ":-" not in text:
        with pytest.raises(LookupMissing):
            resolve(text, {})
    else:
        assert resolve(text, {path[0]: "" for path in named}) is not None
