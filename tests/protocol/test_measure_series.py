"""Slices, series and exams are measured, whatever else lies in the folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import ctiqa
from ctiqa.images.ct_slice import Acquisition, CTSlice, Identity
from ctiqa.images.phantom import chest_slice, ct_noise, water_slice, write_phantom_series
from ctiqa.measures.patient_size import ssde_mgy
from ctiqa.protocol.measure_series import measure
from ctiqa.protocol.measure_slice import ASSUMED_SIGMA_MM, measure_slice
from ctiqa.protocol.measured import COLUMNS, FIGURES, MeasureReport

MakeSlice = Callable[..., CTSlice]


@pytest.fixture
def water() -> MakeSlice:
    """Return a maker of water discs of 240 mm with noise and a dose."""

    def make(number: int = 1, *, sd_hu: float = 12, study: str = "1.1", **facts: object) -> CTSlice:
        disc = water_slice(radius_mm=120, pixel_mm=0.8, size=384)
        noise = ct_noise(sd_hu=sd_hu, rng=np.random.default_rng(number), pixel_mm=0.8, size=384)
        known = {"ctdivol_mgy": 8.0, "tube_current_ma": 100.0 * number, "ctdi_phantom_mm": 320.0}
        return CTSlice(
            hu=disc.hu + noise + np.float32(40) * (disc.hu > -500),
            pixel_mm=0.8,
            z_mm=float(number),
            identity=Identity(f"{number}.dcm", study, f"{study}.1", f"{study}.1.{number}", number),
            acquisition=Acquisition(**(known | facts)),  # type: ignore[arg-type]  # of the test
        )

    return make


def test_a_water_disc_has_its_noise_its_size_and_its_dose(water: MakeSlice) -> None:
    found = measure_slice(water()).figures
    assert found["noise_hu"] == pytest.approx(11, rel=0.2)
    assert found["water_equivalent_mm"] == pytest.approx(240 * np.sqrt(1.04), rel=0.01)
    size = found["water_equivalent_mm"]
    assert found["ssde_mgy"] == ssde_mgy(8, water_equivalent_mm=size, phantom_mm=320)
    assert found["noise2_ctdivol_hu2_mgy"] == pytest.approx(found["noise_hu"] ** 2 * 8)
    # f (1 + cos 2 pi f)^2 is highest at 0.153 per pixel.
    assert found["nps_peak_per_mm"] == pytest.approx(0.153 / 0.8, abs=0.02)
    assert found["cut_off_mm"] == 0
    assert set(found) <= set(FIGURES)


def test_less_dose_gives_a_lower_d_prime(water: MakeSlice) -> None:
    quiet, noisy = (measure_slice(water(sd_hu=sd)).figures for sd in (10, 20))
    for name in ("d_prime_10mm_20hu", "d_prime_5mm_100hu"):
        assert quiet[name] == pytest.approx(2 * noisy[name], rel=0.02)


def test_the_resolution_at_the_skin_goes_into_d_prime(water: MakeSlice) -> None:
    sharp = water()
    soft = sharp.with_hu(np.asarray(ndimage.gaussian_filter(sharp.hu, 2.0), np.float32))
    found = [measure_slice(each).figures for each in (sharp, soft)]
    assert all(each["d_prime_sigma_mm"] == each["edge_sigma_mm"] for each in found)
    assert found[0]["edge_sigma_mm"] < found[1]["edge_sigma_mm"]
    assert found[0]["edge_f50_per_mm"] > found[1]["edge_f50_per_mm"]


def test_where_no_edge_shows_d_prime_says_what_it_supposes(water: MakeSlice) -> None:
    sharp = water()
    inside = sharp.with_hu(np.where(sharp.hu < -500, np.float32(0), sharp.hu))
    found = measure_slice(inside).figures
    assert "edge_sigma_mm" not in found
    assert found.get("d_prime_sigma_mm", ASSUMED_SIGMA_MM) == ASSUMED_SIGMA_MM


def test_a_phantom_that_no_header_names_is_said_to_be_guessed(water: MakeSlice) -> None:
    named = measure_slice(water())
    assert not named.reasons
    trunk = measure_slice(water(ctdi_phantom_mm=None))
    assert trunk.figures["ssde_phantom_mm"] == 320
    assert "taken as that of the phantom of 320 mm" in trunk.reasons[0]
    head = measure_slice(water(ctdi_phantom_mm=None, body_part="HEAD"))
    assert head.figures["ssde_phantom_mm"] == 160
    assert head.figures["ssde_mgy"] < trunk.figures["ssde_mgy"]


def test_a_body_that_is_cut_off_is_said_to_be(water: MakeSlice) -> None:
    whole = water()
    cut = replace(whole, hu=np.ascontiguousarray(whole.hu[:, 100:]))
    found = measure_slice(cut)
    assert found.figures["cut_off_mm"] > 100
    assert "cuts the body off along" in found.reasons[0]


def test_air_is_measured_and_says_that_it_holds_no_body(water: MakeSlice) -> None:
    noise = ct_noise(sd_hu=10, rng=np.random.default_rng(0), size=128)
    found = measure_slice(replace(water(), hu=noise - np.float32(1000)))
    assert found.reasons == ("no body is seen",)
    assert "water_equivalent_mm" not in found.figures


def test_a_series_is_the_middle_of_its_slices_and_an_exam_their_mean(water: MakeSlice) -> None:
    slices = [water(number, sd_hu=sd) for number, sd in ((1, 8), (2, 12), (3, 22))]
    report = measure([*slices, water(4, study="1.2")])
    noise = [row.figures["noise_hu"] for row in report.slices[:3]]
    first, second = report.series
    assert first.figures["noise_hu"] == sorted(noise)[1]
    assert first.figures["tube_current_ma"] == 200
    assert (first.slices, second.slices) == (3, 1)
    assert [exam.identity.study_instance_uid for exam in report.exams] == ["1.1", "1.2"]
    assert report.exams[0].figures["noise_hu"] == pytest.approx(np.mean(noise))


def test_the_spectrum_of_a_series_pools_its_slices(water: MakeSlice) -> None:
    report = measure([water(number) for number in (1, 2)])
    each = [row.figures["nps_patches"] for row in report.slices]
    (series,) = report.series
    assert series.figures["nps_patches"] == sum(each)
    assert series.spectrum is not None
    assert len(series.to_dict()["nps"]["power_hu2_mm2"]) == 12


def test_what_cannot_be_read_has_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    written = write_phantom_series(tmp_path / "scan", slices=4, size=256, pixel_mm=1.5)
    written[1].write_bytes(written[1].read_bytes()[:-900])
    (tmp_path / "scan" / "words.dcm").write_text("no image")
    report = measure([tmp_path / "scan"], threads=2)
    assert len(report.slices) == 5
    assert sorted(row.identity.path for row in report.refused) == ["0001.dcm", "words.dcm"]
    assert all(row.reasons for row in report.refused)
    assert report.series[0].slices == 3
    assert report.series[0].figures["noise_hu"] > 0


def test_a_slice_of_one_value_is_not_measured(water: MakeSlice) -> None:
    report = measure([replace(water(), hu=np.zeros((64, 64), np.float32))])
    assert report.slices[0].status == "not_measured"
    assert report.slices[0].reasons == ("every pixel is 0 HU",)
    assert report.series[0].status == report.exams[0].status == "not_measured"


def test_no_slice_is_padded_or_cropped(water: MakeSlice) -> None:
    assert measure([water()]).slices[0].reasons == ()


def test_results_do_not_depend_on_the_number_of_threads(water: MakeSlice) -> None:
    slices = [water(number) for number in range(1, 5)]
    one, three = (measure(slices, threads=count).to_dict() for count in (1, 3))
    assert one == three


def test_every_second_slice_is_measured_on_request(water: MakeSlice) -> None:
    report = measure([water(number) for number in range(1, 6)], step=2)
    assert [row.z_mm for row in report.slices] == [1, 3, 5]
    with pytest.raises(ValueError, match="at least 1"):
        measure([water()], step=0)


def test_an_array_says_its_unit_or_is_refused() -> None:
    volume = np.stack([chest_slice(level=0.5, size=256, pixel_mm=1.5).hu])
    report = measure(volume, hu=True, pixel_mm=1.5)
    assert isinstance(report, MeasureReport)
    with pytest.raises(ctiqa.ReadError, match="hu=True"):
        measure(volume)


def test_a_row_holds_every_column_and_no_name_of_a_patient(water: MakeSlice) -> None:
    report = measure([water()])
    assert all(tuple(each.row()) == COLUMNS for each in report.rows)
    assert "patient_key" not in COLUMNS


def test_the_noise_along_the_table_of_a_real_scan_follows_its_tube_current(real_ct: Path) -> None:
    report = measure([real_ct / "train" / "RIDER-0117"], step=10)
    assert [row.level for row in report.rows].count("slice") == 5
    assert all(row.figures["tube_current_ma"] == 440 for row in report.slices)
    assert "cuts the body off in 5 of 5 slices" in report.series[0].reasons[-1]
    noise = [row.figures["noise_hu"] for row in report.slices]
    assert 10 < min(noise) < max(noise) < 25
