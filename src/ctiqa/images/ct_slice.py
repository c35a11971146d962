"""One axial CT slice in Hounsfield units, with its identity and the facts of its acquisition."""

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.images.patient import NOBODY, Patient

__all__ = ["AIR_HU", "Acquisition", "CTSlice", "FloatImage", "Identity", "Mask"]

FloatImage: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

AIR_HU = -1000.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Which image this is, so that every number can be traced back to it.

    ``path`` is relative to the input that the user gave. ``frame`` counts from 1 in a multi-frame.
    ``patient_key`` (twelve hex digits of a SHA-256) tells patients apart within a corpus; whoever
    can try every identifier undoes it, so no result holds it. ``patient`` says whose image it is
    and cannot be shown; ``patient_hash`` is its keyed hash, None where nobody gave a secret.
    """

    path: str
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    instance_number: int | None = None
    frame: int | None = None
    patient_key: str = ""
    patient: Patient = NOBODY
    patient_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How the slice was made, as its header tells it; None or "" where the header is silent.

    ``ctdi_phantom_mm`` is the diameter of the phantom that ``ctdivol_mgy`` speaks of; ``acquired``
    is the day of the scan, ISO 8601.
    """

    kvp: float | None = None
    tube_current_ma: float | None = None
    ctdivol_mgy: float | None = None
    kernel: str = ""
    slice_thickness_mm: float | None = None
    manufacturer: str = ""
    scanner: str = ""
    body_part: str = ""
    ctdi_phantom_mm: float | None = None
    acquired: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CTSlice:
    """A slice whose values are Hounsfield units; checked once here and trusted everywhere else.

    Args:
        hu: (rows, columns) float32, finite; pixels outside the field of view hold ``AIR_HU``.
        pixel_mm: side of the square pixel in mm.
        z_mm: position along the slice normal in mm, None where unknown.
        identity: which image this is.
        acquisition: how it was made.
        padding: True where the scanner reconstructed nothing; None where it filled the matrix.
        notes: what was done to the slice on the way in ("padded from 400 x 400"), in words.

    Raises:
        ValueError: if a value breaks these rules; a reader must not let that happen.
    """

    hu: FloatImage
    pixel_mm: float
    identity: Identity
    z_mm: float | None = None
    acquisition: Acquisition = Acquisition()
    padding: Mask | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.ndim != 2 or self.hu.dtype != np.float32:
            raise ValueError(f"a slice is 2-D float32, not {self.hu.ndim}-D {self.hu.dtype}")
        if not np.isfinite(self.hu).all():
            raise ValueError("a slice holds finite Hounsfield units only")
        if not self.pixel_mm > 0:
            raise ValueError(f"the pixel size must be positive, not {self.pixel_mm} mm")
        if self.padding is not None and self.padding.shape != self.hu.shape:
            raise ValueError("the padding mask has the shape of the slice")

    def with_hu(self, hu: FloatImage) -> Self:
        """Return the same slice with other Hounsfield units of the same shape."""
        return replace(self, hu=hu)
