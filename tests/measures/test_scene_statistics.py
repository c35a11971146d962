"""The statistics of patches find known shapes, and do not know left from right."""

import numpy as np
import pytest
from scipy import stats

from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import abdomen_slice, ct_noise
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.measures.scene_statistics import (
    FEATURES,
    asymmetric_shape,
    divisively_normalised,
    mirrored,
    patch_features,
    symmetric_shape,
)


@pytest.fixture(scope="module")
def abdomen() -> FloatImage:
    rng = np.random.default_rng(0)
    return abdomen_slice(level=0.5).hu + ct_noise(sd_hu=12, rng=rng)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_the_shape_by_moments_is_within_5_percent_of_the_truth_and_of_the_likeliest(
    shape: float,
) -> None:
    sample = stats.gennorm.rvs(shape, scale=3, size=20000, random_state=1)
    (found,), (scale,) = symmetric_shape(sample[np.newaxis])
    likeliest, _, likeliest_scale = stats.gennorm.fit(sample, floc=0)
    assert found == pytest.approx(likeliest, rel=0.05)
    assert found == pytest.approx(shape, rel=0.05)
    # The scale of a shape of 0.5 is the wildest of them: both estimates scatter by some percent.
    assert scale == pytest.approx(likeliest_scale, rel=0.1)


@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0])
def test_an_asymmetric_sample_has_one_shape_and_a_scale_on_either_side(shape: float) -> None:
    rng = np.random.default_rng(2)
    size = np.abs(stats.gennorm.rvs(shape, size=40000, random_state=2))
    # A side is as often met as it is wide.
    right = rng.uniform(size=size.size) < 3 / 4
    sample = np.where(right, 3 * size, -size)
    (found,), (mean,), (low,), (high,) = asymmetric_shape(sample[np.newaxis])
    assert [found, low, high] == pytest.approx([shape, 1, 3], rel=0.05)
    # The paper's mean is that of the density whose sides meet at 0.
    assert mean == pytest.approx(sample.mean(), rel=0.1)


def test_a_symmetric_sample_has_no_mean() -> None:
    sample = np.random.default_rng(0).standard_normal((1, 40000))
    (shape,), (mean,), (low,), (high,) = asymmetric_shape(sample)
    assert shape == pytest.approx(2, rel=0.05)
    assert abs(mean) < 0.02
    assert low == pytest.approx(high, rel=0.05)


def test_the_normalised_image_has_no_unit() -> None:
    image = np.random.default_rng(0).normal(100, 50, (64, 64)).astype(np.float32)
    once, twice = divisively_normalised(image), divisively_normalised(2 * image)
    # But for the 1 that is added to the spread.
    assert twice == pytest.approx(once, rel=0.05, abs=0.01)


def test_each_patch_has_36_finite_numbers(abdomen: FloatImage) -> None:
    features = patch_features(abdomen, SOFT_TISSUE)
    assert len(features) > 10
    assert features.shape[1] == FEATURES
    assert np.isfinite(features).all()


def test_flips_and_quarter_turns_only_reorder_what_is_mirrored(abdomen: FloatImage) -> None:
    whole = mirrored(patch_features(abdomen, SOFT_TISSUE))
    mean, spread = whole.mean(axis=0), whole.std(axis=0)
    for turned in (abdomen[::-1], abdomen[:, ::-1], abdomen.T, np.rot90(abdomen)):
        other = mirrored(patch_features(np.ascontiguousarray(turned), SOFT_TISSUE))
        assert other.shape == whole.shape
        assert other.mean(axis=0) == pytest.approx(mean, rel=1e-3, abs=1e-3)
        assert other.std(axis=0) == pytest.approx(spread, rel=1e-2, abs=1e-3)


def test_where_there_is_no_body_or_no_texture_there_is_no_patch() -> None:
    air = np.full((128, 128), -1000, np.float32)
    water = np.zeros((128, 128), np.float32)
    assert patch_features(air, SOFT_TISSUE).shape == (0, FEATURES)
    assert patch_features(water, SOFT_TISSUE).shape == (0, FEATURES)
