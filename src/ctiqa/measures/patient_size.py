"""Water-equivalent diameter and size-specific dose."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.measures.body import body_mask, cut_off_px

__all__ = [
    "BODY_PHANTOM_MM",
    "HEAD_PHANTOM_MM",
    "PatientSize",
    "patient_size",
    "ssde_mgy",
    "water_equivalent_mm",
]

BODY_PHANTOM_MM = 320.0
HEAD_PHANTOM_MM = 160.0

_VALID_MM = (80.0, 450.0)


@dataclass(frozen=True, slots=True)
class PatientSize:
    """How large the patient is in one slice.

    Args:
        area_mm2: of the body.
        water_equivalent_mm: diameter of the disc of water that attenuates as the slice does.
        lateral_mm: extent of the body along a row.
        ap_mm: extent along a column.
        cut_off_mm: length of the body's outline on the edge of the field of view; above 0 the body
            goes on outside, and every size is too small.
    """

    area_mm2: float
    water_equivalent_mm: float
    lateral_mm: float
    ap_mm: float
    cut_off_mm: float

    @property
    def effective_mm(self) -> float:
        """The effective diameter: root of the lateral times the AP extent (AAPM Report 204)."""
        return float(np.sqrt(self.lateral_mm * self.ap_mm))


def patient_size(
    hu: FloatImage, *, pixel_mm: float, padding: Mask | None = None
) -> PatientSize | None:
    """Return the size of the patient in a slice, None where there is no body.

    Args:
        hu: (rows, columns) in HU.
        pixel_mm: side of the pixel in mm.
        padding: True where the scanner reconstructed nothing; None where it filled the matrix.

    >>> slice_hu = np.full((64, 64), -1000, np.float32)
    >>> slice_hu[16:48, 16:48] = 0
    >>> round(patient_size(slice_hu, pixel_mm=5).water_equivalent_mm**2 * np.pi / 4)
    25600
    """
    body = body_mask(hu)
    if not body.any():
        return None
    return PatientSize(
        area_mm2=float(body.sum()) * pixel_mm**2,
        water_equivalent_mm=water_equivalent_mm(hu[body], pixel_mm=pixel_mm),
        lateral_mm=float(body.any(axis=0).sum()) * pixel_mm,
        ap_mm=float(body.any(axis=1).sum()) * pixel_mm,
        cut_off_mm=cut_off_px(body, padding) * pixel_mm,
    )


def water_equivalent_mm(body_hu: FloatImage, *, pixel_mm: float) -> float:
    """Return the diameter of the disc of water that attenuates as a body does, in mm.

    AAPM Report 220 (2014): A_w = (mean HU / 1000 + 1) A, D_w = 2 sqrt(A_w / pi), over the body
    without the table.

    Args:
        body_hu: (N,) the pixels of the body in HU; 0 mm without any.
        pixel_mm: side of the pixel in mm.

    >>> round(water_equivalent_mm(np.zeros(100, np.float32), pixel_mm=1) ** 2 * np.pi / 4)
    100
    """
    water_px = float(body_hu.sum(dtype=np.float64)) / 1000 + body_hu.size
    return 2 * pixel_mm * float(np.sqrt(max(water_px, 0.0) / np.pi))


class _Fit(NamedTuple):
    """A conversion factor a exp(-b D), D in cm."""

    a: float
    b: float


_BODY_IN_BODY_PHANTOM = _Fit(3.704369, 0.03671937)
_BODY_IN_HEAD_PHANTOM = _Fit(1.874799, 0.03871313)
_HEAD_IN_HEAD_PHANTOM = _Fit(1.9852, 0.0486)


def ssde_mgy(
    ctdivol_mgy: float, *, water_equivalent_mm: float, phantom_mm: float, head: bool = False
) -> float:
    """Return the size-specific dose estimate in mGy; NaN outside 8 to 45 cm.

    Args:
        ctdivol_mgy: volume CT dose index.
        water_equivalent_mm: of the patient in this slice.
        phantom_mm: diameter of the phantom that the CTDIvol speaks of, 320 or 160.
        head: a head whose dose index speaks of the phantom of 160 mm takes the factor of AAPM
            Report 293 (2019), everything else those of Report 204 (2011).

    >>> round(ssde_mgy(10, water_equivalent_mm=320, phantom_mm=320), 2)
    11.44
    """
    if not _VALID_MM[0] <= water_equivalent_mm <= _VALID_MM[1]:
        return float("nan")
    fit = _BODY_IN_BODY_PHANTOM
    if phantom_mm == HEAD_PHANTOM_MM:
        fit = _HEAD_IN_HEAD_PHANTOM if head else _BODY_IN_HEAD_PHANTOM
    return ctdivol_mgy * fit.a * float(np.exp(-fit.b * water_equivalent_mm / 10))
