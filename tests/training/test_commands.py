"""The commands train, distil and export, as a person gives them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from typer.testing import CliRunner

from ctiqa.card import Card
from ctiqa.cli.extras import extra_installed
from ctiqa.cli.main import app
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CtiqaError

RECIPE = Path(__file__).with_name("small.toml")


def ctiqa(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_scans_become_a_model_by_three_commands_and_repeating_them_costs_nothing(
    corpus: Corpus, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train = ("train", corpus.folder, "--recipe", RECIPE, "-o", run, "--threads", 1)
    distil = ("distil", corpus.folder, run, "--accelerator", "cpu")
    for command, name in ((train, "teacher-1"), (distil, "student")):
        first = ctiqa(*command)
        assert (first.exit_code, first.stdout) == (0, ""), first.stderr
        assert f"{name} epoch 2 of 2: loss " in first.stderr
        second = ctiqa(*command)
        assert (second.exit_code, second.stdout) == (0, "")
        assert f"{name} is trained already (2 epochs)" in second.stderr
        assert " epoch " not in second.stderr
    assert "gate open" in first.stderr
    _exported(run, tmp_path)
    _evaluated(corpus, run, tmp_path)


def _evaluated(corpus: Corpus, run: Path, tmp_path: Path) -> None:
    """What the model reaches goes into its card, never without the baselines beside it."""
    model, result = tmp_path / "model.onnx", tmp_path / "test.json"
    options = ("--no-self-label", "--boot", 5, "-q", "-o", result)
    done = ctiqa("evaluate", corpus.folder, "-m", model, "--label", "ideal", *options)
    assert done.exit_code == 0, done.stderr
    again = ctiqa("export", run, "-o", model, "--evaluation", result)
    assert again.exit_code == 0, again.stderr
    session = ort.InferenceSession(model.read_bytes())
    card = Card.from_json(session.get_modelmeta().custom_metadata_map["ctiqa_card"])
    told = card.figures["split test, all, label ideal"]
    entries = {entry["name"]: entry for entry in json.loads(result.read_text())["entries"]}
    assert (told["images"], told["patients"]) == (8, 1)
    assert {"model", "dose alone", "noise alone"} <= set(told["rows"])
    for name, row in told["rows"].items():
        assert row["signed_opm"] == entries[name]["pooled"]["signed_opm"]
        assert row["mae"] == entries[name]["pooled"]["mae"]
    result.write_text("{}")
    wrong = ctiqa("export", run, "-o", model, "--evaluation", result)
    assert wrong.exit_code == 1
    assert "is no result of 'ctiqa evaluate" in str(wrong.stderr) + str(wrong.exception)


def _exported(run: Path, tmp_path: Path) -> None:
    """The third command: one file whose card tells what training cannot know, too."""
    note, model = tmp_path / "note.toml", tmp_path / "model.onnx"
    note.write_text(
        'licence = "Apache-2.0"\n'
        '[[data]]\nname = "Nowhere"\ndoi = ""\nlicence = "CC0-1.0"\npatients = 3\n'
    )
    done = ctiqa("export", run, "-o", model, "--data-note", note)
    assert done.exit_code == 0, done.stderr
    session = ort.InferenceSession(model.read_bytes())
    card = Card.from_json(session.get_modelmeta().custom_metadata_map["ctiqa_card"])
    assert (card.licence, card.data[0].patients) == ("Apache-2.0", 3)
    scores = session.run(["scores"], {"hu": np.zeros((3, 64, 64), np.float32)})[0]
    assert scores.shape == (3, card.outputs)


def test_some_teachers_can_be_trained_alone(corpus: Corpus, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert ctiqa("train", corpus.folder, "-r", RECIPE, "-o", run, "--members", "1").exit_code == 0
    assert [path.name for path in run.glob("teacher-*")] == ["teacher-1"]
    wrong = ctiqa("train", corpus.folder, "-r", RECIPE, "-o", run, "--members", "one")
    assert wrong.exit_code == 2


def test_ctrl_c_ends_in_words_and_the_same_command_goes_on(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    run = tmp_path / "run"
    told = []

    class Impatient:
        def __init__(self, **_: object) -> None:
            pass

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def begin(self, name: str, *, epochs: int, done: int) -> None:
            told.append((name, done, epochs))

        def step(self, **_: object) -> None:
            pass

        def row(self, *_: Any, **__: Any) -> None:
            if len(told) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr("ctiqa.training.progress.Told", Impatient)
    stopped = ctiqa("train", corpus.folder, "-r", RECIPE, "-o", run)
    assert stopped.exit_code == 130
    assert "stopped; every finished epoch is kept in" in stopped.stderr
    assert ctiqa("train", corpus.folder, "-r", RECIPE, "-o", run).exit_code == 0
    assert told == [("teacher-0", 0, 2), ("teacher-0", 1, 2), ("teacher-1", 0, 2)]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: ("train", run / "none", "-r", RECIPE, "-o", run), "is no finished corpus"),
        (lambda run: ("distil", run, run), "recipe.toml cannot be read as a recipe"),
        (lambda run: ("export", run, "-o", run / "m.onnx"), "recipe.toml cannot be read"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence_with_exit_code_1(
    tmp_path: Path, spoil: Any, words: str
) -> None:
    result = ctiqa(*spoil(tmp_path))
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_disk_that_cannot_be_written_to_is_said_in_one_sentence(
    corpus: Corpus, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = ctiqa("train", corpus.folder, "-r", RECIPE, "-o", blocked / "run")
    assert result.exit_code == 1
    assert "cannot be written to" in result.stderr


def test_without_the_extra_it_is_said_what_to_install() -> None:
    with pytest.raises(CtiqaError, match=r"needs torch, .*'ctiqa\[train\]'"), extra_installed():
        raise ModuleNotFoundError(name="torch")


def test_the_help_of_the_commands_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from ctiqa.cli import train, distil, export; "
        "sys.exit('torch' in sys.modules or 'lightning_fabric' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
