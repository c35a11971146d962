"""Series as points in time, grouped by what they must share to be comparable."""

from dataclasses import dataclass
from datetime import date

__all__ = ["Group", "SeriesPoint", "Tracked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What series must share to be comparable; None or "" where their headers are silent.

    Args:
        scanner: what the site calls it, else its model; two of one model are told apart by name.
        model: name of the model that scored; ``model_sha256`` is of its file.
    """

    manufacturer: str
    scanner: str
    kvp: float | None
    kernel: str
    slice_thickness_mm: float | None
    body_part: str
    model: str
    model_sha256: str

    @property
    def words(self) -> str:
        """Scanner, protocol and region in one line, unknown facts left out."""
        facts = (
            "" if self.kvp is None else f"{self.kvp:g} kVp",
            self.kernel,
            "" if self.slice_thickness_mm is None else f"{self.slice_thickness_mm:g} mm",
            self.body_part,
        )
        protocol = ", ".join(fact for fact in facts if fact) or "unknown protocol"
        scanner = " ".join(word for word in (self.manufacturer, self.scanner) if word)
        return f"{scanner or 'unknown scanner'}, {protocol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One series as a point in time.

    Args:
        day: on which it was acquired; the day of its import where the results do not say.
        dated: whether ``day`` is that of the acquisition.
        slices: how many are stored.
        score_median: over its slices, in [0, 1]; None where nothing was scored.
        noise_hu_median: over its slices; None where it could not be measured.
    """

    day: date
    dated: bool
    study_instance_uid: str
    series_instance_uid: str
    slices: int
    score_median: float | None
    noise_hu_median: float | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """A group with its series, the oldest first; at least one."""

    group: Group
    points: tuple[SeriesPoint, ...]


GROUP_COLUMNS = tuple(Group.__dataclass_fields__)
"""What a group is told by, in the order of a table."""
