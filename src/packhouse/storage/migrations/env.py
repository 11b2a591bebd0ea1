"""How Alembic runs here: on the connection that `Database.migrate` hands over, in its transaction."""

from alembic import context

from packhouse.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table in place
)
with context.begin_transaction():
    context.run_migrations()
