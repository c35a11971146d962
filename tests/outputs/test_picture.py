"""A picture shows the slices as they are, and says below what they are."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctiqa.errors import WriteError
from ctiqa.images.window import LUNG, SOFT_TISSUE
from ctiqa.outputs.picture import Panel, as_png, write_picture

RAMP = np.linspace(-1200, 800, 200 * 300, dtype=np.float32).reshape(200, 300)


def grey(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)))


def test_a_pixel_of_the_picture_is_a_pixel_of_the_slice_in_its_window() -> None:
    shown = grey(as_png([Panel(RAMP, ()), Panel(RAMP[::-1], ())], window=SOFT_TISSUE))
    expected = np.rint(SOFT_TISSUE.apply(RAMP) * 255)
    assert np.array_equal(shown[:, :300], expected)
    assert np.array_equal(shown[:, -300:], expected[::-1])


def test_captions_stand_below_the_slices_and_never_on_them() -> None:
    bare = grey(as_png([Panel(RAMP, ())], window=LUNG))
    captioned = grey(as_png([Panel(RAMP, ("dose 1", "score 0.8"))], window=LUNG))
    assert np.array_equal(captioned[: len(bare)], bare)
    assert captioned[len(bare) :].max() > 128


def test_slices_of_two_sizes_stand_side_by_side() -> None:
    shown = grey(as_png([Panel(RAMP, ("a",)), Panel(RAMP[:50, :60], ())], window=LUNG))
    assert shown.shape[1] > 360
    assert not shown[60:, -60:].any()


def test_a_picture_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="nothing was written"):
        write_picture([Panel(RAMP, ())], tmp_path / "file" / "a.png", window=LUNG)
