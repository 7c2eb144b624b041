"""What may be seen of an address, a header and an option that hold a secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.model.grammars.text import without_credentials

CANARY = "c4n4ry"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"https://ann:{CANARY}@host:8443/a?b=c", "https://***@host:8443/a?b=c"),
        (f"postgresql+psycopg://{CANARY}@db/shop", "postgresql+psycopg://***@db/shop"),
        (f"https://host/a?token={CANARY}&b=c#d", "https://host/a?token=***&b=c#d"),
        (f"see https://a:{CANARY}@one and https://b:{CANARY}@two", "see https://***@one and https://***@two"),
        (f"amqp://host?x=1;sas_signature={CANARY}", "amqp://host?x=1;sas_signature=***"),
        ({"Authorization": f"Bearer {CANARY}", "Accept": "text/plain"}, {"Authorization": "***", "Accept": "text/plain"}),
        ({"headers": [{"X-API-Key": CANARY}], "db_password": CANARY}, {"headers": [{"X-API-Key": "***"}], "db_password": "***"}),
        (
            {"X-Auth": CANARY, "author": "ann", "AWS_ACCESS_KEY_ID": CANARY},
            {"X-Auth": "***", "author": "ann", "AWS_ACCESS_KEY_ID": "***"},
        ),
        (f"https://ann:p@{CANARY}@host/a", "https://***@host/a"),
        (f"https://{CANARY * 200}@host/a", "https://***@host/a"),
        (f"https://host/a?sig={CANARY}&pass={CANARY}#access_token={CANARY}", "https://host/a?sig=***&pass=***#access_token=***"),
        (f"--password={CANARY}", "--password=***"),
        (f"host=db password={CANARY} dbname=shop", "host=db password=*** dbname=shop"),
        (
            {"SMTP_PASS": CANARY, "MYSQL_PWD": CANARY, "ENCRYPTION_KEY": CANARY, "compass": "north"},
            {"SMTP_PASS": "***", "MYSQL_PWD": "***", "ENCRYPTION_KEY": "***", "compass": "north"},
        ),
        ([{"name": "DB_PASSWORD", "value": CANARY}], [{"name": "DB_PASSWORD", "value": "***"}]),
        ({"db_password": 4711, "token": True}, {"db_password": "***", "token": True}),
    ],
)
def test_credentials_are_hidden_and_nothing_else(value: Any, shown: Any):
    assert without_credentials(value) == shown


@pytest.mark.parametrize("value", ["ann@example.com", "shop/web@production", "https://host/a@b", "1:2@3", {"token": ""}, None, 7])
def test_what_is_no_credential_stays(value: Any):
    assert without_credentials(value) == value


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_hiding_twice_is_hiding_once(value: Any):
    once = without_credentials(value)
    assert without_credentials(once) == once
