"""What Alembic runs: the migrations beside it, over the connection and in the transaction that it is handed."""

from alembic import context

from conversations.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite's too: database.py begins its transactions itself
    render_as_batch=True,
)
context.run_migrations()
