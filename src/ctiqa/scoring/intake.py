"""Turn whatever a user hands over into slices that wait to be loaded."""

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import Acquisition, CTSlice, FloatImage, Identity, Mask
from ctiqa.images.refusal import Refusal
from ctiqa.images.series import Reading, Series, read
from ctiqa.images.slice_header import SliceHeader
from ctiqa.scoring.privacy import DISCREET, Discretion, Privacy, discreet

__all__ = ["Inputs", "Intake", "Waiting", "behind_rows", "take_in"]

Inputs: TypeAlias = (
    str | Path | Sequence[str | Path] | Reading | Series | Iterable[CTSlice] | npt.NDArray[Any]
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A slice to be loaded, the series it belongs to, and what was noted of that series."""

    header: SliceHeader
    series: tuple[int | str, ...]
    series_notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intake:
    """Slices in the order of their scoring, how many (None: nobody knows), what was refused."""

    waiting: Iterable[Waiting]
    total: int | None
    refusals: tuple[Refusal, ...] = ()


def take_in(
    inputs: Inputs,
    *,
    size: int | None,
    step: int = 1,
    hu: bool = False,
    pixel_mm: float | None = None,
    privacy: Privacy = DISCREET,
) -> Intake:
    """Return the slices that ``inputs`` hold, none of them decoded yet.

    Args:
        inputs: files, folders or zips; what :func:`ctiqa.read` returned; slices; or an array
            (N, rows, columns) or (rows, columns).
        size: side of the square matrix that every slice is padded or cropped to; None keeps it.
        step: take every how many slices of a series.
        hu: says of an array that it holds Hounsfield units.
        pixel_mm: side of an array's pixel.
        privacy: what may be told of patients.

    Raises:
        ReadError: if ``inputs`` are nothing of this kind, or an array whose unit nobody told.
    """
    if isinstance(inputs, np.ndarray):
        return _from_array(inputs[::step] if inputs.ndim == 3 else inputs, size, hu, pixel_mm)
    if isinstance(inputs, str | os.PathLike) or _are_paths(inputs):
        return _from_reading(read(inputs, size=size), size, step, privacy)
    if isinstance(inputs, Reading | Series):
        reading = Reading((inputs,), ()) if isinstance(inputs, Series) else inputs
        return _from_reading(reading, size, step, privacy)
    if not isinstance(inputs, Iterable):
        raise ReadError(_foreign(inputs))
    total = -(-len(inputs) // step) if isinstance(inputs, Sized) else None
    return Intake(_from_slices(islice(inputs, 0, None, step), size, privacy), total)


def behind_rows(
    reading: Reading, privacy: Privacy = DISCREET
) -> dict[tuple[str, int | None], SliceHeader]:
    """Return the header of every slice by path and frame, as the rows of results tell them.

    Args:
        reading: what was scored.
        privacy: with which it was scored.
    """
    return {
        (header.identity.path, header.identity.frame): header
        for series in discreet(reading, privacy).series
        for header in series.headers
    }


def _are_paths(inputs: object) -> TypeGuard[Sequence[str | Path]]:
    return isinstance(inputs, list | tuple) and all(
        isinstance(each, str | os.PathLike) for each in inputs
    )


def _from_reading(reading: Reading, size: int | None, step: int, privacy: Privacy) -> Intake:
    told = discreet(reading, privacy)
    waiting = [
        Waiting(header if header.size == size else header.fitted(size), (number,), series.notes)
        for number, series in enumerate(told.series)
        for header in series.headers[::step]
    ]
    return Intake(waiting, len(waiting), told.refusals)


def _from_slices(slices: Iterable[object], size: int | None, privacy: Privacy) -> Iterator[Waiting]:
    discretion = Discretion(privacy)
    for each in slices:
        if not isinstance(each, CTSlice):
            raise ReadError(_foreign(each))
        header = SliceHeader(
            identity=discretion.of(each.identity),
            acquisition=each.acquisition,
            pixel_mm=each.pixel_mm,
            z_mm=each.z_mm,
            rows=each.hu.shape[0],
            columns=each.hu.shape[1],
            pixels=_InMemory(each.hu, each.padding),
            notes=each.notes,
        )
        series = (each.identity.study_instance_uid, each.identity.series_instance_uid)
        yield Waiting(header.fitted(size), series)


def _from_array(
    array: npt.NDArray[Any], size: int | None, hu: bool, pixel_mm: float | None
) -> Intake:
    if not hu or pixel_mm is None:
        raise ReadError(
            "an array does not say what its numbers are; pass hu=True if they are Hounsfield "
            "units, and pixel_mm=, the side of a pixel"
        )
    if array.ndim not in {2, 3}:
        raise ReadError(f"an array is (N, rows, columns) or (rows, columns), not {array.shape}")
    volume = array if array.ndim == 3 else array[np.newaxis]
    waiting = [
        Waiting(
            SliceHeader(
                identity=Identity(path="array", instance_number=number),
                acquisition=Acquisition(),
                pixel_mm=pixel_mm,
                z_mm=None,
                rows=volume.shape[1],
                columns=volume.shape[2],
                pixels=_InMemory(plane, None),
            ).fitted(size),
            ("array",),
        )
        for number, plane in enumerate(volume, start=1)
    ]
    return Intake(waiting, len(waiting))


def _foreign(thing: object) -> str:
    return (
        f"a {type(thing).__name__} cannot be scored; give paths, ctiqa.CTSlice objects or an array "
        "in Hounsfield units with hu=True"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _InMemory:
    """Pixels that are decoded already."""

    hu: npt.NDArray[Any]
    padding: Mask | None

    def decode(self) -> tuple[FloatImage, Mask | None]:
        """Return the slice as it is."""
        return self.hu.astype(np.float32, copy=False), self.padding
