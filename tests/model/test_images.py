"""What the name of a container image says."""

from __future__ import annotations

import pytest

from setpoint.model.grammars.images import HUB, Image, parse_image, pin

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.example/web:1.0", "r.example/web:1.0@D"),
        ("docker://r.example/web:1.0", "docker://r.example/web:1.0@D"),
        ("--image=r.example/web:1.0,other", "--image=r.example/web:1.0@D,other"),
        ("r.example/web:1.0.1", "r.example/web:1.0.1"),
        ("r.example/web:1.0@sha256:00", "r.example/web:1.0@sha256:00"),
        ("near.r.example/web:1.0", "near.r.example/web:1.0"),
        ("r.example/base", "r.example/base@B"),
        ("in r.example/base", "in r.example/base"),
        ("nginx", "nginx"),
        (3, 3),
        (None, None),
        ({"a": ["r.example/web:1.0"]}, {"a": ["r.example/web:1.0@D"]}),
    ],
)
def test_whole_names_of_images_get_their_digests_and_nothing_else_does(text: object, expected: object) -> None:
    images = {"r.example/web:1.0": "D", "r.example/base": "B", "nginx": "N"}
    assert pin(text, images) == expected
    assert pin(expected, images) == expected, "twice is once"
