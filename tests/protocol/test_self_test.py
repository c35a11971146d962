"""The certificate tells a good score from a bad one, on slices that it changes itself."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import ctiqa
from ctiqa.card import Card
from ctiqa.cli.main import app
from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import Series
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.outputs.certificate import as_page, write_certificate
from ctiqa.protocol import self_test as module
from ctiqa.protocol.self_test import Certificate, self_test


class NoiseMeter:
    """A model that scores by noise alone: what a denoiser fools."""

    card = Card(name="noise meter", outputs=1, windows_hu=((2000.0, 0.0),))
    sha256 = 64 * "0"

    def score_batch(self, hu: FloatImage, _pixel_mm: object) -> Any:
        return np.array(
            [
                [1 - np.log10(np.nan_to_num(global_noise_hu(each), nan=1.0) + 0.1) / 2]
                for each in hu
            ],
            np.float32,
        )


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_series(folder, slices=8)
    (found,) = ctiqa.read(folder).series
    return found


@pytest.fixture(scope="module")
def certificate(series: Series) -> Certificate:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "denoisers", lambda: ("total_variation",))
        return self_test(series, NoiseMeter(), slices=6)  # type: ignore[arg-type]


def test_a_noise_meter_follows_dose_and_is_fooled_by_blur_and_denoisers(
    certificate: Certificate,
) -> None:
    verdict = {check.law: True for check in certificate.checks}
    for check in certificate.checks:
        verdict[check.law] &= check.passed is not False
    assert verdict["M1"]
    assert verdict["M8"]
    assert verdict["I6"]
    assert not verdict["M4"]
    assert not verdict["M7"]
    assert not verdict["M9"]


def test_neighbours_too_far_apart_are_not_compared(certificate: Certificate) -> None:
    (check,) = [check for check in certificate.checks if check.law == "I8"]
    assert check.figure is None


def test_neighbours_of_another_matrix_are_fitted_as_the_model_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NEIGHBOURS_MM", 10.0)
    write_phantom_series(tmp_path, slices=3, size=256, pixel_mm=1.5)
    (small,) = ctiqa.read(tmp_path).series
    seen: list[tuple[int, ...]] = []

    def score_batch(hu: FloatImage, _pixel_mm: float) -> Any:
        seen.append(hu.shape)
        return np.full((1, 1), 0.5)

    scorer: Any = SimpleNamespace(card=NoiseMeter.card, score_batch=score_batch)
    (check,) = module._neighbours(small, scorer)
    assert check.figure == 0
    assert set(seen) == {(1, 512, 512)}


def test_a_certificate_is_written_as_data_and_as_a_page(
    certificate: Certificate, tmp_path: Path
) -> None:
    write_certificate(certificate, tmp_path / "c.json")
    held = json.loads((tmp_path / "c.json").read_text())
    assert held["schema_version"] == 1
    assert {"law", "figure", "bound", "passed"} <= set(held["checks"][0])
    write_certificate(certificate, tmp_path / "c.md")
    page = (tmp_path / "c.md").read_text()
    assert page == as_page(certificate)
    assert "BROKEN" in page
    assert "6 slices" in page


def test_a_series_of_three_slices_is_refused_in_one_sentence(series: Series) -> None:
    short = SimpleNamespace(headers=series.headers[:3])
    with pytest.raises(ReadError, match="needs 6 slices that can be scored, and the series has 3"):
        self_test(short, NoiseMeter())  # type: ignore[arg-type]


def test_the_command_refuses_a_folder_without_ct(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    done = CliRunner().invoke(app, ["selftest", str(tmp_path)])
    assert done.exit_code == 1


def test_the_command_writes_no_other_form(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["selftest", str(tmp_path), "-o", "certificate.pdf"])
    assert done.exit_code == 2
