"""Declarations of parameters, on services, protections and custom runtimes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from setpoint.config.documents.base import Node
from setpoint.config.syntax.values import Boolean, Pattern, Several, Template, Text, choice, fault


class Parameter(Node):
    """One parameter; everything has a default."""

    type: Annotated[str, choice("text", "int", "bool", later=("secret",))] = "text"
    required: Boolean = False
    default: Template | None = None
    values: Several[Text] | None = None
    pattern: Pattern | None = None
    description: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.required and self.default is not None:
            raise fault(
                "required-with-default",
                "a required parameter never uses its default.",
                "Remove `required` or `default`.",
                key="default",
            )
        if self.pattern is not None and self.type != "text":
            raise fault(
                "pattern-on-number",
                f"`pattern` is for text, not for {self.type}.",
                "Remove `pattern`, or make the type text.",
                key="pattern",
            )
        if self.values == ():
            raise fault("empty-values", "no value is allowed at all.", "List the values, or leave `values` out.", key="values")
        return self


class ServiceParameter(Parameter):
    """A parameter of a service, which a later release may leave out."""

    carry: Boolean = True
