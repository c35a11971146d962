"""What ``ctiqa evaluate`` prints, writes and refuses."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ctiqa.cli.main import app
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import SliceFacts

HEADER = "score,reference,patient,dose,noise_hu,slice"
SIZE = 48


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words), "--boot", "20"])


def table(path: Path, *, sign: int = 1, extra: Sequence[str] = ()) -> Path:
    rng = np.random.default_rng(0)
    lines = [HEADER]
    for patient in "abcd":
        for number in range(3):
            base = rng.uniform(8, 20)
            for dose in (1, 0.5, 0.25):
                noise_hu = base / dose**0.5
                reference = 1 - noise_hu / 60
                score = sign * (reference + rng.normal(0, 0.01))
                lines.append(f"{score},{reference},{patient},{dose},{noise_hu},{number}")
    path.write_text("\n".join([*lines, *extra]) + "\n")
    return path


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a corpus whose noisy discs a stand-in for the network reads by their spread."""
    folder = tmp_path / "corpus"
    (folder / "parts").mkdir(parents=True)
    settings = CorpusSettings(image_doses=(1.0, 0.5), label_doses=(1.0, 0.5))
    rng = np.random.default_rng(0)
    rows = []
    for number, (split, patient) in enumerate(
        [("train", "a"), ("train", "b"), ("test", "c"), ("test", "d"), ("test", "e")]
    ):
        noise_hu = [10.0 + number, 15.0 + number]
        images = [rng.normal(40, sd, (64, 64)) for sd in noise_hu]
        np.save(folder / "parts" / f"p{number}.npy", np.stack(images).astype(np.int16))
        ideal = [[[40 - sd, 0.9], [50 - sd, 0.9]] for sd in noise_hu]
        measured = {"ideal": ideal, "routine": ideal, "noise_hu": noise_hu}
        (folder / "parts" / f"p{number}.json").write_text(json.dumps(measured))
        row = dict.fromkeys([field.name for field in fields(SliceFacts)], "")
        row |= {"part": f"p{number}", "split": split, "patient": patient}
        rows.append(row | {"path": f"{split}/{patient}/0.dcm", "pixel_mm": "0.7", "quanta": "1e5"})
    with (folder / "slices.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    about = {"schema_version": 1, "settings": asdict(settings), "slices": 5}
    (folder / "corpus.json").write_text(json.dumps(about))

    def scorer(model: Path | None, *, device: str) -> SimpleNamespace:
        assert device == "cpu"
        return SimpleNamespace(
            card=SimpleNamespace(
                name="stand-in" if model is None else model.stem, interval=None, size=SIZE
            ),
            sha256="0" * 64,
            has_map=False,
            score_batch=score_batch,
        )

    def score_batch(hu: np.ndarray, _: object) -> np.ndarray:
        # Less than the slices of the corpus: a network is shown their middle.
        assert hu.shape[1:] == (SIZE, SIZE)
        return -hu.std(axis=(1, 2))[:, None]

    monkeypatch.setattr("ctiqa.scoring.scorer.Scorer", scorer)
    return folder


def test_a_table_of_scores_is_evaluated_beside_the_noise_meter(tmp_path: Path) -> None:
    result = run(table(tmp_path / "scores.csv"))
    assert result.exit_code == 0
    assert "noise alone" in result.stdout
    assert "than a noise meter: signed OPM" in result.stdout
    assert result.stderr == ""


def test_json_on_stdout_is_json_and_nothing_else(tmp_path: Path) -> None:
    result = run(table(tmp_path / "scores.csv", extra=["x,1,a,1,1,1"]), "--json")
    plain = json.loads(result.stdout)
    assert plain["about"] == {"table": "scores.csv"}
    assert plain["n_boot"] == 20
    assert plain["refused"] == [
        line.removeprefix("left out: ") for line in result.stderr.splitlines()
    ]


def test_bad_lines_are_named_on_stderr_and_make_the_exit_code_1(tmp_path: Path) -> None:
    result = run(table(tmp_path / "scores.csv", extra=["x,1,a,1,1,1", ",1,a,1,1,1"]))
    assert result.exit_code == 1
    assert "36 images of 4 patients" in result.stdout
    first, second = result.stderr.splitlines()
    assert first.startswith("left out: scores.csv, line 38: score is 'x'")
    assert second == "left out: scores.csv, line 39: score is blank"


def test_of_very_many_bad_lines_some_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    result = run(table(tmp_path / "scores.csv", extra=["x,1,a,1,1,1"] * 50))
    assert result.stderr.splitlines()[-1] == "left out: 30 more lines"


def test_an_inverted_score_makes_the_exit_code_1(tmp_path: Path) -> None:
    result = run(table(tmp_path / "scores.csv", sign=-1))
    assert result.exit_code == 1
    assert "A correlation of 'model' is negative" in result.stdout


def test_a_table_without_a_reference_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("score\n1\n")
    result = run(path)
    assert result.exit_code == 1
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert "has no column reference" in sentence


@pytest.mark.parametrize(("suffix", "start"), [("json", "{"), ("csv", "entry,"), ("md", "### ")])
def test_the_result_is_also_written_in_the_form_that_the_name_asks_for(
    tmp_path: Path, suffix: str, start: str
) -> None:
    output = tmp_path / f"out.{suffix}"
    assert run(table(tmp_path / "scores.csv"), "-o", output).exit_code == 0
    assert output.read_text().startswith(start)


@pytest.mark.parametrize(
    "words", [["-o", "out.txt"], ["-o", "absent/out.md"], ["-m", "m.onnx"], ["--pixel-mm", "0.8"]]
)
def test_a_wrong_call_is_refused_before_any_work_with_exit_code_2(
    tmp_path: Path, words: list[str]
) -> None:
    assert run(table(tmp_path / "scores.csv"), *words).exit_code == 2


def test_training_patients_of_a_table_map_the_baselines(tmp_path: Path) -> None:
    scores, known = table(tmp_path / "scores.csv"), tmp_path / "known.csv"
    known.write_text("reference,noise_hu\n0.9,6\n0.5,30\n")
    alone, mapped = run(scores), run(scores, "--train", known)
    assert "flatters" in alone.stdout
    assert "flatters" not in mapped.stdout
    assert "training: known.csv" in mapped.stdout


def test_a_model_is_evaluated_on_the_test_patients_of_a_corpus(corpus: Path) -> None:
    result = run(corpus, "--no-self-label", "--json")
    assert result.exit_code == 0
    plain = json.loads(result.stdout)
    assert plain["images"] == 6
    assert plain["patients"] == 3
    assert plain["about"]["model"] == "stand-in 000000000000"
    assert plain["about"]["split"] == "test"
    # Spread is noise, and the label was made to fall with noise.
    assert plain["entries"][0]["pooled"]["srocc"] > 0.9
    assert not plain["notes"]


def test_teachers_and_one_folder_only_may_be_asked_for(corpus: Path) -> None:
    teachers = "--teacher", "t0.onnx", "--teacher", "t1.onnx"
    result = run(corpus, "--no-self-label", "--only", "test/d", *teachers)
    assert "mean of 2 teachers" in result.stdout
    assert "2 images of 1 patient;" in result.stdout
    assert "Intervals over 1 patient are not meaningful." in result.stdout


def test_the_label_by_itself_is_a_row_unless_it_is_declined(corpus: Path) -> None:
    pytest.importorskip("skimage")
    result = run(corpus, "--only", "test/d", "--workers", "1")
    assert "self label" in result.stdout


def test_without_scikit_image_the_label_by_itself_is_refused_in_words(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctiqa.cli.evidence.find_spec", lambda _name: None)
    result = run(corpus)
    assert result.exit_code == 1
    assert "pip install 'ctiqa[train]', or give --no-self-label" in result.stderr


def test_a_folder_that_is_no_corpus_is_refused_in_one_sentence(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "is no finished corpus" in result.stderr


def test_help_shows_commands_to_copy() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "ctiqa evaluate corpus --only test/ -o evaluation.md" in result.stdout
