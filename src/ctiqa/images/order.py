"""Put the slices of a series in order along the slice normal, and say what is odd about them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ctiqa.images.slice_header import SliceHeader

__all__ = ["in_order"]

# Positions closer than this are one position; scanners write two to five decimals.
_SAME_POSITION_MM: Final = 0.01
# A distance this many times the usual one is a gap.
_GAP: Final = 1.5
_LEAST_TILT_DEGREES: Final = 0.5


def in_order(headers: Sequence[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    """Return the slices along the normal, and notes on the series in words.

    Where one position is missing, all are ordered by the next fact that all slices have: slice
    location, instance number, file name.
    """
    names = sorted(headers, key=lambda header: (header.identity.path, header.identity.frame or 0))
    ordered, notes = _ordered(names)
    return ordered, [*notes, *_copy_notes(names)]


def _ordered(names: list[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    if all(header.position_mm is not None for header in names):
        ordered = sorted(names, key=_z)
        return ordered, [*_spacing_notes(ordered), *_tilt_notes(ordered)]
    if all(header.z_mm is not None and header.position_mm is None for header in names):
        ordered = sorted(names, key=_z)
        return ordered, ["ordered by slice location: no positions", *_spacing_notes(ordered)]
    if all(header.identity.instance_number is not None for header in names):
        ordered = sorted(names, key=lambda header: header.identity.instance_number or 0)
        return ordered, ["ordered by instance number, since positions are missing"]
    return names, ["ordered by file name, since positions and instance numbers are missing"]


def _copy_notes(headers: list[SliceHeader]) -> list[str]:
    known = [
        (header.identity.sop_instance_uid, header.identity.frame)
        for header in headers
        if header.identity.sop_instance_uid
    ]
    copies = len(known) - len(set(known))
    if not copies:
        return []
    return [f"{copies} of {len(headers)} images carry the SOP Instance UID of another"]


def _z(header: SliceHeader) -> float:
    return header.z_mm or 0.0


def _spacing_notes(ordered: list[SliceHeader]) -> list[str]:
    notes = []
    steps = np.diff([_z(header) for header in ordered])
    repeated = int((steps < _SAME_POSITION_MM).sum())
    if repeated:
        notes.append(f"{repeated} of {len(ordered)} slices repeat a position")
    steps = steps[steps >= _SAME_POSITION_MM]
    if steps.size >= 2:
        usual = float(np.median(steps))
        gaps = steps[steps > _GAP * usual]
        if gaps.size:
            many = "gap" if gaps.size == 1 else "gaps"
            notes.append(
                f"{gaps.size} {many}, the widest of {gaps.max():.4g} mm where slices are"
                f" {usual:.4g} mm apart"
            )
    thickness = {header.acquisition.slice_thickness_mm for header in ordered} - {None}
    if len(thickness) > 1:
        listed = ", ".join(f"{value:g}" for value in sorted(filter(None, thickness)))
        notes.append(f"slices of several thicknesses: {listed} mm")
    return notes


def _tilt_notes(ordered: list[SliceHeader]) -> list[str]:
    """Return a note where slices lie beside one another, not straight above."""
    normal = ordered[0].normal
    places = np.array([header.position_mm for header in ordered])
    steps = np.diff(places, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    steps = steps[lengths >= _SAME_POSITION_MM]
    if normal is None or not len(steps):
        return []
    cosine = abs(float(np.dot(steps[0], normal))) / float(np.linalg.norm(steps[0]))
    degrees = float(np.degrees(np.arccos(min(cosine, 1.0))))
    if degrees < _LEAST_TILT_DEGREES:
        return []
    return [f"the gantry was tilted by {degrees:.1f} degrees: the slices are sheared"]
