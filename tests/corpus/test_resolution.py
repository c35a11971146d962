"""The resolution of a series, told by its noise, in each of its reconstructions."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.corpus.reconstruction import Reconstruction, reconstructed
from ctiqa.corpus.resolution import APERTURE_MM, USUAL_SIGMA_MM, resolution_mm, resolutions
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity

PIXEL_MM = 0.7
KERNEL_MM = 0.43
OWN_MM = float(np.hypot(KERNEL_MM, APERTURE_MM))


@dataclass(frozen=True, eq=False)
class InMemory(Corpus):
    """A corpus whose images need no disk."""

    images: tuple[CTSlice, ...] = ()

    def image(self, index: int, place: int) -> FloatImage:
        assert place == 0
        return self.images[index].hu


def tissue(seed: int) -> CTSlice:
    """Return soft tissue with the noise that a Gaussian kernel leaves of back-projected rays."""
    side = 384
    noise = np.random.default_rng(seed).standard_normal((side, side))
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) / PIXEL_MM
    response = np.sqrt(f) * np.exp(-2 * (np.pi * KERNEL_MM * f) ** 2) * (f * PIXEL_MM <= 0.5)
    grain = np.fft.irfft2(np.fft.rfft2(noise) * response, (side, side))
    hu = 40 + 12 * grain / grain.std()
    return CTSlice(hu.astype(np.float32), PIXEL_MM, Identity("tissue"))


def series(corpus: Corpus, other: Reconstruction) -> InMemory:
    """Return a corpus of one series: three slices as scanned, and one of them anew."""
    slices = [tissue(seed) for seed in range(3)]
    anew = reconstructed(slices[0], other)
    known = corpus.slices[0]
    facts = [
        replace(known.facts, pixel_mm=one.pixel_mm, reconstruction=words)
        for one, words in zip([*slices, anew], ["", "", "", str(other)], strict=True)
    ]
    return InMemory(
        corpus.folder,
        corpus.settings,
        tuple(replace(known, facts=each) for each in facts),
        (*slices, anew),
    )


def test_noise_tells_the_kernel_of_slices_as_they_were_scanned(corpus: Corpus) -> None:
    one = series(corpus, Reconstruction(1.0, 0.0))
    assert resolution_mm(one, [0, 1, 2]) == pytest.approx(OWN_MM, rel=0.05)


@pytest.mark.parametrize("factor", [0.85, 1.3, 1.6])
def test_other_pixels_alone_do_not_change_the_resolution(
    factor: float, corpus: Corpus, tmp_path: Path
) -> None:
    one = series(corpus, Reconstruction(factor, 0.0))
    (_, own_mm), (indices, anew_mm) = resolutions(one, tmp_path / "resolutions.json")
    assert list(indices) == [3]
    assert anew_mm == pytest.approx(own_mm, rel=1e-9)
    assert own_mm == pytest.approx(OWN_MM, rel=0.05)


def test_noise_of_larger_pixels_would_tell_a_kernel_that_is_too_sharp(corpus: Corpus) -> None:
    # Why resampled slices are not asked.
    one = series(corpus, Reconstruction(1.5, 0.0))
    assert resolution_mm(one, [3]) < OWN_MM - 0.1


@pytest.mark.parametrize("slope", [-10.0, -4.0, 2.0])
def test_another_kernel_blurs_by_what_its_noise_shows(
    slope: float, corpus: Corpus, tmp_path: Path
) -> None:
    one = series(corpus, Reconstruction(1.0, slope))
    (_, own_mm), (_, anew_mm) = resolutions(one, tmp_path / "resolutions.json")
    assert (anew_mm > own_mm) == (slope < 0)
    assert anew_mm == pytest.approx(resolution_mm(one, [3]), rel=0.05)


def test_no_kernel_undoes_the_aperture(corpus: Corpus, tmp_path: Path) -> None:
    one = series(corpus, Reconstruction(1.0, 40.0))
    (_, _), (_, anew_mm) = resolutions(one, tmp_path / "resolutions.json")
    assert anew_mm == APERTURE_MM


def test_a_series_without_noise_counts_as_the_usual_one(corpus: Corpus) -> None:
    flat = replace(tissue(0), hu=np.full((384, 384), 40, np.float32))
    one = replace(series(corpus, Reconstruction(1.0, 0.0)), images=(flat,))
    assert resolution_mm(one, [0]) == USUAL_SIGMA_MM


def test_what_was_read_is_kept(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "resolutions.json"
    one = series(corpus, Reconstruction(1.0, -4.0))
    first = resolutions(one, path)
    blind = replace(one, images=())
    assert resolutions(blind, path) == first


def test_noise_coarser_than_it_can_be_read_is_no_usual_kernel(corpus: Corpus) -> None:
    white = np.random.default_rng(0).standard_normal((384, 384))
    coarse = ndimage.gaussian_filter(white, 6, mode="wrap")
    hu = (40 + 12 * coarse / coarse.std()).astype(np.float32)
    one = replace(series(corpus, Reconstruction(1.0, 0.0)), images=(replace(tissue(0), hu=hu),))
    assert resolution_mm(one, [0]) > 3 * PIXEL_MM


def test_a_series_that_was_not_kept_as_it_was_scanned_is_refused(
    corpus: Corpus, tmp_path: Path
) -> None:
    one = series(corpus, Reconstruction(1.0, -4.0))
    anew = replace(one, slices=one.slices[3:], images=one.images[3:])
    with pytest.raises(CorpusError, match="holds a series anew and not as it was scanned"):
        resolutions(anew, tmp_path / "resolutions.json")


@pytest.mark.parametrize("text", ["{", "[]", '{"method": "", "mm": {"1.2.3": "wide"}}'])
def test_a_damaged_file_is_refused(text: str, corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "resolutions.json"
    path.write_text(text)
    with pytest.raises(CorpusError, match="is damaged"):
        resolutions(corpus, path)


@pytest.mark.parametrize("held", [{"1.2.3 ": 0.6}, {"method": "edges", "mm": {"1.2.3": 0.6}}])
def test_what_another_method_read_is_refused(held: object, corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "resolutions.json"
    path.write_text(json.dumps(held))
    with pytest.raises(CorpusError, match="read resolutions otherwise; delete it"):
        resolutions(corpus, path)
