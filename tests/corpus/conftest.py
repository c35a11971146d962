"""A small corpus, built once for all tests of this room."""

from pathlib import Path

import pytest

from ctiqa.corpus.build import build_corpus
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.split import share_out
from ctiqa.corpus.store import Corpus
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import read


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two synthetic patients of two slices each."""
    folder = tmp_path_factory.mktemp("scans")
    write_phantom_series(folder / "a", slices=2, size=256, pixel_mm=1.5, kind="abdomen")
    write_phantom_series(folder / "b", slices=2, size=256, pixel_mm=1.5, kind="chest")
    return folder


@pytest.fixture(scope="session")
def splits(scans: Path) -> dict[str, str]:
    """Return the split of each of the two patients."""
    patients = [series.headers[0].identity.patient_key for series in read(scans).series]
    return share_out(patients, test_share=0.5, seed=0)


@pytest.fixture(scope="session")
def corpus(scans: Path, splits: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return the corpus of the two patients, built without a break by two workers."""
    folder = tmp_path_factory.mktemp("corpus") / "unbroken"
    build = build_corpus([scans], folder, settings=CorpusSettings(), split_of=splits.get, workers=2)
    assert build.refusals == ()
    return build.corpus
