"""How Alembic reaches the database: `alembic -c schema/2.0.0.ini -x url=sqlite:///… upgrade head`."""

from alembic import context
from sqlalchemy import create_engine

url = context.get_x_argument(as_dictionary=True).get("url")
if not url:
    raise SystemExit("say which database: -x url=sqlite:////path/to/production.db")
with create_engine(url).connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
