"""``ctiqa info``: what a model says of itself without PyTorch, and the figures with it."""

import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import onnx
import pytest
from typer.testing import CliRunner

import ctiqa
from ctiqa.card import Card, DataSource
from ctiqa.cli import main

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = Path(ctiqa.__file__).parent / "shipped" / "ctiqa.onnx"

# Twice the mean of a slice of 4 x 4 pixels.
NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
twice (float[N, 4, 4] hu) => (float[N, 1] scores)
{
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(mean, last)
   scores = Add(column, column)
}
"""
CARD = Card(
    name="twice",
    description="It says twice the mean.",
    outputs=1,
    size=4,
    windows_hu=((2000.0, 0.0),),
    recipe="# first\n\n[network]\nsize = 4\n",
    data=(DataSource(name="Nobody", licence="CC0-1.0", patients=3),),
    figures={"test": {"opm": 2.123456, "krocc": None}},
    licence="CC0-1.0",
    notes=("A note, with a comma.", "Another."),
)


@pytest.fixture
def run() -> Callable[..., Any]:
    return lambda *words: CliRunner().invoke(main.app, ["info", *map(str, words)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network = onnx.parser.parse_model(NETWORK)
    onnx.helper.set_model_props(network, {"ctiqa_card": CARD.to_json()})
    path = tmp_path / "twice.onnx"
    path.write_bytes(network.SerializeToString())
    return path


def test_a_model_says_in_lines_what_its_card_holds(run: Callable[..., Any], model: Path) -> None:
    shown = run(model)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    for line in (
        f"sha256: {sha256(model.read_bytes()).hexdigest()}",
        "checked: the network takes and returns what the card says",
        "name: twice",
        "description: It says twice the mean.",
        "windows_hu: (2000, 0)",
        "  kvp: unknown",
        "  name Nobody, doi , licence CC0-1.0, patients 3",
        "    opm: 2.123",
        "    krocc: unknown",
        "  A note, with a comma.",
        "  [network]",
    ):
        assert line in lines


def test_as_json_a_card_is_the_card_unrounded_with_the_sha256(
    run: Callable[..., Any], model: Path
) -> None:
    about = json.loads(run(model, "--json").stdout)
    assert about.pop("sha256") == sha256(model.read_bytes()).hexdigest()
    assert Card.from_json(json.dumps(about)) == CARD


@pytest.mark.skipif(not SHIPPED.is_file(), reason="this checkout holds no model yet")
def test_the_shipped_model_is_shown_where_pytorch_is_not_installed() -> None:
    shown = without_torch("info", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["sha256"] == sha256(SHIPPED.read_bytes()).hexdigest()


def test_figures_without_pytorch_say_what_to_install() -> None:
    shown = without_torch("info", "--recipe", str(RECIPES / "tiny.toml"))
    assert shown.returncode == 1
    assert "pip install 'ctiqa[train]'" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""


def without_torch(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.modules['torch'] = None; from ctiqa.cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_a_recipe_is_drawn_as_text_and_as_one_svg(run: Callable[..., Any], tmp_path: Path) -> None:
    svg = tmp_path / "deep" / "figures.svg"
    shown = run("--recipe", RECIPES / "paper2025.toml", "--svg", svg)
    assert shown.exit_code == 0, shown.stderr
    words = [each.text or "" for each in ET.parse(svg).getroot().iter()]  # noqa: S314 - our own
    for title in (
        "Figure 1. From scans to a score",
        "Figure 2. The CNN-ViT",
        "Figure 3. Distillation",
    ):
        assert title in shown.stdout.splitlines()
        assert title in words


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["no.onnx"], 1, "No such file or directory"),
        (["--recipe", "no.toml"], 1, "no.toml"),
        (["--svg", "x.svg"], 2, "add --recipe"),
    ],
)
def test_what_is_not_there_is_named(
    run: Callable[..., Any], words: list[str], code: int, sentence: str
) -> None:
    shown = run(*words)
    assert shown.exit_code == code
    assert sentence in shown.stderr
    assert "Traceback" not in shown.stderr
