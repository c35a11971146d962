"""What a slice becomes at several doses, and what a series does with slices it cannot read."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ctiqa.dose.apodisation import HANN
from ctiqa.dose.quanta import FALLBACK_QUANTA
from ctiqa.dose.series import LowerDose, Readable, at_doses
from ctiqa.dose.simulate import Scan, calibrate
from ctiqa.images.ct_slice import Acquisition, CTSlice, FloatImage, Identity, Mask
from ctiqa.images.phantom import shoulder_slice
from ctiqa.images.slice_header import SliceHeader

DrawWater = Callable[..., CTSlice]
Scanned = Callable[..., CTSlice]


class Held:
    """Pixels that lie in memory."""

    def __init__(self, hu: FloatImage | None) -> None:
        self.hu = hu

    def decode(self) -> tuple[FloatImage, Mask | None]:
        if self.hu is None:
            raise ValueError("cut off")
        return self.hu, None


def header(hu: FloatImage | None, index: int, *, pixel_mm: float = 1.4) -> SliceHeader:
    return SliceHeader(
        identity=Identity(f"{index}.dcm"),
        acquisition=Acquisition(),
        pixel_mm=pixel_mm,
        z_mm=5.0 * index,
        rows=256,
        columns=256,
        pixels=Held(hu),
    )


@pytest.mark.parametrize("doses", [(), (0.0,), (0.5, 1.5), (float("nan"),)])
def test_doses_outside_zero_to_one_are_refused(doses: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="dose fractions lie in"):
        LowerDose(doses)


def test_a_dose_does_not_depend_on_the_others_that_are_asked_for(draw_water: DrawWater) -> None:
    water = draw_water(size=128)
    alone, _ = at_doses(water, scan=Scan(), lower=LowerDose((0.25,)))
    among, _ = at_doses(water, scan=Scan(), lower=LowerDose((0.5, 0.25, 1.0)))
    assert alone[0].tobytes() == among[1].tobytes()
    assert among[2].tobytes() == water.hu.tobytes()


def test_doses_and_slices_have_noise_of_their_own(draw_water: DrawWater) -> None:
    water = draw_water(size=128)
    other = replace(water, identity=Identity("another"))
    lower = LowerDose((0.5, 0.25))
    (half, quarter), _ = at_doses(water, scan=Scan(), lower=lower)
    (half_of_other, _), _ = at_doses(other, scan=Scan(), lower=lower)
    for image in (quarter, half_of_other):
        correlation = np.corrcoef((half - water.hu).ravel(), (image - water.hu).ravel())[0, 1]
        assert abs(correlation) < 0.05


def test_a_shared_field_is_one_pattern_scaled_by_equation_3(draw_water: DrawWater) -> None:
    # METHOD 2.2: a(0.5) = 0.5774 and a(0.75) = 0.3333 of the field of quarter dose.
    water = draw_water(size=128)
    doses = (1.0, 0.75, 0.5, 0.25)
    images, _ = at_doses(water, scan=Scan(), lower=LowerDose(doses, shared_field=True))
    field = images[3] - water.hu
    for image, factor in zip(images, (0, 0.3333, 0.5774, 1), strict=True):
        assert np.abs(image - water.hu - factor * field).max() < 1e-3 * np.abs(field).max()
    (full,), _ = at_doses(water, scan=Scan(), lower=LowerDose((1.0,), shared_field=True))
    assert full.tobytes() == water.hu.tobytes()


def test_starved_rays_are_pointed_out() -> None:
    # METHOD 2.5, 6: warn where fewer than 10 counts are left.
    shoulders = shoulder_slice(size=128, pixel_mm=2.8)
    lower = LowerDose((0.25,))
    _, doubts = at_doses(shoulders, scan=Scan(1e4, HANN), lower=lower)
    assert any("fewer than 10 quanta" in doubt for doubt in doubts)
    assert at_doses(shoulders, scan=Scan(5e6, HANN), lower=lower)[1] == []


def test_a_body_cut_off_by_the_field_of_view_is_pointed_out(draw_water: DrawWater) -> None:
    whole = draw_water(size=128, pixel_mm=2.0)
    cut = whole.with_hu(np.roll(whole.hu, 40, axis=1))
    in_circle = replace(whole, padding=whole.hu < -2000)
    narrow = replace(whole, padding=np.hypot(*(np.indices((128, 128)) - 63.5)) > 46)
    lower = LowerDose((0.5,))
    assert at_doses(whole, scan=Scan(), lower=lower)[1] == []
    assert at_doses(in_circle, scan=Scan(), lower=lower)[1] == []
    for slice_ in (cut, narrow):
        assert any("cut off" in doubt for doubt in at_doses(slice_, scan=Scan(), lower=lower)[1])


def test_an_unreadable_slice_is_refused_and_does_not_stop_the_calibration(
    draw_water: DrawWater, scanned: Scanned
) -> None:
    water = draw_water(radius_mm=(150, 120))
    hu = [scanned(water, Scan(4e5, HANN), seed=seed).hu for seed in range(5)]
    broken = [header(None if index == 2 else hu[index], index) for index in range(5)]
    loaded: list[int] = []
    slices = Readable(broken, lambda: loaded.append(1))
    scans = calibrate(slices)
    intact = calibrate(Readable([header(one, index) for index, one in enumerate(hu)]))
    assert list(slices.refusals) == [2]
    assert "2.dcm" in slices.refusals[2].reason
    assert "damaged" in slices.refusals[2].reason
    assert len(loaded) == 10  # once for the spectrum, once for the quanta
    for ours, whole in zip(scans, intact, strict=True):
        assert ours.quanta == pytest.approx(whole.quanta, rel=0.1)


def test_a_series_of_which_nothing_can_be_read_still_has_an_answer() -> None:
    slices = Readable([header(None, index) for index in range(2)])
    assert [scan.quanta for scan in calibrate(slices)] == pytest.approx([FALLBACK_QUANTA] * 2)
    assert sorted(slices.refusals) == [0, 1]
