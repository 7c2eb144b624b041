"""The core agrees with the model of section 10.1: on its paths small worlds come to the same versions and configurations.

``model/record.py`` recorded the paths; the model itself is not part of this repository.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.simulate.model.known import KNOWN
from tests.simulate.model.replay import PATHS, State, difference, scenario

FILES = sorted(PATHS.glob("*.json"))


def test_every_scenario_of_the_model_was_recorded():
    found = [scenario(file) for file in FILES]
    assert len(found) == len({one.scenario for one in found}) == 42
    assert all(one.paths for one in found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_small_world_comes_to_the_versions_and_configurations_of_the_model(file: Path):
    recorded = scenario(file)
    for path in recorded.paths:
        found = difference(recorded.channels, path)
        assert found is None, f"{recorded.scenario}: {found.words()}"


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_difference_is_just_as_it_is_known(name: str):
    known = KNOWN[name]
    recorded = next(one for one in map(scenario, FILES) if name in one.differences)
    found = difference(recorded.channels, recorded.differences[name])
    assert recorded.scenario == known.scenario
    assert found is not None, f"{name}: the core agrees with the model now: remove it from known.py"
    assert len(found.path) == len(known.acts), found.words()
    assert found.core == msgspec.convert(known.core, dict[str, State]), found.words()
