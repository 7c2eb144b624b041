"""The words in which tests of the core are written.

``builders``   Parts of facts and policies.
``decisions``  What a decision comes to, by type.
``actor``      Any one actor.
``instance``   An instance, its runtime, and the people around it.
``tasks``      An instance together with the runs of its tasks.
``admission``  Admission, and what instances request of it.
``limits``     An instance that needs leases, waves or budgets.
``waves``      Admission in the middle of waves.
``sets``       A set, and one of its members.
``scopes``     What scopes and the line publish to an instance.
``situations`` Instances from which several files of tests begin.
"""

from __future__ import annotations

from tests.core.dsl.actor import Actor
from tests.core.dsl.admission import GROUP, AdmissionDsl, entity
from tests.core.dsl.builders import (
    LEADS,
    NAME,
    START,
    a_task,
    after,
    approval,
    check,
    failed,
    hours,
    short,
    spec_of,
    version,
    with_revision,
)
from tests.core.dsl.decisions import of_kind, published, recorded, sent, sent_to, state_of
from tests.core.dsl.instance import Instance
from tests.core.dsl.tasks import WithTasks

__all__ = [
    "GROUP",
    "LEADS",
    "NAME",
    "START",
    "Actor",
    "AdmissionDsl",
    "Instance",
    "WithTasks",
    "a_task",
    "after",
    "approval",
    "check",
    "entity",
    "failed",
    "hours",
    "of_kind",
    "published",
    "recorded",
    "sent",
    "sent_to",
    "short",
    "spec_of",
    "state_of",
    "version",
    "with_revision",
]
