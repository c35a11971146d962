"""Fixtures that every room's tests may use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from ctiqa.card import Card

WriteDicom = Callable[..., Path]

# The map is the mean |laplacian| of a cell of 8 x 8 pixels over 200 HU, clipped to [0, 1].
MAP_NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
noise (float[N, 128, 128] hu) => (float[N, 1] scores, float[N, 16, 16] loss_map)
<float half = {0.5}, float share = {0.0005}, float unit = {0.005}, float none = {0.0},
 float all = {1.0}, float[1, 1, 3, 3] laplacian = {0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0}>
{
   last = Constant<value_ints = [1]>()
   channel = Unsqueeze(hu, last)
   edges = Conv<pads = [1, 1, 1, 1]>(channel, laplacian)
   size = Abs(edges)
   pooled = AveragePool<kernel_shape = [8, 8], strides = [8, 8]>(size)
   cells = Squeeze(pooled, last)
   scaled = Mul(cells, unit)
   loss_map = Clip(scaled, none, all)
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   small = Mul(mean, share)
   column = Unsqueeze(small, last)
   scores = Add(column, half)
}
"""


@pytest.fixture(scope="session")
def map_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with a quality map, small enough to be worked out by hand."""
    onnx = pytest.importorskip("onnx")
    network = onnx.parser.parse_model(MAP_NETWORK)
    card = Card(name="local noise", outputs=1, size=128, windows_hu=((2000.0, 0.0),))
    onnx.helper.set_model_props(network, {"ctiqa_card": card.to_json()})
    path = tmp_path_factory.mktemp("map") / "noise.onnx"
    path.write_bytes(network.SerializeToString())
    return path


@pytest.fixture(scope="session")
def real_ct() -> Path:
    """Return the folder of real CT beside the checkout, or skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "ct"
    if not folder.is_dir():
        pytest.skip("real CT (../shared/ct) is not beside this checkout")
    return folder


@pytest.fixture
def write_dicom(tmp_path: Path) -> WriteDicom:
    """Return a writer of CT slices: ``write_dicom(name, stored, Keyword=value, ...)``.

    ``stored`` holds the stored pixel values (int16 or uint16). A keyword given as None is left out
    of the file; one given as bytes is written as it stands, however malformed. Each call is a new
    image of the same series at the next position.
    """
    written = 0

    def write(
        name: str, stored: npt.NDArray[Any] | None = None, *, meta: str = "", **elements: Any
    ) -> Path:
        nonlocal written
        written += 1
        if stored is None:
            stored = np.full((16, 16), 1064, np.int16)
        dataset = ct_dataset(stored, position=float(written), instance=written)
        for keyword, value in elements.items():
            if value is None:
                if keyword in dataset:
                    delattr(dataset, keyword)
            elif isinstance(value, DataElement):
                dataset.add(value)
            elif isinstance(value, bytes) and keyword != "PixelData":
                tag = Tag(keyword)
                raw = RawDataElement(
                    tag,
                    dictionary_VR(tag),
                    len(value),
                    value,
                    0,
                    is_implicit_VR=False,
                    is_little_endian=True,
                )
                dataset[tag] = raw
            else:
                setattr(dataset, keyword, value)
        if meta:
            dataset.file_meta.TransferSyntaxUID = meta
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with disable_value_validation():
            dataset.save_as(path, enforce_file_format=True)
        return path

    return write


def ct_dataset(stored: npt.NDArray[Any], *, position: float, instance: int) -> Dataset:
    """Return a CT image whose HU are ``stored`` minus 1024, one per mm along the table."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.1.{instance}"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.4"
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName = "Somebody^Real"
    dataset.PatientID = "hospital-4711"
    dataset.PatientBirthDate = "19700101"
    dataset.InstanceNumber = instance
    dataset.ImagePositionPatient = [-100.0, -100.0, position]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.75, 0.75]
    dataset.SliceThickness = 1
    dataset.KVP = 120
    dataset.RescaleSlope = 1
    dataset.RescaleIntercept = -1024
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset
