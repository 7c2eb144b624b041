"""The built-in ``image-exists``: a container image is in its registry. Only its manifest's presence is asked for."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.images import Image, parse_image
from setpoint.protections.oci import Registry
from setpoint.protections.options import Options, as_text, unresolved
from setpoint.protections.text import printable
from setpoint.protections.web import Answer


class ImageExists:
    """Options: ``image``, as it is pulled · ``plainHttp``: ask without TLS, as for a registry on this machine."""

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:  # noqa: ARG002 - a check may simply run again
        """See the port."""
        if wrong := self.validate(check.options):
            return CheckResult(Outcome.MISCONFIGURED, printable("; ".join(wrong)))
        name = as_text(check.options["image"])
        image = parse_image(name)
        answer = await Registry(image, check.timeout, plain_http=check.options.get("plainHttp") is True).manifest()
        return answer if isinstance(answer, CheckResult) else _judge(answer, name, image)

    def validate(self, options: dict[str, Any]) -> list[str]:
        """See the port."""
        read = Options(options, {"image", "plainHttp"})
        image = read.text("image", required=True)
        read.flag("plainHttp")
        if isinstance(options.get("image"), bool):
            read.wrong.append("image must be text, not true or false")
        if image and not unresolved(image):
            try:
                parse_image(image)
            except ValueError as error:
                read.wrong.append(f"image: {error}")
        return read.wrong


def _judge(answer: Answer, name: str, image: Image) -> CheckResult:
    shown = printable(name, 160)
    if answer.status == 200:
        digest = printable(answer.headers.get("docker-content-digest", ""), 80)
        return CheckResult(Outcome.PASSING, printable(f"{shown} is there{f' ({digest})' if digest and not image.digest else ''}"))
    if answer.status == 404:
        return CheckResult(Outcome.BLOCKING, printable(f"{shown} is not in {image.registry}"))
    if answer.status in {401, 403}:
        reason = f"{image.registry} shows {shown} to nobody without credentials, or does not have it"
        return CheckResult(Outcome.MISCONFIGURED, printable(reason))
    return CheckResult(Outcome.UNAVAILABLE, printable(f"{image.registry} answered {answer.status} when asked for {shown}"))
