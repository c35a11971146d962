"""One slice of a corpus: its images, the fields its noise is mixed from, its measures."""

import json
from pathlib import Path

import numpy as np
import pytest

from ctiqa.corpus.part import CorpusSettings, degraded, make_part, write_part
from ctiqa.dose.apodisation import SHEPP_LOGAN
from ctiqa.dose.simulate import Scan
from ctiqa.errors import WriteError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.phantom import water_slice
from ctiqa.measures.global_noise import soft_tissue

SCAN = Scan(2e5, SHEPP_LOGAN, 60)
SETTINGS = CorpusSettings(electronic=60)


@pytest.fixture(scope="module")
def water() -> CTSlice:
    disc = water_slice(radius_mm=150, size=128, pixel_mm=2.8)
    return disc.with_hu(np.rint(disc.hu))


def test_the_first_image_is_the_slice_itself(water: CTSlice) -> None:
    assert degraded(water, SCAN, SETTINGS, seed=3)[0].tobytes() == water.hu.tobytes()


def test_each_dose_has_a_noise_field_of_its_own(water: CTSlice) -> None:
    # METHOD 1.3, row 24.
    images = degraded(water, SCAN, SETTINGS, seed=3)
    noise = np.stack([(image - water.hu).ravel() for image in images[1:]])
    correlation = np.corrcoef(noise)
    assert np.abs(correlation - np.eye(3)).max() < 0.05


def test_the_papers_variant_scales_one_field(water: CTSlice) -> None:
    # METHOD 1.3, row 24 and equation 3.
    settings = CorpusSettings(realisation="shared", electronic=0)
    images = degraded(water, SCAN, settings, seed=3)
    noise = [image - water.hu for image in images]
    assert not noise[0].any()
    assert np.abs(noise[2] - 0.57735 * noise[3]).max() < 0.01
    assert np.abs(noise[1] - 0.33333 * noise[3]).max() < 0.01


def test_a_part_depends_on_its_seed_alone(water: CTSlice) -> None:
    one, same, other = (make_part(water, SCAN, SETTINGS, seed=seed) for seed in (1, 1, 2))
    assert one.images.tobytes() == same.images.tobytes()
    assert one.fields.tobytes() == same.fields.tobytes()
    assert one.ideal.tolist() == same.ideal.tolist()
    assert one.images.tobytes() != other.images.tobytes()


def test_a_part_holds_every_dose_field_and_measure(water: CTSlice) -> None:
    part = make_part(water, SCAN, SETTINGS, seed=1)
    assert part.images.shape == (4, 128, 128)
    assert part.fields.shape == (6, 128, 128)
    assert part.ideal.shape == (11, 2, 2)
    assert part.routine.shape == (4, 2, 2)
    assert part.noise_hu[1:].tolist() == sorted(part.noise_hu[1:])
    assert np.isinf(part.routine[0, :, 0]).all()
    assert part.routine[0, :, 1] == pytest.approx([1, 1])


def test_the_stored_fields_make_the_noise_of_the_images(water: CTSlice) -> None:
    # Equation 2: at dose D the images gained q^2 (1/D - 1) + e^2 (1/D^2 - 1).
    part = make_part(water, SCAN, SETTINGS, seed=1)
    tissue = soft_tissue(water.hu)
    fields = part.fields.astype(float)[:, tissue]
    quantum, electronic = fields[:4].var(), fields[4:].var()
    for image, dose in zip(part.images[1:], (0.75, 0.5, 0.25), strict=True):
        added = (image - water.hu)[tissue].var()
        expected = quantum * (1 / dose - 1) + electronic * (1 / dose**2 - 1)
        assert added == pytest.approx(expected, rel=0.08)


def test_a_part_is_written_whole_and_its_facts_last(water: CTSlice, tmp_path: Path) -> None:
    part = make_part(water, SCAN, SETTINGS, seed=1)
    write_part(part, tmp_path / "x.npy", tmp_path / "x.json")
    bits = np.load(tmp_path / "x.npy")
    assert np.array_equal(bits[:4], part.images)
    assert np.array_equal(bits[4:10].view(np.float16), part.fields)
    assert np.array_equal(bits[10:], part.clean[None])
    assert json.loads((tmp_path / "x.json").read_text())["noise_hu"] == part.noise_hu.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.npy"]


def test_a_part_that_cannot_be_written_is_a_write_error(water: CTSlice, tmp_path: Path) -> None:
    part = make_part(water, SCAN, SETTINGS, seed=1)
    (tmp_path / "parts").write_text("a file stands where the folder should be")
    with pytest.raises(WriteError, match="nothing was written"):
        write_part(part, tmp_path / "parts" / "x.npy", tmp_path / "parts" / "x.json")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image_doses": (0.5, 0.25)}, "image doses fall from 1"),
        ({"image_doses": (1.0, 0.25, 0.5)}, "image doses fall from 1"),
        ({"image_doses": (1.0, 0.6)}, "label doses fall and hold the image doses"),
        ({"realisation": "scaled"}, "realisation is independent or shared"),
        ({"quantum_fields": 1}, "mixed of at least 2 quantum fields"),
        ({"electronic": -1.0}, "at least 0"),
        ({"reconstructions": -1}, "at least 0"),
    ],
)
def test_settings_that_break_a_rule_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CorpusSettings(**wrong)  # type: ignore[arg-type] # the point of the test
