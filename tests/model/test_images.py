"""What the name of a container image says."""

from __future__ import annotations

import pytest

from setpoint.model.images import HUB, Image, parse_image

DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web", Image(HUB, "library/web")),
        ("team/web:1.4.2", Image(HUB, "team/web", "1.4.2")),
        ("docker.io/web", Image(HUB, "library/web")),
        ("registry.example/web", Image("registry.example", "web")),
        ("registry.example/a/b/c:v1", Image("registry.example", "a/b/c", "v1")),
        ("localhost/web:1", Image("localhost", "web", "1")),
        ("127.0.0.1:5000/web:1", Image("127.0.0.1:5000", "web", "1")),
        ("[::1]:5000/web:1", Image("[::1]:5000", "web", "1")),
        (f"registry.example/web@{DIGEST}", Image("registry.example", "web", "", DIGEST)),
        (f"registry.example/web:1@{DIGEST}", Image("registry.example", "web", "1", DIGEST)),
        ("team/my_web--x.y:1", Image(HUB, "team/my_web--x.y", "1")),
    ],
)
def test_a_name_is_taken_apart(text: str, image: Image) -> None:
    assert parse_image(text) == image


@pytest.mark.parametrize(
    ("text", "reference"), [("web", "latest"), ("web:1", "1"), (f"web:1@{DIGEST}", DIGEST), (f"web@{DIGEST}", DIGEST)]
)
def test_a_digest_is_asked_for_before_a_tag(text: str, reference: str) -> None:
    assert parse_image(text).reference == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Web",
        "https://registry.example/web",
        "registry.example/",
        "registry.example/../web",
        "web:",
        "web:a b",
        "web:-1",
        "web@sha256:12",
        "web@",
        "web?x=1",
        "registry.example:port/web",
        "user@registry.example/web",
        "a" * 300,
    ],
)
def test_what_names_no_image_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no image: \S"):
        parse_image(text)
