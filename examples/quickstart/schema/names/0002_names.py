"""Visitors have names. The column may be empty, so that a version that does not know it goes on working beside one that does."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("visit", sa.Column("name", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("visit", "name")
