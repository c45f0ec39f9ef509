"""Alembic's entry: migrates the connection that `graph.store.database` hands over."""

from __future__ import annotations

from alembic import context

from graph.store.tables import METADATA


def main() -> None:
    """Run the migrations on the given connection."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


main()
