"""A corpus on disk, opened: what it holds, and what it says when it is not whole."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, ROUTINE
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError


@pytest.fixture
def copy(corpus: Corpus, tmp_path: Path) -> Path:
    """Return a copy of the corpus that a test may spoil."""
    return Path(shutil.copytree(corpus.folder, tmp_path / "copy"))


def test_every_slice_has_a_row_with_its_source(corpus: Corpus) -> None:
    facts = [one.facts for one in corpus.slices]
    assert [one.path for one in facts] == ["a/0001.dcm", "a/0000.dcm", "b/0001.dcm", "b/0000.dcm"]
    assert len({one.patient for one in facts}) == 2
    assert all(len(one.patient) == 12 for one in facts)
    assert all(one.sop_instance_uid and one.quanta >= 1e4 for one in facts)
    assert {one.pixel_mm for one in facts} == {1.5}


def test_no_patient_identifier_is_stored(corpus: Corpus) -> None:
    for path in corpus.folder.rglob("*"):
        if path.suffix in {".csv", ".json"}:
            assert "abdomen-0" not in path.read_text()


def test_patients_keep_together_in_one_split(corpus: Corpus) -> None:
    by_patient: dict[str, set[str]] = {}
    for one in corpus.slices:
        by_patient.setdefault(one.facts.patient, set()).add(one.facts.split)
    assert sorted(len(splits) for splits in by_patient.values()) == [1, 1]
    assert sorted(corpus.where("train") + corpus.where("test")) == [0, 1, 2, 3]
    with pytest.raises(CorpusError, match="no slice of split 'val'"):
        corpus.where("val")


def test_images_are_hu_and_get_noisier_with_lower_dose(corpus: Corpus) -> None:
    image = corpus.image(0, 0)
    assert image.shape == (512, 512)
    assert image.dtype == np.float32
    assert image.min() >= -1024
    noise_hu = [np.std(corpus.image(0, dose) - image) for dose in range(4)]
    assert noise_hu[0] == 0
    assert noise_hu == sorted(noise_hu)


def test_labels_fall_with_dose_and_the_image_labels_are_among_them(corpus: Corpus) -> None:
    for index in range(len(corpus.slices)):
        ideal = corpus.labels(index, IDEAL)
        assert ideal.tolist() == sorted(ideal, reverse=True)
        at = [3, 4, 5, 7]  # doses 1, 0.75, 0.5 and 0.25 among the eleven
        assert corpus.image_labels(index, IDEAL).tolist() == ideal[at].tolist()
        assert corpus.labels(index, ROUTINE)[0] == 1


def test_the_table_of_labels_holds_what_was_measured(corpus: Corpus) -> None:
    lines = (corpus.folder / "labels.csv").read_text().splitlines()
    assert lines[0] == "part,reference,dose_fraction,window,psnr_db,ssim"
    assert len(lines) == 1 + 4 * 2 * (11 + 4)
    part, reference, dose, window, psnr_db, ssim = lines[1].split(",")
    assert (part, reference, float(dose), window) == (
        corpus.slices[0].facts.part,
        "ideal",
        8.0,
        "w350",
    )
    assert [float(psnr_db), float(ssim)] == corpus.slices[0].ideal[0, 0].tolist()


def test_fields_are_mapped_from_disk_and_not_read(corpus: Corpus) -> None:
    fields = corpus.fields(0)
    assert fields.shape == (6, 512, 512)
    assert fields.dtype == np.float16
    assert isinstance(fields, np.memmap)


def test_the_fingerprint_changes_with_content_and_settings_and_nothing_else(
    corpus: Corpus, copy: Path
) -> None:
    everyone = range(4)
    known = corpus.fingerprint(everyone)
    assert known == json.loads((corpus.folder / "corpus.json").read_text())["fingerprint"]
    assert Corpus.open(copy).fingerprint(everyone) == known
    assert corpus.fingerprint([0, 1]) != known
    other = replace(corpus, settings=CorpusSettings(seed=1))
    assert other.fingerprint(everyone) != known
    facts = copy / "parts" / f"{corpus.slices[2].facts.part}.json"
    measured = json.loads(facts.read_text())
    measured["ideal"][3][0][0] += 1e-9
    facts.write_text(json.dumps(measured))
    assert Corpus.open(copy).fingerprint(everyone) != known


def test_a_folder_without_a_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"corpus\.json is missing.*ctiqa corpus"):
        Corpus.open(tmp_path)


def test_an_unfinished_corpus_is_not_opened(copy: Path) -> None:
    (copy / "corpus.json").unlink()
    with pytest.raises(CorpusError, match="is no finished corpus"):
        Corpus.open(copy)


def test_a_missing_part_is_named(corpus: Corpus, copy: Path) -> None:
    name = f"{corpus.slices[1].facts.part}.json"
    (copy / "parts" / name).unlink()
    with pytest.raises(CorpusError, match=f"{name} is missing"):
        Corpus.open(copy)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("corpus.json", "{"),
        ("corpus.json", "{}"),
        ("corpus.json", '{"settings": {"colour": "red"}}'),
        ("slices.csv", "part,split\nx,train\n"),
    ],
)
def test_a_damaged_corpus_is_called_so(file: str, text: str, copy: Path) -> None:
    (copy / file).write_text(text)
    with pytest.raises(CorpusError, match="is damaged"):
        Corpus.open(copy)
