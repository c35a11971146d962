"""A corpus is built in steps that a kill does not undo, from settings that must not change."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.corpus import build
from ctiqa.corpus.build import build_corpus
from ctiqa.corpus.label import IDEAL
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.images.phantom import write_phantom_series


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a corpus by its name; what a kill left half-written is hidden."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("[!.]*"))
        if path.is_file()
    }


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    corpus: Corpus, scans: Path, splits: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    script = "from ctiqa.cli.main import run; run()"
    words = ["corpus", str(scans), "-o", str(folder), "--test-share", "0.5", "--workers", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 400
        while not list(folder.glob("parts/*.json")):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline, "no part was made"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    made = {path: path.stat().st_mtime_ns for path in folder.glob("parts/*.json")}
    assert 1 <= len(made) < 4
    with pytest.raises(CorpusError, match="is no finished corpus"):
        Corpus.open(folder)
    told: list[tuple[int, int, str]] = []
    again = build_corpus(
        [scans],
        folder,
        settings=CorpusSettings(),
        split_of=splits.get,
        workers=1,
        progress=lambda done, of, what: told.append((done, of, what)),
    )
    assert contents(folder) == contents(corpus.folder)
    assert again.corpus.fingerprint(range(4)) == corpus.fingerprint(range(4))
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert told[-1] == (4, 4, "slices simulated and labelled")
    assert len(told) == 4 - len(made)


def test_other_settings_are_refused_by_name(
    corpus: Corpus, scans: Path, splits: dict[str, str]
) -> None:
    before = contents(corpus.folder)
    other = replace(CorpusSettings(), seed=1, realisation="shared")
    with pytest.raises(CorpusError, match="begun with another realisation, seed: choose another"):
        build_corpus([scans], corpus.folder, settings=other, split_of=splits.get)
    assert contents(corpus.folder) == before


def test_the_memory_of_a_build_does_not_grow_with_its_pixels(
    corpus: Corpus, scans: Path, splits: dict[str, str]
) -> None:
    on_disk = sum(path.stat().st_size for path in corpus.folder.rglob("*.npy"))
    tracemalloc.start()
    build_corpus([scans], corpus.folder, settings=CorpusSettings(), split_of=splits.get)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert on_disk > 20e6
    assert peak < 4e6


def test_patients_without_a_split_are_left_out(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="0 files were refused, 2 series left out"):
        build_corpus(
            [scans], tmp_path / "none", settings=CorpusSettings(), split_of=lambda _patient: None
        )
    assert not (tmp_path / "none").exists()


def test_a_slice_that_cannot_be_read_is_refused_and_the_rest_goes_on(
    write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    stored = np.full((16, 16), 1064, np.int16)
    write_dicom("in/good.dcm", stored)
    bad = write_dicom("in/bad.dcm", stored)
    settings = CorpusSettings(image_doses=(1.0, 0.5), label_doses=(1.0, 0.5), quantum_fields=2)
    series = build.read([bad.parent]).series
    assert [len(one) for one in series] == [2]

    # The header is sound, the pixels go missing between the look at it and the work.
    def split_of(_patient: str) -> str:
        bad.write_bytes(bad.read_bytes()[:-300])
        return "train"

    done = build_corpus(
        [bad.parent], tmp_path / "corpus", settings=settings, split_of=split_of, workers=1
    )
    assert [one.facts.path for one in done.corpus.slices] == ["good.dcm"]
    assert [refusal.path for refusal in done.refusals] == ["bad.dcm"]
    assert 0 < done.corpus.labels(0, IDEAL)[0] < 1


def test_a_worker_that_is_killed_is_said_in_one_sentence(
    scans: Path, splits: dict[str, str], tmp_path: Path
) -> None:
    def kill_the_workers(_done: int, _of: int, _what: str) -> None:
        for worker in multiprocessing.active_children():
            worker.kill()

    with pytest.raises(CorpusError, match="fewer --workers; what is done is kept"):
        build_corpus(
            [scans],
            tmp_path / "corpus",
            settings=CorpusSettings(),
            split_of=splits.get,
            workers=1,
            progress=kill_the_workers,
        )


# Of the second phantom so little is flat that no spectrum can be read.
@pytest.mark.parametrize(("size", "pixel_mm", "anew"), [(320, 1.1, 3), (96, 4.0, 0)])
def test_training_slices_are_reconstructed_anew_where_their_noise_can_be_read(
    size: int, pixel_mm: float, anew: int, tmp_path: Path
) -> None:
    settings = CorpusSettings(
        image_doses=(1.0, 0.5), label_doses=(1.0, 0.5), quantum_fields=2, reconstructions=1
    )
    write_phantom_series(tmp_path / "scan", slices=3, size=size, pixel_mm=pixel_mm, kind="abdomen")
    made = build_corpus(
        [tmp_path / "scan"], tmp_path / "c", settings=settings, split_of=lambda _patient: "train"
    ).corpus
    facts = [one.facts for one in made.slices]
    others = [one for one in facts if one.reconstruction]
    assert len(others) == anew
    assert [one.path for one in others] == [one.path for one in facts[:anew]]
    for index, one in enumerate(others, start=3):
        factor = float(one.reconstruction.split()[2].rstrip(","))
        assert one.pixel_mm == pytest.approx(pixel_mm * factor, abs=1e-3)
        assert one.apodisation == "fitted"
        assert np.abs(made.image(index, 0) - made.image(index - 3, 0)).mean() > 1


def test_an_image_that_lies_in_two_files_is_taken_once(
    write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    first = write_dicom("in/first.dcm", np.full((16, 16), 1064, np.int16))
    (first.parent / "second.dcm").write_bytes(first.read_bytes())
    settings = CorpusSettings(image_doses=(1.0, 0.5), label_doses=(1.0, 0.5), quantum_fields=2)
    done = build_corpus(
        [first.parent], tmp_path / "corpus", settings=settings, split_of=lambda _patient: "test"
    )
    assert [one.facts.path for one in done.corpus.slices] == ["first.dcm"]
    assert [(refusal.path, refusal.reason) for refusal in done.refusals] == [
        ("second.dcm", "the same image (SOP Instance UID) as first.dcm; taken once")
    ]
