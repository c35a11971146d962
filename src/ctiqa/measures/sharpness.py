"""Resolution seen at the patient's own edges."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize, special

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.measures.body import body_mask

__all__ = ["edge_sigma_mm", "f50_per_mm"]

_PROFILES = 720
_STEP_PX = 0.25
_REACH_PX = 9.0
_EDGE_HU = -500.0
_AIR_HU = -900.0
_TISSUE_HU = (-200.0, 250.0)
_ROUGH_HU = 120.0
_SKIN_MM = 1.2
_AIR_MM = 3.5
_FEWEST_PROFILES = 40
# An edge has four unknowns; of coarse pixels so few reach into skin that fat has not begun.
_FEWEST_POINTS = 4
_SECTORS = 24
_FEWEST_IN_SECTOR = 8
_FEWEST_SECTORS = 4

Numbers = npt.NDArray[np.float64]

_GRID_PX = np.arange(-_REACH_PX / 2, _REACH_PX / 2 + _STEP_PX / 2, _STEP_PX)


def edge_sigma_mm(hu: FloatImage, *, pixel_mm: float) -> float:
    """Return the standard deviation of the Gaussian that blurs the skin as the slice does, in mm.

    After Sanders et al., Med Phys 43, 2016, 5330 (doi 10.1118/1.4961984): the edge spread at the
    patient's outline. The fit uses air and the first millimetre of skin, since fat follows. Skin
    that leans along the table looks blurred, the more the thicker the slice; so the
    outline is sorted by the direction in which it faces into sectors, each is fitted by itself, and
    the median over the sectors counts.

    Args:
        hu: (rows, columns) in HU.
        pixel_mm: side of the pixel in mm.

    Returns:
        The standard deviation in mm, that of the pixel included; NaN where too little of a clean
        edge shows.
    """
    clean, sector = _clean_profiles(hu)
    if len(clean) < _FEWEST_PROFILES:
        return float("nan")
    groups = [clean[sector == each] for each in range(_SECTORS)]
    fitted = np.array(
        [
            _fitted_sigma(_GRID_PX * pixel_mm, np.median(group, axis=0))
            for group in groups
            if len(group) >= _FEWEST_IN_SECTOR
        ]
    )
    known = fitted[np.isfinite(fitted)]
    return float(np.median(known)) if known.size >= _FEWEST_SECTORS else float("nan")


def _fitted_sigma(distance_mm: Numbers, hu: Numbers) -> float:
    """Return the blur of one profile; NaN where no Gaussian edge fits."""
    near = (distance_mm > -_AIR_MM) & (distance_mm < _SKIN_MM)
    if near.sum() < _FEWEST_POINTS:
        return float("nan")

    x, y = distance_mm[near], hu[near]

    def misfit(edge: Numbers) -> Numbers:
        air, step, middle, sigma = edge
        return np.asarray(air + step * special.ndtr((x - middle) / sigma) - y)

    found = optimize.least_squares(misfit, (-1000.0, 1000.0, 0.0, 0.6), method="lm", max_nfev=2000)
    return float(abs(found.x[3])) if found.success else float("nan")


def f50_per_mm(sigma_mm: float) -> float:
    """Return the frequency at which a Gaussian blur halves the contrast, in line pairs per mm.

    >>> round(f50_per_mm(0.5), 3)
    0.375
    """
    return float(np.sqrt(np.log(2) / 2) / (np.pi * sigma_mm))


def _clean_profiles(hu: FloatImage) -> tuple[Numbers, npt.NDArray[np.intp]]:
    """Return profiles across the skin on :data:`_GRID_PX`, and the sector that each faces.

    They run along the normals of the outline, each aligned at its own crossing of -500 HU, so that
    no noise in the outline widens the edge. Those that meet table or clothing are left out.
    """
    body = body_mask(hu)
    if not body.any():
        return np.empty((0, len(_GRID_PX))), np.empty(0, np.intp)
    rows, columns, down, right = _outline(hu, body)
    offset = np.arange(-_REACH_PX, _REACH_PX + _STEP_PX / 2, _STEP_PX)
    places = np.stack(
        [rows[:, None] + down[:, None] * offset, columns[:, None] + right[:, None] * offset]
    )
    inside = ((places >= 0) & (places <= np.array(hu.shape)[:, None, None] - 1)).all(axis=(0, 2))
    profiles = ndimage.map_coordinates(hu, places[:, inside], order=3, mode="nearest")
    turns = np.arctan2(down[inside], right[inside]) / (2 * np.pi) % 1
    found = [
        (np.interp(_GRID_PX + edge, offset, profile), turn)
        for profile, edge, turn in _aligned(profiles, turns, offset)
        if abs(edge) <= _REACH_PX / 2
        and _is_skin(profile[offset < edge - 2.5], profile[offset > edge + 2.5])
    ]
    clean = np.array([profile for profile, _ in found]).reshape(-1, len(_GRID_PX))
    sector = np.array([turn for _, turn in found]) * _SECTORS
    return clean, sector.astype(np.intp) % _SECTORS


def _outline(hu: FloatImage, body: Mask) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Return points of the outline and the unit normals into the body, seen from its middle."""
    middle = np.array(ndimage.center_of_mass(body))
    smooth = ndimage.gaussian_filter(hu, 1.0)
    angle = 2 * np.pi * np.arange(_PROFILES) / _PROFILES
    out = np.stack([np.sin(angle), np.cos(angle)])
    # From far outside inwards: the first dense pixel of the body is the skin.
    distance = np.arange(0.75 * max(hu.shape), 0, -0.5)
    places = middle[:, None, None] + out[:, :, None] * distance
    dense = (ndimage.map_coordinates(smooth, places, order=1, cval=-1000) > _EDGE_HU) & (
        ndimage.map_coordinates(body.astype(np.uint8), places, order=0, cval=0) > 0
    )
    met = dense.any(axis=1)
    points = middle[:, None] + out[:, met] * distance[dense[met].argmax(axis=1)]
    slopes = (ndimage.gaussian_filter(hu, 2.0, order=order) for order in ((1, 0), (0, 1)))
    down, right = (ndimage.map_coordinates(slope, points, order=1) for slope in slopes)
    length = np.maximum(np.hypot(down, right), 1e-6)
    return points[0], points[1], down / length, right / length


def _aligned(
    profiles: FloatImage, turns: Numbers, offset: Numbers
) -> Iterator[tuple[Numbers, float, float]]:
    """Yield each profile with its crossing nearest to the middle, if it has one, and its turn."""
    for profile, turn in zip(profiles.astype(np.float64), turns, strict=True):
        rising = np.flatnonzero((profile[:-1] < _EDGE_HU) & (profile[1:] >= _EDGE_HU))
        if rising.size:
            at = rising[np.abs(offset[rising]).argmin()]
            share = (_EDGE_HU - profile[at]) / (profile[at + 1] - profile[at])
            yield profile, float(offset[at] + share * _STEP_PX), float(turn)


def _is_skin(before: Numbers, behind: Numbers) -> bool:
    """Say whether a profile comes from clean air and goes on in soft tissue."""
    low, high = _TISSUE_HU
    return bool(
        before.size > 8
        and behind.size > 8
        and before.max() < _AIR_HU + _ROUGH_HU
        and before.mean() < _AIR_HU
        and low < behind.mean() < high
        and behind.std() < _ROUGH_HU
    )
