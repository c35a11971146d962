"""Filters of every kind are set to take the same out of a slice."""

import pytest

from ctiqa.degrade.residual import FILTERS, filter_for_residual, residual_sd_hu
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("residual_hu", [4.0, 16.0])
def test_a_filter_takes_out_what_was_wanted(
    kind: str, residual_hu: float, abdomen: CTSlice
) -> None:
    found = filter_for_residual(kind, abdomen, noise_hu=12, residual_hu=residual_hu)
    assert found is not None
    assert found.kind == kind
    taken = residual_sd_hu(found, abdomen, noise_hu=12)
    assert taken == pytest.approx(residual_hu, rel=0.03)


def test_more_than_the_slice_holds_cannot_be_taken_out(abdomen: CTSlice) -> None:
    assert filter_for_residual("wavelet", abdomen, noise_hu=12, residual_hu=2000) is None


def test_streaks_have_no_strength_to_find(abdomen: CTSlice) -> None:
    with pytest.raises(RecipeError, match="not for 'sparse_views'"):
        filter_for_residual("sparse_views", abdomen, noise_hu=12, residual_hu=4)
