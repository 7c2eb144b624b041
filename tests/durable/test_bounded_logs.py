"""Logs have a size, whatever is written to them and for how long, and repeated warnings are counted instead of written."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from setpoint.durable.bounded_logs import RepeatLimit, predecessor, rotate


def test_a_log_is_cut_behind_a_writer_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(500):
        os.write(descriptor, b"line %04d\n" % number)
        rotate(path, cap=100)
        assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= 200
    os.close(descriptor)
    kept = predecessor(path).read_bytes() + path.read_bytes()
    assert kept.endswith(b"line 0498\nline 0499\n")


def test_a_log_below_its_cap_or_without_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    rotate(path, cap=3)
    path.write_text("abc")
    rotate(path, cap=3)
    assert [one.name for one in tmp_path.iterdir()] == ["x.log"]


def test_only_a_regular_file_is_cut(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x" * 100)
    (tmp_path / "x.log").symlink_to(other)
    rotate(tmp_path / "x.log", cap=3)
    assert other.stat().st_size == 100


@pytest.fixture
def written(tmp_path: Path) -> Iterator[tuple[logging.Logger, Path]]:
    """A logger of its own with the limit, and its file."""
    path = tmp_path / "x.log"
    handler = logging.FileHandler(path)
    handler.addFilter(RepeatLimit())
    logger = logging.getLogger("setpoint.of.this.test")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger, path
    logger.removeHandler(handler)
    handler.close()


def test_the_same_warning_with_other_values_is_written_a_few_times(written: tuple[logging.Logger, Path]) -> None:
    logger, path = written
    for number in range(10_000):
        logger.warning("port %d: no descriptors", number)
        logger.error("socket.accept() out of system resource\nsocket: %s", number)
    logger.warning("another one")
    lines = path.read_text().splitlines()
    assert len(lines) == 3 * RepeatLimit.BURST + 1
    assert lines[-1] == "another one"


def test_what_was_left_out_is_counted_and_written_later(
    written: tuple[logging.Logger, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, path = written
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for number in range(50):
        logger.warning("port %d: no descriptors", number)
    clock[0] += RepeatLimit.PERIOD
    logger.warning("port %d: no descriptors", 50)
    assert path.read_text().splitlines()[-1] == "port 50: no descriptors (30 more like this before)"


def test_information_is_not_limited(written: tuple[logging.Logger, Path]) -> None:
    logger, path = written
    for _ in range(100):
        logger.info("a version was applied")
    assert len(path.read_text().splitlines()) == 100


def test_the_limit_needs_little_memory_for_many_kinds() -> None:
    limit = RepeatLimit()
    for number in range(10 * RepeatLimit.KINDS):
        limit.filter(logging.LogRecord("x", logging.ERROR, "", 0, f"kind {number}", (), None))
    assert len(limit._seen) == RepeatLimit.KINDS
