"""Find the series of one scanner in time order without reading all of them."""

from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ctiqa_series_by_scanner", "ctiqa_series", ["scanner", "acquired"])
