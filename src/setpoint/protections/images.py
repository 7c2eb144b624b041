"""The built-in ``image-exists``: a container image is in its registry. Only its manifest's presence is checked."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.grammars.images import Image, parse_image
from setpoint.programs.text import printable
from setpoint.protections.options import Options, as_text, unresolved
from setpoint.protections.web.exchange import WebResponse
from setpoint.protections.web.oci import Registry, absent, another, in_all, refused


class ImageExists:
    """Options: ``image``, as it is pulled · ``plainHttp``: ask without TLS, as for a registry on this machine."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        name = as_text(check.options["image"])
        image = parse_image(name)
        registry = Registry(image, check.timeout, plain_http=check.options.get("plainHttp") is True)
        return await in_all(_exists(registry, name, image), image, check.timeout)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"image", "plainHttp"})
        image_mistakes(read)
        return read.wrong


async def _exists(registry: Registry, name: str, image: Image) -> CheckResult:
    answer = await registry.has(image.reference)
    if isinstance(answer, CheckResult):
        return answer
    return refused(answer, name, image) or _judge(answer, name, image)


def _judge(answer: WebResponse, name: str, image: Image) -> CheckResult:
    if answer.status == 404:
        return absent(name, image)
    digest = printable(answer.headers.get("docker-content-digest", ""), 200)
    if image.digest and digest.partition(":")[0] == image.digest.partition(":")[0] and digest != image.digest:
        return another(name, image)
    return CheckResult(Outcome.PASSING, f"{printable(name, 160)} is there{f' ({digest})' if digest and not image.digest else ''}")


def image_mistakes(read: Options) -> None:
    """Reads the options that every question about an image has."""
    image = read.text("image", required=True)
    read.flag("plainHttp")
    if isinstance(read.options.get("image"), bool):
        read.wrong.append("image must be text, not true or false")
    if image and not unresolved(image):
        try:
            parse_image(image)
        except ValueError as error:
            read.wrong.append(f"image: {error}")
