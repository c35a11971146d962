"""Natural scene statistics of patches: 36 numbers that noise, blur and artefacts change.

After Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", IEEE
Signal Processing Letters 20, 2013, 209 (doi 10.1109/LSP.2012.2227726), and of its equations for CT.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import gamma

from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.window import Window
from ctiqa.measures.body import body_mask

__all__ = [
    "FEATURES",
    "PATCH_PX",
    "asymmetric_shape",
    "divisively_normalised",
    "mirrored",
    "patch_features",
    "symmetric_shape",
]

FEATURES = 36
"""Eighteen at each of two scales."""

PATCH_PX = 48
"""Side of a patch at the finer scale. The paper has 96; in CT, of which half is air, smaller ones
followed the labels of training patients better."""

_GREY_LEVELS = 255.0
_LEAST_BODY = 0.75
_MOST_CLIPPED = 0.5
_LEAST_VARIANCE = 1e-6

Array: TypeAlias = npt.NDArray[np.float64]

_SHAPES = np.arange(0.2, 10.0, 0.001)
_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))


def patch_features(hu: FloatImage, window: Window) -> Array:
    """Return the statistics of each patch that shows enough of the body, at two scales.

    Patches stand side by side about the middle of the slice. One counts if the body fills three
    quarters of it and at most half is clipped by the window. The paper chooses patches by their
    sharpness; in CT those would be the noisiest.

    Args:
        hu: (rows, columns) in HU.
        window: whose range becomes 0 to 255.

    Returns:
        (patches, 36): shape and scale of the normalised pixels, and of the products of neighbours
        across, down and along both diagonals: shape, mean, scale to the left and to the right.
    """
    grey = window.apply(hu)
    clipped = (grey <= 0) | (grey >= 1)
    body = _patches(body_mask(hu).astype(np.float32), PATCH_PX).mean(axis=(1, 2))
    lost = _patches(clipped.astype(np.float32), PATCH_PX).mean(axis=(1, 2))
    use = (body >= _LEAST_BODY) & (lost <= _MOST_CLIPPED)
    fine = grey * np.float32(_GREY_LEVELS)
    scales: list[Array] = []
    for image, side in ((fine, PATCH_PX), (_halved(fine, PATCH_PX), PATCH_PX // 2)):
        # Patches are cut after the normalisation, whose window crosses their borders.
        patches = _patches(divisively_normalised(image), side)[use].astype(np.float64)
        use[use] = textured = patches.var(axis=(1, 2)) > _LEAST_VARIANCE
        scales = [each[textured] for each in scales]
        scales.append(_statistics(patches[textured]))
    return np.concatenate(scales, axis=1)


def divisively_normalised(image: FloatImage) -> FloatImage:
    """Return (I - mean) / (SD + 1), both over a Gaussian of 7 x 7 pixels; same shape."""
    mean = _blurred(image)
    variance = _blurred(image * image) - mean * mean
    return np.asarray((image - mean) / (np.sqrt(np.maximum(variance, 0)) + 1), np.float32)


def symmetric_shape(values: Array) -> tuple[Array, Array]:
    """Return shape and scale of generalised Gaussians, matched to their moments.

    The density is proportional to exp(-(|x| / scale)^shape): shape 2 is Gauss, 1 Laplace. Of the
    two moments, (E|x|)^2 / E x^2 names the shape (Sharifi and Leon-Garcia, IEEE Transactions on
    Circuits and Systems for Video Technology 5, 1995, 52, doi 10.1109/76.350779).

    Args:
        values: (samples, n) of mean 0, none of them all zero.

    Returns:
        Shape, between 0.2 and 10, and scale; (samples,) each.
    """
    square = np.mean(values * values, axis=1)
    shape = _shape(np.mean(np.abs(values), axis=1) ** 2 / square)
    return shape, np.sqrt(square) * _scale_per_sd(shape)


def asymmetric_shape(values: Array) -> tuple[Array, Array, Array, Array]:
    """Return shape, mean, left and right scale of asymmetric generalised Gaussians.

    Matched to moments by Lasmar, Stitou and Berthoumieu, ICIP 2009
    (doi 10.1109/ICIP.2009.5414404): one shape, a scale of its own on each side of 0.

    Args:
        values: (samples, n), none of them all zero.

    Returns:
        (samples,) each.
    """
    left, right = (_one_sided_sd(values, side) for side in (values < 0, values > 0))
    ratio = left / right
    seen = np.mean(np.abs(values), axis=1) ** 2 / np.mean(values * values, axis=1)
    shape = _shape(seen * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2)
    low, high = left * _scale_per_sd(shape), right * _scale_per_sd(shape)
    return shape, (high - low) * gamma(2 / shape) / gamma(1 / shape), low, high


def mirrored(features: Array) -> Array:
    """Return the features of the same patches in all eight flips and quarter turns, each once.

    They only swap the two diagonals, and across with down: four variants.

    Args:
        features: (patches, 36).

    Returns:
        (4 x patches, 36).
    """
    scales = features.reshape(len(features), 2, FEATURES // 2)
    marginal, pairs = scales[:, :, :2], scales[:, :, 2:].reshape(len(features), 2, 4, 4)
    orders = ([0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2])
    variants = [
        np.concatenate([marginal, pairs[:, :, order].reshape(len(features), 2, 16)], axis=2)
        for order in orders
    ]
    return np.concatenate(variants).reshape(-1, FEATURES)


def _statistics(patches: Array) -> Array:
    """Return the 18 numbers of each patch, (patches, 18)."""
    count = len(patches)
    products = (
        patches[:, :, :-1] * patches[:, :, 1:],
        patches[:, :-1] * patches[:, 1:],
        patches[:, :-1, :-1] * patches[:, 1:, 1:],
        patches[:, :-1, 1:] * patches[:, 1:, :-1],
    )
    columns = [*symmetric_shape(patches.reshape(count, patches[0].size if count else 1))]
    for each in products:
        columns += asymmetric_shape(each.reshape(count, each[0].size if count else 1))
    return np.stack(columns, axis=1)


def _shape(ratio: Array) -> Array:
    """Return the shape whose (E|x|)^2 / E x^2 is ``ratio``; the ratio rises with the shape."""
    return np.asarray(np.interp(ratio, _RATIOS, _SHAPES), np.float64)


def _scale_per_sd(shape: Array) -> Array:
    return np.asarray(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))


def _one_sided_sd(values: Array, side: npt.NDArray[np.bool_]) -> Array:
    """Return the root mean square of the values on one side of 0, (samples,), above 0."""
    squares = np.where(side, values * values, 0).sum(axis=1)
    mean = squares / np.maximum(side.sum(axis=1), 1)
    return np.asarray(np.sqrt(np.maximum(mean, _LEAST_VARIANCE**2)), np.float64)


def _blurred(image: FloatImage) -> FloatImage:
    sigma = 7 / 6  # the window of 7 pixels reaches three of them to either side
    across = ndimage.gaussian_filter1d(image, sigma, axis=1, radius=3)
    return np.asarray(ndimage.gaussian_filter1d(across, sigma, axis=0, radius=3), np.float32)


def _middle(image: npt.NDArray[np.float32], patch: int) -> npt.NDArray[np.float32]:
    """Return as many whole patches as fit, about the middle."""
    parts = []
    for side in image.shape:
        kept = side // patch * patch
        start = (side - kept) // 2
        parts.append(slice(start, start + kept))
    return image[tuple(parts)]


def _patches(image: FloatImage, patch: int) -> FloatImage:
    """Return the patches, (n, patch, patch), row by row."""
    middle = _middle(image, patch)
    down, across = (side // patch for side in middle.shape)
    blocks = middle.reshape(down, patch, across, patch).swapaxes(1, 2)
    return blocks.reshape(-1, patch, patch)


def _halved(image: FloatImage, patch: int) -> FloatImage:
    """Return the middle at half its resolution: the mean over 2 x 2 pixels."""
    middle = _middle(image, patch)
    rows, columns = (side // 2 for side in middle.shape)
    return np.asarray(middle.reshape(rows, 2, columns, 2).mean(axis=(1, 3)), np.float32)
