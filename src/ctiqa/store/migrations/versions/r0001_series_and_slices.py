"""The first form of a store: series, and slices of them."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "ctiqa_series",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("series_instance_uid", sa.String(64), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("imported", sa.DateTime(), nullable=False),
        sa.Column("acquired", sa.Date()),
        sa.Column("manufacturer", sa.String(), nullable=False),
        sa.Column("scanner", sa.String(), nullable=False),
        sa.Column("kvp", sa.Double()),
        sa.Column("kernel", sa.String(), nullable=False),
        sa.Column("slice_thickness_mm", sa.Double()),
        sa.Column("body_part", sa.String(), nullable=False),
        sa.Column("slices", sa.Integer(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("score_median", sa.Double()),
        sa.Column("noise_hu_median", sa.Double()),
        sa.Column("ctdivol_mgy_median", sa.Double()),
        sa.UniqueConstraint("series_instance_uid", "model_sha256", name="ctiqa_series_once"),
    )
    op.create_table(
        "ctiqa_slice",
        sa.Column("series_id", sa.Integer(), sa.ForeignKey("ctiqa_series.id"), primary_key=True),
        sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
        sa.Column("frame", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("instance_number", sa.Integer()),
        sa.Column("z_mm", sa.Double()),
        sa.Column("score", sa.Double()),
        sa.Column("noise_hu", sa.Double()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("tube_current_ma", sa.Double()),
        sa.Column("ctdivol_mgy", sa.Double()),
    )
