"""Read a NIfTI volume in Hounsfield units."""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from gzip import BadGzipFile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ctiqa.images.ct_slice import AIR_HU, Acquisition, FloatImage, Identity, Mask
from ctiqa.images.facts import SAME_SIDE, Vector, patient_key
from ctiqa.images.frames import CUT_OFF
from ctiqa.images.pixels import mask_padding
from ctiqa.images.place import Place
from ctiqa.images.refusal import RefusedError
from ctiqa.images.slice_header import SliceHeader

__all__ = ["describe_nifti"]

_MM: Final = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
_MOST_BYTES: Final = 8 << 30
_FARTHEST_MM: Final = 1e6
_SILENT: Final = 1000
# A slice of a CT holds air somewhere and no value beyond what 16 bits hold.
_AIR_AT_MOST_HU: Final = -200.0
_HIGHEST_HU: Final = 66_000.0

_volume_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class NiftiPixels:
    """One axial slice of a NIfTI volume, found but not yet read.

    Args:
        file: the volume.
        axes: which axis of the array runs from left to right, back to front and feet to head.
        flips: whether it runs the other way.
        index: which slice, from the feet.
        slope: HU for one stored step.
        intercept: HU of a stored 0.
    """

    file: Path
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    index: int
    slope: float
    intercept: float

    def decode(self) -> tuple[FloatImage, Mask | None]:
        """Return the slice in HU, rows from front to back, and the mask of its padding.

        What is no number lies outside the field of view.

        Raises:
            OSError: if the file cannot be read.
            RefusedError: if its values cannot be HU.
            ValueError: if the file is damaged.
        """
        with _volume_lock:
            volume = _volume(self.file, self.file.stat().st_mtime_ns)
        volume = volume.transpose(self.axes)
        stored = volume[:, :, -1 - self.index if self.flips[2] else self.index]
        # An image shows the patient's right on its left and the front at its top.
        stored = stored[:: 1 if self.flips[0] else -1, :: 1 if self.flips[1] else -1].T
        hu = (stored * self.slope + self.intercept).astype(np.float32)
        outside = np.isnan(hu)
        hu[outside] = AIR_HU
        hu, padding = mask_padding(hu, tagged=outside)
        low, high = float(hu.min()), float(hu.max())
        if low > _AIR_AT_MOST_HU or high > _HIGHEST_HU:
            raise RefusedError(
                f"its values run from {low:g} to {high:g}, which are no Hounsfield units of a whole"
                " slice; convert it from DICOM again with rescaling"
            )
        return hu, padding


def describe_nifti(place: Place, path: str) -> list[SliceHeader]:
    """Return the axial slices of a volume, from the feet up; their identity is path and frame.

    Args:
        place: where the file lies, on disk.
        path: what results call it, relative to the input of the user.

    Raises:
        OSError: if the file cannot be read.
        RefusedError: if it is damaged or holds no such volume.
    """
    with _guarded():
        return list(_slices(_open(place.file), place.file, path))


def _slices(image: Any, file: Path, path: str) -> Iterator[SliceHeader]:
    shape = image.shape[:3]
    if len(image.shape) < 3 or any(length != 1 for length in image.shape[3:]):
        raise RefusedError(f"it has {len(image.shape)} dimensions; give one volume of a CT")
    if image.get_data_dtype().kind not in "iuf" or min(shape) < 1:
        raise RefusedError("its values are no numbers in Hounsfield units; give a CT volume")
    if np.prod(shape, dtype=float) * image.get_data_dtype().itemsize > _MOST_BYTES:
        raise RefusedError("it is larger than 8 GiB; split the volume")
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    axes, flips, affine = _orientation(image)
    sides_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if abs(sides_mm[0] - sides_mm[1]) > SAME_SIDE * sides_mm[0] or not sides_mm.all():
        raise RefusedError(
            f"its axial pixels are not square ({sides_mm[0]:g} x {sides_mm[1]:g} mm); give the"
            " volume as it was scanned, since interpolation would change its noise"
        )
    columns, rows, slices = (shape[axis] for axis in axes)
    normal = _vector(np.cross(affine[:3, 0], affine[:3, 1]) / (sides_mm[0] * sides_mm[1]))
    # Columns of the image run to the patient's left, those of the array to the right.
    along_row = _vector(-affine[:3, 0] / sides_mm[0])
    notes = ("read from NIfTI, which tells nothing of the acquisition",)
    for index in range(slices):
        position = _vector(affine @ (columns - 1, rows - 1, index, 1))
        yield SliceHeader(
            identity=Identity(path=path, frame=index + 1, patient_key=patient_key(path)),
            acquisition=Acquisition(),
            pixel_mm=float(sides_mm[0]),
            z_mm=float(np.dot(position, normal)),
            rows=rows,
            columns=columns,
            pixels=NiftiPixels(file, axes, flips, index, float(slope), float(intercept)),
            notes=notes,
            normal=normal,
            along_row=along_row,
            position_mm=position,
        )


def _vector(right_front_head: npt.NDArray[np.float64]) -> Vector:
    """Return a vector of NIfTI (right, front, head) in DICOM's axes (left, back, head)."""
    x, y, z = (float(part) for part in right_front_head[:3])
    return 0.0 - x, 0.0 - y, z


def _open(file: Path) -> Any:
    image = import_module("nibabel").load(file)
    data_bytes = np.prod(image.shape, dtype=float) * image.get_data_dtype().itemsize
    if file.suffix == ".nii" and file.stat().st_size < image.dataobj.offset + data_bytes:
        raise RefusedError(CUT_OFF)
    return image


@contextmanager
def _guarded() -> Iterator[None]:
    """Turn every way for a header to be damaged into a refusal, and keep nibabel quiet."""
    nibabel = import_module("nibabel")
    logger = import_module("nibabel.imageglobals").logger
    level = logger.level
    logger.setLevel(_SILENT)
    try:
        yield
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        BadGzipFile,
        EOFError,
        LookupError,
        OverflowError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise RefusedError("its NIfTI header is damaged; convert the scan again") from error
    finally:
        logger.setLevel(level)


def _orientation(
    image: Any,
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool], npt.NDArray[np.float64]]:
    """Return axes and flips that turn the array to right, front, head, and its affine then."""
    orientations = import_module("nibabel.orientations")
    affine = np.asarray(image.affine, float)
    if not (np.abs(affine) < _FARTHEST_MM).all():
        raise RefusedError("its affine is damaged; convert the scan again")
    codes = orientations.io_orientation(affine)
    if not np.isfinite(codes).all():
        raise RefusedError("its affine has no inverse; convert the scan again")
    axes = [int(np.flatnonzero(codes[:, 0] == target)[0]) for target in range(3)]
    flips = [bool(codes[axis, 1] < 0) for axis in axes]
    unit = image.header.get_xyzt_units()[0]
    turned = affine @ orientations.inv_ornt_aff(codes, image.shape[:3])
    scale = _MM.get(unit, 1.0)
    turned[:3] *= scale
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]), turned


@lru_cache(maxsize=1)
def _volume(file: Path, _changed: int) -> npt.NDArray[Any]:
    """Return the stored values of the volume last asked for; a .nii is mapped, not read."""
    with _guarded():
        image = import_module("nibabel").load(file)
    try:
        stored = image.dataobj.get_unscaled()
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(CUT_OFF) from error
    return stored.reshape(image.shape[:3])  # type: ignore[no-any-return]
