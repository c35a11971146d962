"""Each step in a file of its own, as Alembic finds them."""
