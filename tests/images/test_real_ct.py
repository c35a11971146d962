"""The real CT beside the checkout is read whole, and its oddities are seen."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ctiqa.images.derive import DerivedSeries, write_derived
from ctiqa.images.series import Reading, SliceHeader, read


@pytest.fixture(scope="module")
def reading(real_ct: Path) -> Reading:
    return read(real_ct)


@pytest.fixture(scope="module")
def by_folder(reading: Reading) -> dict[str, list[SliceHeader]]:
    folders = defaultdict(list)
    for series in reading.series:
        for header in series.headers:
            folders[str(Path(header.identity.path).parent)].append(header)
    return folders


def test_every_slice_of_every_patient_is_found(reading: Reading) -> None:
    """DATA.md: 901 axial slices of 77 patients."""
    headers = [header for series in reading.series for header in series.headers]
    assert not reading.refusals
    assert len(headers) == 901
    assert len({header.identity.patient_key for header in headers}) == 77
    # Three images of singles/ lie there twice.
    assert len({header.identity.sop_instance_uid for header in headers}) == 898
    copies = [note for series in reading.series for note in series.notes if "of another" in note]
    assert copies == ["1 of 2 images carry the SOP Instance UID of another"] * 3


def test_the_facts_agree_with_the_manifest(
    real_ct: Path, by_folder: dict[str, list[SliceHeader]]
) -> None:
    with (real_ct / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["folder"] in by_folder]
    assert len(rows) > 30
    for row in rows:
        headers = by_folder[row["folder"]]
        assert len(headers) == int(row["slices"]), row["folder"]
        facts = headers[0].acquisition
        if row["kvp"]:
            assert facts.kvp == float(row["kvp"]), row["folder"]
        assert facts.scanner == row["model"] or row["model"] == "various", row["folder"]


@pytest.mark.parametrize(
    "folder",
    [
        "train/LIDC-IDRI-0001",  # signed, padding -2000 tagged as 63536
        "train/CRLM-CT-1004",  # tagged -2000, padded with -3024
        "more/KiTS-00064",  # padding -1024 tagged as 64512
        "train/TCGA-AY-4070A",  # unsigned, 12 bits
        "more/HCC_009",  # zero-padded numbers
        "extra/PANCREAS_0020",  # no acquisition, upside down, padding not tagged
        "extra/QMNx85rKkkg",  # tilted, padding -1500
    ],
)
def test_hu_equal_what_pydicom_decodes_outside_the_padding(
    real_ct: Path, by_folder: dict[str, list[SliceHeader]], folder: str
) -> None:
    header = by_folder[folder][0]
    ct_slice = header.load()
    dataset = pydicom.dcmread(real_ct / header.identity.path)
    hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    inside = np.ones(hu.shape, bool) if ct_slice.padding is None else ~ct_slice.padding
    np.testing.assert_array_equal(ct_slice.hu[inside], hu[inside])
    assert (ct_slice.hu[~inside] == -1000).all()
    # A field of view inscribed in the matrix leaves 21.5 % outside.
    assert inside.all() or inside.mean() == pytest.approx(np.pi / 4, abs=0.03)
    assert ct_slice.hu.min() > -1500


def test_the_tilted_gantry_is_seen(reading: Reading) -> None:
    (series,) = (
        series for series in reading.series if "QMNx85rKkkg" in series.headers[0].identity.path
    )
    assert "the gantry was tilted by 18.5 degrees: the slices are sheared" in series.notes


@pytest.mark.parametrize("folder", ["train/LIDC-IDRI-0001", "more/HCC_009", "extra/PANCREAS_0020"])
def test_a_derived_slice_holds_the_stored_values_of_its_source(
    real_ct: Path, by_folder: dict[str, list[SliceHeader]], folder: str, tmp_path: Path
) -> None:
    header = by_folder[folder][0]
    series = DerivedSeries.of(header, description="unchanged", derivation="Nothing was changed.")
    path = write_derived(header, header.load().hu, tmp_path, series=series)
    source = pydicom.dcmread(real_ct / header.identity.path)
    np.testing.assert_array_equal(
        pydicom.dcmread(path).pixel_array,
        source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept),
    )
    (again,) = read(path).series
    assert again.headers[0].acquisition == header.acquisition
    assert again.headers[0].z_mm == header.z_mm
