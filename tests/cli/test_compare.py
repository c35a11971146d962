"""``ctiqa compare``: the verdict on stdout, files on request, one sentence where it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from ctiqa.card import Card
from ctiqa.cli import main

WriteDicom = Callable[..., Path]
SLICES = 12

# One minus the spread of the HU in hundreds: a noise meter.
NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
meter (float[N, 64, 64] hu) => (float[N, 1] scores)
<float hundredth = {0.01}, float one = {1.0}>
{
   power = ReduceL2<axes = [1, 2], keepdims = 0>(hu)
   small = Mul(power, hundredth)
   unit = Mul(small, hundredth)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(unit, last)
   scores = Sub(one, column)
}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = Card(name="meter", outputs=1, size=64, windows_hu=((2000.0, 0.0),))
    network = onnx.parser.parse_model(NETWORK)
    onnx.helper.set_model_props(network, {"ctiqa_card": card.to_json()})
    path = tmp_path / "meter.onnx"
    path.write_bytes(network.SerializeToString())
    return path


@pytest.fixture
def run(model: Path) -> Callable[..., Any]:
    def act(*arguments: str | Path) -> Any:
        told = {"CTIQA_MODEL": str(model)}
        return CliRunner().invoke(main.app, [*map(str, arguments)], env=told)

    return act


@pytest.fixture
def scans(write_dicom: WriteDicom) -> tuple[Path, Path]:
    """Return a calm and a noisy reconstruction of one scan."""
    made = []
    for name, noise_hu in (("calm", 10.0), ("noisy", 20.0)):
        for number in range(SLICES):
            rng = np.random.default_rng(number)
            hu = (rng.normal(1024, noise_hu, (64, 64))).round().astype(np.int16)
            path = write_dicom(
                f"{name}/{number:02}.dcm",
                hu,
                SeriesInstanceUID=f"1.2.3.{noise_hu:g}",
                ImagePositionPatient=[0, 0, number],
            )
        made.append(path.parent)
    return made[0], made[1]


def test_two_scans_give_a_verdict_on_stdout(
    run: Callable[..., Any], scans: tuple[Path, Path]
) -> None:
    shown = run("compare", *scans)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith("A is better by 0.06")
    assert f"on {SLICES} paired slices" in shown.stdout
    assert "Note: their headers name one frame of reference" in shown.stdout


def test_tables_give_the_same_as_their_scans(
    run: Callable[..., Any], scans: tuple[Path, Path], tmp_path: Path
) -> None:
    tables = [tmp_path / "a.csv", tmp_path / "b.json"]
    for scan, table in zip(scans, tables, strict=True):
        assert run("score", scan, "-o", table).exit_code == 0
    by_tables, by_both, by_scans = (
        json.loads(run("compare", *given, "--json").stdout)
        for given in (tables, (tables[0], scans[1]), scans)
    )
    assert by_tables["score"] == by_both["score"] == by_scans["score"]
    assert "one frame of reference is assumed: both belong to one study" in by_tables["notes"]


def test_files_are_written_on_request(
    run: Callable[..., Any], scans: tuple[Path, Path], tmp_path: Path
) -> None:
    csv, picture = tmp_path / "pairs.csv", tmp_path / "difference.png"
    shown = run("compare", *scans, "-o", csv, "--picture", picture)
    assert shown.stdout.startswith("A is better")
    assert csv.read_text().count("\n") == SLICES + 1
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_scan_that_is_not_there_is_one_sentence(
    run: Callable[..., Any], scans: tuple[Path, Path], tmp_path: Path
) -> None:
    for wrong in (tmp_path / "nowhere", tmp_path / "nowhere.csv"):
        shown = run("compare", scans[0], wrong)
        assert (shown.exit_code, shown.stdout) == (1, "")
        assert shown.stderr.startswith("ctiqa: ")
        assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize("wrong", [("-o", "a.xlsx"), ("--picture", "a.jpg"), ("--seed", "-1")])
def test_a_wrong_option_is_refused_before_any_work(
    run: Callable[..., Any], scans: tuple[Path, Path], wrong: tuple[str, str]
) -> None:
    shown = run("compare", *scans, *wrong)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert wrong[0] in shown.stderr or "--output" in shown.stderr
