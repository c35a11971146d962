"""Draw a synthetic chest or abdomen, level by level of one patient, without noise."""

from typing import Final

import numpy as np
from scipy import ndimage

from ctiqa.images.canvas import Canvas
from ctiqa.images.ct_slice import FloatImage

__all__ = ["draw_abdomen", "draw_chest"]

# HU of tissues at 120 kVp, rounded from textbook ranges.
_GAS: Final = -985.0
_LUNG: Final = -860.0
_TABLE: Final = -650.0
_FAT: Final = -100.0
_FLUID: Final = 12.0
_KIDNEY: Final = 34.0
_BLOOD: Final = 45.0
_SPLEEN: Final = 50.0
_MUSCLE: Final = 55.0
_LIVER: Final = 62.0
_MARROW: Final = 210.0
_CORTEX: Final = 720.0

_MOTTLE_HU: Final = 5.0
_MOTTLE_MM: Final = 2.5
_VESSELS: Final = 170


def draw_chest(*, level: float, seed: int, pixel_mm: float, size: int) -> FloatImage:
    """Return (size, size) HU of a chest; level 0 at the shoulders, 1 under the diaphragm."""
    rng = np.random.default_rng([seed, 1])
    canvas, width, depth = _trunk(rng, size, pixel_mm, sides_mm=172, depth_mm=112)
    full = float(np.sqrt(max(1 - ((level - 0.55) / 0.62) ** 2, 0.1)))
    _mediastinum(canvas, level)
    for side in (-1, 1):
        lung = (side * 0.46 * width, -0.06 * depth), (0.34 * width * full, 0.72 * depth * full)
        canvas.ellipse(_LUNG, *lung)
        _vessels(canvas, lung, level, rng)
    if level > 0.4:
        swell = np.sin(np.pi * min((level - 0.4) / 0.5, 1)) ** 0.5 if level < 0.9 else 0.0
        canvas.ellipse(_BLOOD, (24, -22), (58 * swell + 1, 46 * swell + 1), turn=0.6)
    if level > 0.72:
        dome = ((level - 0.72) / 0.28) ** 0.5
        canvas.ellipse(_LIVER, (-0.44 * width, 0), (0.36 * width * dome, 0.7 * depth * dome))
    _spine(canvas, depth)
    _ribs(canvas, width, depth, level)
    canvas.ellipse(_CORTEX, (0, -0.88 * depth), (17, 6))
    canvas.ellipse(_MARROW, (0, -0.88 * depth), (15, 4))
    return _mottled(canvas, seed, level)


def draw_abdomen(*, level: float, seed: int, pixel_mm: float, size: int) -> FloatImage:
    """Return (size, size) HU of an abdomen; level 0 under the diaphragm, 1 at the navel."""
    rng = np.random.default_rng([seed, 2])
    canvas, width, depth = _trunk(rng, size, pixel_mm, sides_mm=168, depth_mm=118)
    canvas.ellipse(_FAT, (0, -0.08 * depth), (0.78 * width, 0.72 * depth))
    liver = 1 - 0.75 * level
    canvas.ellipse(_LIVER, (-0.36 * width, -0.1 * depth), (0.42 * width * liver, 0.6 * depth))
    canvas.ellipse(_FLUID, (-0.12 * width, -0.4 * depth), (13 * liver, 16 * liver))
    canvas.ellipse(_SPLEEN, (0.58 * width, 0.12 * depth), (0.2 * width * liver, 0.34 * depth))
    for side in (-1, 1):
        kidney = max(1 - abs(level - 0.55) / 0.5, 0.05) ** 0.5
        canvas.ellipse(_KIDNEY, (side * 0.38 * width, 0.36 * depth), (27 * kidney, 32 * kidney))
        canvas.ellipse(_FAT, (side * 0.34 * width, 0.36 * depth), (9 * kidney, 12 * kidney))
    for loop in rng.uniform(0, 1, (26, 5)):
        centre = (loop[0] - 0.5) * 1.1 * width, (loop[1] - 0.95) * 0.62 * depth
        radius = 9 + 9 * loop[2]
        if abs(loop[4] - level) > 0.35 or centre[0] < -0.1 * width * (1 - level) * 3:
            continue
        canvas.ellipse(_MUSCLE, centre, (radius, 0.8 * radius), turn=6 * loop[3])
        canvas.ellipse(_FLUID, centre, (radius - 2.5, 0.8 * radius - 2.5), turn=6 * loop[3])
        if loop[3] > 0.55:
            canvas.ellipse(_GAS, (centre[0], centre[1] - 0.3 * radius), (0.5 * radius, 4))
    canvas.ellipse(_BLOOD, (9, 0.32 * depth), (10, 10))
    canvas.ellipse(_BLOOD, (-17, 0.32 * depth), (12, 9))
    _spine(canvas, depth)
    _ribs(canvas, width, depth, 2 + level, rear_only=True)
    return _mottled(canvas, seed, level)


def _trunk(
    rng: np.random.Generator, size: int, pixel_mm: float, *, sides_mm: float, depth_mm: float
) -> tuple[Canvas, float, float]:
    canvas = Canvas.of_air(size, pixel_mm)
    stout = rng.uniform(0.93, 1.06)
    fat_mm = rng.uniform(9, 19)
    width, depth = stout * sides_mm, stout * depth_mm
    canvas.ellipse(_TABLE, (0, depth + 8), (230, 26))
    canvas.ellipse(_GAS, (0, depth + 8), (226, 23))
    canvas.ellipse(_FAT, (0, 0), (width, depth))
    canvas.ellipse(_MUSCLE, (0, 0), (width - fat_mm, depth - 0.8 * fat_mm))
    return canvas, width, depth


def _mediastinum(canvas: Canvas, level: float) -> None:
    canvas.ellipse(_FAT, (4, -18), (38, 62))
    canvas.ellipse(_BLOOD, (17, 40), (12, 12))
    canvas.ellipse(_MUSCLE, (5, 30), (8, 6))
    if level < 0.6:
        canvas.ellipse(_BLOOD, (-12, -24), (15, 14))
        canvas.ellipse(_BLOOD, (-30, -14), (9, 11))
    if level < 0.42:
        canvas.ellipse(_GAS, (0, 8), (9.5, 8.5))


def _vessels(
    canvas: Canvas,
    lung: tuple[tuple[float, float], tuple[float, float]],
    level: float,
    rng: np.random.Generator,
) -> None:
    """Paint vessels that thin out from the hilum to the wall and wander from level to level."""
    (right, down), (width, depth) = lung
    inwards = -np.sign(right) * 0.8
    for start, drift, far, bend, long in rng.uniform(0, 1, (_VESSELS, 5)):
        angle = 2 * np.pi * start + 5 * (drift - 0.5) * level
        reach = 0.96 * far**0.6
        x = inwards + reach * (np.cos(angle) - inwards)
        y = reach * np.sin(angle)
        if np.hypot(x, y) > 0.94:
            continue
        radius = 0.5 + 3.5 * (1 - reach) ** 1.5
        centre = (right + width * x, down + depth * y)
        canvas.ellipse(_BLOOD, centre, (radius * (1 + 4 * long**3), radius), turn=angle + bend)


def _spine(canvas: Canvas, depth: float) -> None:
    for side in (-1, 1):
        canvas.ellipse(_CORTEX, (side * 24, 0.73 * depth), (17, 4.5), turn=side * 0.5)
        canvas.ellipse(_MARROW, (side * 24, 0.73 * depth), (15, 3), turn=side * 0.5)
    for hu, rim in ((_CORTEX, 0.0), (_MARROW, 1.7)):
        canvas.ellipse(hu, (0, 0.5 * depth), (20 - rim, 16 - rim))
        canvas.ellipse(hu, (0, 0.8 * depth), (4.5 - rim, 12 - rim))
    canvas.ellipse(_CORTEX, (0, 0.69 * depth), (12, 10))
    canvas.ellipse(_FLUID, (0, 0.69 * depth), (9.5, 8))


def _ribs(
    canvas: Canvas, width: float, depth: float, level: float, *, rear_only: bool = False
) -> None:
    """Paint ribs as they cross the slice: arcs that walk round the chest from level to level."""
    for rib in range(7):
        for side in (-1, 1):
            angle = np.pi * (0.08 + 0.84 * ((rib / 7 + 1.7 * level) % 1)) - np.pi / 2
            if rear_only and angle < 0.5:
                continue
            x, y = 0.85 * width * np.cos(angle), 0.86 * depth * np.sin(angle)
            turn = np.arctan2(0.86 * depth * np.cos(angle), -0.85 * width * np.sin(angle))
            centre, turn = (side * x, y), side * turn
            canvas.ellipse(_CORTEX, centre, (13, 4.6), turn=turn)
            canvas.ellipse(_MARROW, centre, (11.5, 3.1), turn=turn)


def _mottled(canvas: Canvas, seed: int, level: float) -> FloatImage:
    """Add the unevenness of tissue, which belongs to the patient and not to the noise."""
    rng = np.random.default_rng([seed, 3, int(level * 10_000)])
    white = rng.standard_normal(canvas.hu.shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, _MOTTLE_MM / canvas.pixel_mm)
    share = np.clip((canvas.hu + 1000) / 1000, 0, 1)
    return np.asarray(canvas.hu + share * smooth * (_MOTTLE_HU / smooth.std()), np.float32)
