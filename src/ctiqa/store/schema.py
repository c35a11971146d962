"""What a store keeps: a row for each series, a row for each of its slices, and of whom nothing."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["VERSION_TABLE", "Base", "Series", "Slice"]

VERSION_TABLE = "ctiqa_version"
"""Where the store says which form it has; no other program's table is called so."""


class Base(DeclarativeBase):
    """The tables as the newest migration leaves them; a test compares the two."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double()}


class Series(Base):
    """One series as one model scored it: its facts, and its slices in a few numbers.

    ``acquired`` is None where the results did not say; ``imported`` is the first time (UTC).
    ``scanner`` is what the site calls it, else its model as in the header. What follows
    ``body_part`` is computed anew from the stored slices whenever one of them changes.
    """

    __tablename__ = "ctiqa_series"
    __table_args__ = (
        UniqueConstraint("series_instance_uid", "model_sha256", name="ctiqa_series_once"),
        Index("ctiqa_series_by_scanner", "scanner", "acquired"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    model_sha256: Mapped[str] = mapped_column(String(64))
    model: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(String(64))
    imported: Mapped[datetime]
    acquired: Mapped[date | None]
    manufacturer: Mapped[str]
    scanner: Mapped[str]
    kvp: Mapped[float | None]
    kernel: Mapped[str]
    slice_thickness_mm: Mapped[float | None]
    body_part: Mapped[str]
    slices: Mapped[int]
    scored: Mapped[int]
    score_median: Mapped[float | None]
    noise_hu_median: Mapped[float | None]
    ctdivol_mgy_median: Mapped[float | None]


class Slice(Base):
    """One image of a series. ``frame`` counts from 1 in a multi-frame file and is 0 elsewhere."""

    __tablename__ = "ctiqa_slice"

    series_id: Mapped[int] = mapped_column(ForeignKey("ctiqa_series.id"), primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    frame: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    instance_number: Mapped[int | None]
    z_mm: Mapped[float | None]
    score: Mapped[float | None]
    noise_hu: Mapped[float | None]
    status: Mapped[str] = mapped_column(String(16))
    tube_current_ma: Mapped[float | None]
    ctdivol_mgy: Mapped[float | None]
