"""A chart shows its curves where their numbers are."""

from io import BytesIO

import numpy as np
from PIL import Image

from ctiqa.outputs.chart import line_chart

LABELS = {"x_label": "epoch", "y_label": "loss", "title": "losses"}
BLUE = np.array([0x00, 0x72, 0xB2])


def drawn(**curves: list[float]) -> np.ndarray:
    png = line_chart({name: np.array(curve) for name, curve in curves.items()}, **LABELS)
    return np.asarray(Image.open(BytesIO(png)))


def blue_rows(picture: np.ndarray, columns: slice) -> np.ndarray:
    # The legend stands at the upper right.
    return np.flatnonzero((picture[150:, columns] == BLUE).all(axis=2).any(axis=1))


def test_a_falling_curve_falls() -> None:
    picture = drawn(a=[1.0, 0.1, 0.01])
    width = picture.shape[1]
    left, right = slice(130, width // 3), slice(2 * width // 3, width - 60)
    assert blue_rows(picture, left).mean() < blue_rows(picture, right).mean()


def test_one_epoch_or_equal_values_can_be_drawn() -> None:
    for curve in ([0.3], [0.3, 0.3]):
        assert (drawn(a=curve) == BLUE).all(axis=2).any()


def test_the_same_curves_are_the_same_picture_and_another_curve_another() -> None:
    assert np.array_equal(drawn(a=[1, 0.5]), drawn(a=[1, 0.5]))
    assert not np.array_equal(drawn(a=[1, 0.5]), drawn(a=[1, 0.5], b=[0.9, 0.8]))
