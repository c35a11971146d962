"""A model small enough to be worked out by hand, and slices for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from ctiqa.card import Card, TrainingRange
from ctiqa.images.ct_slice import Acquisition, CTSlice, FloatImage, Identity

SIZE = 64

# Members: mean of the HU in thousands plus 0, 0.1, 0.2 and 0.3.
MEAN_NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
mean (float[N, 64, 64] hu) => (float[N, 4] scores)
<float thousandth = {0.001}, float[4] steps = {0.0, 0.1, 0.2, 0.3}>
{
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   unit = Mul(mean, thousandth)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(unit, last)
   scores = Add(column, steps)
}
"""

WriteModel = Callable[..., Path]
MakeSlice = Callable[..., CTSlice]


@pytest.fixture
def card() -> Card:
    return Card(
        name="mean",
        outputs=4,
        size=SIZE,
        windows_hu=((2000.0, 0.0),),
        training_range=TrainingRange(
            kvp=(100.0, 140.0),
            kernels=("B30f",),
            slice_thickness_mm=(1.0, 5.0),
            pixel_mm=(0.6, 0.9),
            body_regions=("CHEST",),
            noise_hu=(5.0, 60.0),
        ),
        licence="Apache-2.0",
    )


@pytest.fixture
def write_model(tmp_path: Path, card: Card) -> WriteModel:
    """Return a writer of the model: ``write_model(name, card=text of another card)``."""

    def write(name: str = "mean.onnx", *, card_text: str | None = None) -> Path:
        network = onnx.parser.parse_model(MEAN_NETWORK)
        text = card.to_json() if card_text is None else card_text
        if text:
            onnx.helper.set_model_props(network, {"ctiqa_card": text})
        path = tmp_path / name
        path.write_bytes(network.SerializeToString())
        return path

    return write


@pytest.fixture
def model(write_model: WriteModel) -> Path:
    return write_model()


@pytest.fixture
def make_slice() -> MakeSlice:
    """Return a maker of slices: water with 10 HU of noise, as the model's card wants them."""

    def make(hu: FloatImage | None = None, *, number: int = 1, series: str = "1.2") -> CTSlice:
        if hu is None:
            hu = np.random.default_rng(number).normal(0, 10, (SIZE, SIZE)).astype(np.float32)
        return CTSlice(
            hu=hu,
            pixel_mm=0.75,
            z_mm=float(number),
            identity=Identity(
                path=f"scan/{number}.dcm",
                study_instance_uid="1.1",
                series_instance_uid=series,
                sop_instance_uid=f"1.3.{number}",
                instance_number=number,
                patient_key="0123456789ab",
            ),
            acquisition=Acquisition(
                kvp=120.0, kernel="B30f", slice_thickness_mm=2.0, body_part="CHEST", scanner="Edge"
            ),
        )

    return make
