"""Validate and schema: the configuration language, without applying anything."""

from __future__ import annotations

from typing import Any

from setpoint.config.schema import json_schema
from setpoint.control.applying.exit_codes import changed_meanings
from setpoint.control.applying.files import Files, report_on
from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, NoRequest, query


class ProblemView(Answer):
    """One error."""

    code: str
    file: str
    line: int
    column: int
    where: str
    message: str
    hint: str


class ProblemList(Answer):
    """Every error; empty: none."""

    problems: list[ProblemView]
    notices: list[str]
    """What is declared and not acted on by this version, one line for each sort; where there are errors: empty."""
    refusals: list[str]
    """Why `apply` refuses it, although it is in order."""


class Schema(Answer):
    """A JSON Schema."""

    json_schema: dict[str, Any]


@query("validate", Permission.CONFIGURE, Files, ProblemList, "Every error of a configuration.")
async def validate(context: RequestContext, request: Files) -> ProblemList:
    """Changes nothing."""
    report = await report_on(context.services, request)
    meanings = [] if report.problems else await changed_meanings(context.services, report.exit_codes)
    return ProblemList(
        problems=[ProblemView(**{name: getattr(one, name) for name in one.__struct_fields__}) for one in report.problems],
        notices=[*report.notices, *meanings],
        refusals=report.refusals,
    )


@query("schema", Permission.VIEW, NoRequest, Schema, "The JSON Schema of configuration documents, for editors.")
async def schema(_: RequestContext, __: NoRequest) -> Schema:
    """The same for every engine of this version."""
    return Schema(json_schema=json_schema())
