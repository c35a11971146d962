"""The data set of the 2023 challenge: its layout, its map to Hounsfield units, its doubts."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.errors import TableError
from ctiqa.images.phantom import abdomen_slice, ct_noise
from ctiqa.images.window import SOFT_TISSUE, Window
from ctiqa.study.challenge import Challenge, as_hu, in_words

Image = pytest.importorskip("PIL.Image")

SIZE = 256
WIDE = Window(1400, -300)

Layout = Callable[..., Path]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a writer of the layout, with abdomens whose grade falls with their noise."""

    def lay(window: Window = SOFT_TISSUE, *, suffix: str = ".tif") -> Path:
        folder = tmp_path / "challenge"
        (folder / "image").mkdir(parents=True)
        clean = abdomen_slice(level=0.5, size=SIZE, pixel_mm=1.5).hu
        grades = {}
        for number in range(8):
            noise = ct_noise(
                sd_hu=8 + 5 * number, rng=np.random.default_rng(number), size=SIZE, pixel_mm=1.5
            )
            name = f"{number:04}{suffix}"
            Image.fromarray(window.apply(clean + noise)).save(
                folder / "image" / name, format="TIFF"
            )
            grades[name] = round(4 - 0.4 * number, 1)
        (folder / "train.json").write_text(json.dumps(grades))
        return folder

    return lay


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a reader of spread in the place of the network."""

    def scorer(model: Path | None, *, device: str) -> SimpleNamespace:
        assert device == "cpu"
        return SimpleNamespace(
            card=SimpleNamespace(name="stand-in" if model is None else model.stem, size=SIZE),
            sha256="0" * 64,
            score_batch=lambda hu, _: -hu[:, 100:150, 100:150].std(axis=(1, 2))[:, None] / 100,
        )

    monkeypatch.setattr("ctiqa.scoring.scorer.Scorer", scorer)


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(
        app, ["evaluate", "--dataset", "ldctiqac2023", str(folder), "--boot", "20", *words]
    )


@pytest.mark.parametrize("window", [SOFT_TISSUE, WIDE])
def test_the_map_to_hounsfield_units_undoes_the_window(window: Window) -> None:
    hu = np.array([window.level_hu - 100, window.level_hu, window.level_hu + 100], np.float32)
    assert as_hu(window.apply(hu), window) == pytest.approx(hu, abs=1e-3)


def test_the_map_is_said_in_words() -> None:
    assert in_words(SOFT_TISSUE) == "hu = 350 v - 135 (W350/L40)"
    assert in_words(WIDE) == "hu = 1400 v - 1000 (W1400/L-300)"


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIF"])
def test_the_data_set_is_evaluated_beside_the_noise_meter(layout: Layout, suffix: str) -> None:
    result = run(layout(suffix=suffix), "--json")
    assert result.exit_code == 0, result.stderr
    plain = json.loads(result.stdout)
    assert plain["images"] == 8
    assert plain["patients"] == 0
    assert plain["about"]["pixels"] == "hu = 350 v - 135 (W350/L40)"
    by_name = {entry["name"]: entry["pooled"] for entry in plain["entries"]}
    assert list(by_name) == ["model", "model, mapped like the noise", "constant", "noise alone"]
    assert by_name["model"]["srocc"] > 0.9
    assert by_name["noise alone"]["srocc"] > 0.9
    # Only after a map is the score on the scale of the grades.
    assert by_name["model, mapped like the noise"]["mae"] < 0.3 < by_name["model"]["mae"]
    notes = " ".join(plain["notes"])
    assert "names no patients" in notes
    assert "no intervals over patients" in notes
    assert "doubt the map" not in notes


def test_another_window_is_taken_at_its_word(layout: Layout) -> None:
    result = run(layout(WIDE), "--window", "1400", "-300", "--json")
    plain = json.loads(result.stdout)
    assert plain["about"]["pixels"] == "hu = 1400 v - 1000 (W1400/L-300)"
    assert not any("doubt the map" in note for note in plain["notes"])


def test_a_map_that_cannot_be_right_is_doubted(layout: Layout) -> None:
    folder = layout(WIDE)
    for window in (["350", "40"], ["4000", "0"]):
        plain = json.loads(run(folder, "--window", *window, "--json").stdout)
        assert any("which is no abdomen: doubt the map" in note for note in plain["notes"])


def test_the_layout_is_read_through_its_faults_and_each_is_named(layout: Layout) -> None:
    folder = layout()
    grades = json.loads((folder / "train.json").read_text())
    del grades["0000.tif"]
    grades |= {"0001.tif": 7, "gone.tif": 2}
    (folder / "train.json").write_text(json.dumps(grades))
    (folder / "image" / "0002.tif").write_bytes(b"no image")
    Image.fromarray(np.full((SIZE, SIZE), 200, np.uint8)).save(folder / "image" / "0003.tif")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "image" / "0004.tif")
    result = run(folder)
    assert result.exit_code == 1
    assert "3 images of unnamed patients" in result.stdout
    assert result.stderr.splitlines() == [
        "left out: 0000.tif: train.json holds no grade of it",
        "left out: 0001.tif: its grade is 7, which is not 0 to 4",
        "left out: gone.tif: there is no such image in image/",
        "left out: 0002.tif: it is no TIFF that Pillow can read, or a damaged one",
        "left out: 0003.tif: its pixels go from 200 to 200, not from 0 to 1",
        f"left out: 0004.tif: it is (8, 8), and the model takes ({SIZE}, {SIZE})",
    ]


def test_a_folder_that_is_laid_out_otherwise_is_refused_in_one_sentence(layout: Layout) -> None:
    folder = layout()
    with pytest.raises(TableError, match="holds no folder image"):
        Challenge.open(folder / "image")
    (folder / "more.json").write_text("{}")
    with pytest.raises(TableError, match=r"holds 2 \.json files"):
        Challenge.open(folder)
    (folder / "train.json").unlink()
    with pytest.raises(TableError, match=r"no image of .* has a grade in more\.json"):
        Challenge.open(folder)
    for text, words in (("[]", "is no table"), ("{", "is not JSON")):
        (folder / "more.json").write_text(text)
        with pytest.raises(TableError, match=words):
            Challenge.open(folder)
    for path in (folder / "image").iterdir():
        path.unlink()
    (folder / "more.json").write_text("{}")
    with pytest.raises(TableError, match=r"holds no \.tif"):
        Challenge.open(folder)


@pytest.mark.parametrize(
    "words", [["--teacher", "t.onnx"], ["--train", "t.csv"], ["--window", "0", "1"]]
)
def test_what_does_not_go_with_a_data_set_is_a_wrong_call(layout: Layout, words: list[str]) -> None:
    assert run(layout(), *words).exit_code == 2
