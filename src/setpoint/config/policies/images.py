"""The images that one instance names by tags: those that checks and tasks are about, and that of a ``container`` workload."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from typing import Any

from setpoint.config.documents.workloads import Container
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.specs import release_values
from setpoint.config.notices import adapter_of, installed
from setpoint.config.syntax.lookups import LookupFailedError, resolve_tree, strict
from setpoint.config.syntax.values import as_text
from setpoint.model.grammars.images import ABOUT_IMAGES, by_tag
from setpoint.model.grammars.lookup import LookupMissing, resolve
from setpoint.model.policy import Policy
from setpoint.model.spec import Scalar, Source


class ImageError(ValueError):
    """An image whose name is not known when a version is released; the text is a sentence for people."""


def images_of(
    instance: Instance, policy: Policy, version: str, parameters: AnyMapping[str, Scalar], source: Source
) -> dict[str, bool]:
    """Image named by a tag -> whether its registry speaks plain HTTP.

    Raises:
        ImageError: an image looks up what is not known when a version is released.
    """
    known = release_values(version, parameters, source)
    found: dict[str, bool] = {}
    for user, options in _about_images(policy):
        try:
            found[str(resolve(options["image"], known))] = options.get("plainHttp") is True
        except LookupMissing as missing:
            raise ImageError(
                f"{user}: the image looks up ${{{missing.path}}}, but its tag is resolved when a version is released: "
                "use ${version}, ${params.…} and ${source.…} only"
            ) from None
    _, block = instance.service.workload
    if isinstance(block, Container) and adapter_of(instance) in installed():
        found.setdefault(_named(instance, block, known), False)
    return {name: found[name] for name in by_tag(found)}


def _about_images(policy: Policy) -> Iterator[tuple[str, dict[str, Any]]]:
    for check in policy.checks:
        if check.check.use in ABOUT_IMAGES:
            yield f'check "{check.name}"', check.check.options
    for task in policy.tasks:
        if task.task.use in ABOUT_IMAGES:
            yield f'task "{task.name}"', task.task.options


def _named(instance: Instance, block: Container, known: AnyMapping[str, Any]) -> str:
    try:
        return as_text(resolve_tree(block.image, instance.values("instance", strict) | dict(known), strict))
    except LookupFailedError as error:
        raise ImageError(str(error)) from None
