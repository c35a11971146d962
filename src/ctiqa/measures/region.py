"""Which part of the body a slice shows, by rules that a person can check on the image."""

from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["BodyShape", "Region", "body_region"]

Region: TypeAlias = Literal["head", "neck", "chest", "abdomen", "extremity", "phantom"]

_BLOCK_PX: Final = 4
_LUNG_HU: Final = (-950.0, -500.0)
_GAS_HU: Final = -500.0
_BONE_HU: Final = 300.0
_ALIKE_HU: Final = 25.0
_SHELL_MM: Final = 20.0
_ANGLES: Final = 36

# Each limit stands where the training and calibration patients of the shipped model, the phantoms
# of tests and textbook sizes leave room on both sides.
_UNIFORM: Final = 0.8
_ROUND: Final = 0.06
_CUT: Final = 0.15
_LUNG: Final = 0.05
_SHOULDERS: Final = 1.9
_SKULL_RING: Final = 0.7
_SKULL_BONE: Final = 0.08
_HEAD_MM2: Final = 45_000.0
_LIMB_MM2: Final = 25_000.0
_AIRWAY_MM2: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyShape:
    """What the region is told by; shares are of the area of the body unless they say otherwise.

    Args:
        area_mm2: of the body in the slice.
        width: its extent along a row over that along a column.
        filled: its area over that of the ellipse of its extents; 1 for a disc.
        cut: share of that ellipse's outline that lies on the edge of the field of view.
        lung: share between -950 and -500 HU, a block away from the skin.
        gas_mm2: area below -500 HU, a block away from the skin.
        bone: share above 300 HU.
        ring: share of all directions in which there is bone within 20 mm of the skin.
        alike: share of the inside within 25 HU of its median.
    """

    area_mm2: float
    width: float
    filled: float
    cut: float
    lung: float
    gas_mm2: float
    bone: float
    ring: float
    alike: float

    @classmethod
    def of(cls, hu: FloatImage, body: Mask, *, pixel_mm: float, cut_off_mm: float) -> Self:
        """Return the shape of a body that is not empty; arguments as in :func:`body_region`."""
        mean_hu = _block_means(hu)
        rows, columns = (_BLOCK_PX * side for side in mean_hu.shape)
        coarse = body[:rows:_BLOCK_PX, :columns:_BLOCK_PX]
        block_mm = pixel_mm * _BLOCK_PX
        area_mm2 = float(coarse.sum()) * block_mm**2
        lateral_mm, ap_mm = (float(coarse.any(axis=axis).sum()) * block_mm for axis in (0, 1))
        inside = _eroded(coarse, 2)
        bone = coarse & (mean_hu > _BONE_HU)
        count = float(coarse.sum())
        low, high = _LUNG_HU
        return cls(
            area_mm2=area_mm2,
            width=lateral_mm / ap_mm,
            filled=area_mm2 / (np.pi / 4 * lateral_mm * ap_mm),
            cut=cut_off_mm / (np.pi / 2 * (lateral_mm + ap_mm)),
            lung=float((inside & (mean_hu > low) & (mean_hu < high)).sum()) / count,
            gas_mm2=float((inside & (mean_hu < _GAS_HU)).sum()) * block_mm**2,
            bone=float(bone.sum()) / count,
            ring=_ring(bone, coarse, shell_px=max(round(_SHELL_MM / block_mm), 1)),
            alike=_alike(mean_hu, inside),
        )


def body_region(hu: FloatImage, body: Mask, *, pixel_mm: float, cut_off_mm: float) -> Region | None:
    """Return what a slice shows; None where no body is seen or too much of a small one is cut off.

    In this order: a disc of one material is a phantom; lung, or shoulders twice as wide as deep,
    make a chest; a ring of bone near the skin of a small body is a head; what else is small is a
    neck with an airway and an extremity without; the rest is abdomen or pelvis.
    A sharp border between chest and abdomen does not exist: the first slices with 5 % of lung are
    called chest.

    Args:
        hu: (rows, columns) in HU.
        body: (rows, columns), of ``body.body_mask``.
        pixel_mm: side of the pixel in mm.
        cut_off_mm: length of the body's outline on the edge of the field of view.

    >>> away = np.linspace(-150, 150, 300)
    >>> disc = np.hypot(away, away[:, None]) < 100
    >>> hu = np.where(disc, 0, -1000).astype(np.float32)
    >>> body_region(hu, disc, pixel_mm=1, cut_off_mm=0)
    'phantom'
    """
    if not body[::_BLOCK_PX, ::_BLOCK_PX].any():
        return None
    seen = BodyShape.of(hu, body, pixel_mm=pixel_mm, cut_off_mm=cut_off_mm)
    round_ = abs(seen.width - 1) < _ROUND and abs(seen.filled - 1) < _ROUND
    if round_ and seen.cut == 0 and seen.alike >= _UNIFORM:
        return "phantom"
    if seen.lung >= _LUNG or seen.width >= _SHOULDERS:
        return "chest"
    return _small_or_abdomen(seen)


def _small_or_abdomen(seen: BodyShape) -> Region | None:
    """Tell apart what shows no lung, by its size first."""
    if seen.area_mm2 >= _HEAD_MM2:
        return "abdomen"
    if seen.cut > _CUT:
        return None
    if seen.bone >= _SKULL_BONE and seen.ring >= _SKULL_RING:
        return "head"
    if seen.area_mm2 >= _LIMB_MM2:
        return "abdomen"
    return "neck" if seen.gas_mm2 >= _AIRWAY_MM2 else "extremity"


def _block_means(hu: FloatImage) -> FloatImage:
    rows, columns = (side // _BLOCK_PX for side in hu.shape)
    whole = hu[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    # Four sums of whole rows cost a third of what a mean over two axes does.
    across = sum(whole[start::_BLOCK_PX] for start in range(_BLOCK_PX))
    means = np.reshape(across, (rows, columns, _BLOCK_PX)).mean(axis=2) / _BLOCK_PX
    return np.asarray(means, np.float32)


def _ring(bone: Mask, body: Mask, *, shell_px: int) -> float:
    """Return the share of directions, seen from the middle, that meet bone close to the skin."""
    deep = _eroded(body, shell_px)
    rows, columns = np.nonzero(bone & ~deep)
    middle_row, middle_column = (each.mean() for each in np.nonzero(body))
    turn = np.arctan2(rows - middle_row, columns - middle_column) / (2 * np.pi) + 0.5
    return len(np.unique((turn * _ANGLES).astype(np.int64) % _ANGLES)) / _ANGLES


def _alike(mean_hu: npt.NDArray[np.floating], inside: Mask) -> float:
    """Return the share of the inside that is one material, its noise smoothed away."""
    values = ndimage.uniform_filter(mean_hu, 3)[_eroded(inside, 1)]
    if not values.size:
        return 0.0
    return float((np.abs(values - np.median(values)) < _ALIKE_HU).mean())


def _eroded(mask: Mask, depth_px: int) -> Mask:
    # Ten times as fast as an erosion, and beyond the slice the body goes on, as it has to.
    return np.asarray(ndimage.minimum_filter(mask, 2 * depth_px + 1), bool)
