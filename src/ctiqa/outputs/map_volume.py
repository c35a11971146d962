"""Place the quality maps of a series in the patient, and write them as a NIfTI volume."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ctiqa.errors import ReadError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage, Identity
from ctiqa.images.slice_header import SliceHeader, fit_window

__all__ = ["MapVolume", "place_maps", "write_nifti"]

_EVEN_MM: Final = 0.05
"""Steps from slice to slice that differ by less are one step: headers round positions."""

_SCANNER: Final = 1
_DICOM_TO_NIFTI: Final = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapVolume:
    """The maps of a series on their cells, and where these lie in the patient.

    Vectors and places are in DICOM's patient coordinates (left, posterior, head).

    Args:
        series: how a sentence calls it.
        loss: (slices, cells, cells) float32 in [0, 1]; NaN in slices without a map.
        cell_mm: side of a cell.
        places_mm: (slices, 3) the centre of the first cell of each slice.
        along_row: unit vector along which the columns of cells rise.
        along_column: unit vector along which their rows rise.
        thickness_mm: of the first slice, 1 where the header is silent.
    """

    series: str
    loss: FloatImage
    cell_mm: float
    places_mm: npt.NDArray[np.float64]
    along_row: npt.NDArray[np.float64]
    along_column: npt.NDArray[np.float64]
    thickness_mm: float


def place_maps(
    headers: Sequence[SliceHeader], maps: Mapping[Identity, FloatImage], *, size: int
) -> MapVolume:
    """Return the maps of some slices, placed in the patient.

    Args:
        headers: the slices in order, of one matrix size; at least one has a map.
        maps: the loss of each cell, as :class:`ctiqa.scoring.quality_map.QualityMap` has it, by the
            identity of its slice.
        size: side of the network's square in pixels.

    Raises:
        ReadError: if a slice does not tell where it lies.
    """
    first = headers[0]
    series = f"series {first.identity.series_instance_uid or first.identity.path}"
    if first.along_row is None or any(header.position_mm is None for header in headers):
        raise ReadError(
            f"{series}: its images do not tell where they lie in the patient, so a map of them"
            " cannot be placed there; take the pictures"
        )
    one = next(maps[header.identity] for header in headers if header.identity in maps)
    cell_px = size // len(one)
    nothing = np.full_like(one, np.nan)
    along_row = np.array(first.along_row)
    along_column = np.cross(np.array(first.normal), along_row)
    down, right = (_first_cell_px(side, size, cell_px) for side in (first.rows, first.columns))
    to_cell_mm = first.pixel_mm * (right * along_row + down * along_column)
    return MapVolume(
        series=series,
        loss=np.stack([maps.get(header.identity, nothing) for header in headers]),
        cell_mm=cell_px * first.pixel_mm,
        places_mm=np.array([header.position_mm for header in headers]) + to_cell_mm,
        along_row=along_row,
        along_column=along_column,
        thickness_mm=first.acquisition.slice_thickness_mm or 1.0,
    )


def write_nifti(volume: MapVolume, path: Path) -> Path:
    """Write the maps as NIfTI, the voxels as large as the cells; it names nobody.

    Raises:
        ReadError: if the slices are not evenly spaced, which NIfTI cannot say.
        WriteError: if the file could not be written whole.
    """
    image = import_module("nibabel").Nifti1Image(volume.loss.transpose(2, 1, 0), _affine(volume))
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, _SCANNER)
    image.set_qform(image.affine, _SCANNER)
    image.header["cal_min"], image.header["cal_max"] = 0, 1
    image.header["descrip"] = b"share of image quality lost (ctiqa)"
    return write_whole(path, gzip.compress(image.to_bytes(), mtime=0))


def _first_cell_px(length: int, size: int, cell_px: int) -> float:
    """Return where on an axis of a slice the centre of the first cell lies, in its pixels.

    >>> _first_cell_px(512, 512, 8), _first_cell_px(400, 512, 8), _first_cell_px(768, 512, 8)
    (3.5, -52.5, 131.5)
    """
    inside, within = fit_window(length, size)
    return float((cell_px - 1) / 2 + inside.start - within.start)


def _affine(volume: MapVolume) -> npt.NDArray[np.float64]:
    """Return what takes (column, row, slice) to mm in NIfTI's axes (right, front, head)."""
    affine = np.eye(4)
    directions = (
        volume.cell_mm * volume.along_row,
        volume.cell_mm * volume.along_column,
        _step_mm(volume),
    )
    affine[:3, :3] = _DICOM_TO_NIFTI @ np.column_stack(directions)
    affine[:3, 3] = _DICOM_TO_NIFTI @ volume.places_mm[0]
    return affine


def _step_mm(volume: MapVolume) -> npt.NDArray[np.float64]:
    """Return the way from slice to slice."""
    if len(volume.places_mm) == 1:
        return volume.thickness_mm * np.cross(volume.along_row, volume.along_column)
    steps = np.diff(volume.places_mm, axis=0)
    step = steps.mean(axis=0)
    if np.abs(steps - step).max() > _EVEN_MM or np.linalg.norm(step) < _EVEN_MM:
        raise ReadError(
            f"{volume.series}: its slices are not evenly spaced, which a NIfTI volume cannot say;"
            " take the pictures or the DICOM map"
        )
    return np.asarray(step)
