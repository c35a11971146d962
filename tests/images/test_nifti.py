"""A NIfTI volume gives the slices that its DICOM gave, whichever way its array lies."""

import gzip
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import inv_ornt_aff

from ctiqa.errors import ReadError
from ctiqa.images.series import read

ROWS, COLUMNS, SLICES = 6, 8, 3


@pytest.fixture
def volume() -> np.ndarray:
    """Return HU as DICOM lays them: slices to the head, rows to the back, columns to the left."""
    return np.random.default_rng(0).integers(-1000, 1500, (SLICES, ROWS, COLUMNS))


def save(path: Path, slices: np.ndarray, *, dtype: Any = np.int16, **spacing: float) -> Path:
    """Write slices as DICOM lays them; the array then runs to the left, back and head."""
    affine = np.diag([-0.8, -0.8, 2.5, 1])
    affine[:3, 3] = 100, 90, -50
    if spacing:
        affine[1, 1] = -spacing["row_mm"]
    nib.save(nib.Nifti1Image(slices.transpose(2, 1, 0).astype(dtype), affine), path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_gives_its_axial_slices_from_the_feet_up(
    tmp_path: Path, volume: np.ndarray, suffix: str
) -> None:
    (series,) = read(save(tmp_path / f"a{suffix}", volume), size=None).series
    np.testing.assert_array_equal([one.hu for one in series], volume)
    assert [header.z_mm for header in series.headers] == [-50, -47.5, -45]
    assert [header.identity.frame for header in series.headers] == [1, 2, 3]
    assert {header.identity.path for header in series.headers} == {f"a{suffix}"}
    assert series.headers[0].pixel_mm == pytest.approx(0.8)
    assert series.headers[0].position_mm == pytest.approx((-100, -90, -50))


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((1, -1), repeat=3)))
def test_all_48_ways_to_store_an_array_give_the_same_slices(
    tmp_path: Path, volume: np.ndarray, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    image = nib.load(save(tmp_path / "a.nii", volume))
    turn = np.array([*zip(axes, flips, strict=True)])
    nib.save(image.as_reoriented(turn), tmp_path / "b.nii")
    (series,) = read(tmp_path / "b.nii", size=None).series
    np.testing.assert_array_equal([one.hu for one in series], volume)
    assert [header.z_mm for header in series.headers] == pytest.approx([-50, -47.5, -45])
    assert np.isfinite(inv_ornt_aff(turn, image.shape)).all()


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_the_type_of_the_numbers_does_not_matter(
    tmp_path: Path, volume: np.ndarray, dtype: type
) -> None:
    (series,) = read(save(tmp_path / "a.nii", volume, dtype=dtype), size=None).series
    np.testing.assert_array_equal([one.hu for one in series], volume)


def test_slope_and_intercept_of_the_header_count(tmp_path: Path, volume: np.ndarray) -> None:
    image = nib.load(save(tmp_path / "a.nii", (volume + 1000) // 4, dtype=np.uint16))
    image.header.set_slope_inter(4, -1000)
    raw = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header)
    raw.header.set_slope_inter(4, -1000)
    nib.save(raw, tmp_path / "b.nii")
    (series,) = read(tmp_path / "b.nii", size=None).series
    found = np.array([one.hu for one in series])
    assert np.abs(found - volume).max() < 4


def test_what_is_no_number_is_padding(tmp_path: Path, volume: np.ndarray) -> None:
    slices = volume.astype(float)
    slices[:, 0, :3] = np.nan
    ct_slice = read(save(tmp_path / "a.nii", slices, dtype=np.float32), size=None).series[0][0]
    assert (ct_slice.hu[0, :3] == -1000).all()
    assert ct_slice.padding is not None
    assert ct_slice.padding.sum() == 3


def test_values_that_cannot_be_hounsfield_units_are_refused_when_read(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (1, 8, 8))
    header = read(save(tmp_path / "a.nii", grey)).series[0].headers[0]
    with pytest.raises(ReadError, match=r"^a.nii: its values run from .* no Hounsfield units"):
        header.load()


def test_infinite_values_are_one_sentence(tmp_path: Path, volume: np.ndarray) -> None:
    slices = volume.astype(float)
    slices[0, 0, 0] = np.inf
    header = read(save(tmp_path / "a.nii", slices, dtype=np.float32)).series[0].headers[0]
    with pytest.raises(ReadError, match=r"^a.nii: "):
        header.load()


def test_two_volumes_in_one_folder_are_two_series(tmp_path: Path, volume: np.ndarray) -> None:
    save(tmp_path / "a.nii", volume)
    save(tmp_path / "b.nii.gz", volume)
    assert [len(series) for series in read(tmp_path).series] == [SLICES, SLICES]


def test_pixels_that_are_not_square_are_refused(tmp_path: Path, volume: np.ndarray) -> None:
    (refusal,) = read(save(tmp_path / "a.nii", volume, row_mm=0.9)).refusals
    assert "axial pixels are not square (0.8 x 0.9 mm)" in refusal.reason


def test_several_volumes_in_one_file_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    (refusal,) = read(tmp_path / "a.nii").refusals
    assert "give one volume of a CT" in refusal.reason


@pytest.mark.parametrize(
    "content",
    [b"", b"junk" * 200, gzip.compress(b"junk" * 200, mtime=0)],
    ids=["empty", "junk", "compressed"],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_damaged_header_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(content)
    (refusal,) = read(tmp_path).refusals
    assert "header is damaged" in refusal.reason


def test_a_volume_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(-1000, 1500, (20, 64, 64))
    plain, packed = save(tmp_path / "a.nii", volume), save(tmp_path / "a.nii.gz", volume)
    plain.write_bytes(plain.read_bytes()[:-40])
    assert "cut off" in read(plain).refusals[0].reason
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    with pytest.raises(ReadError, match="cut off"):
        read(packed).series[0].headers[0].load()
