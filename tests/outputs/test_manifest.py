"""A manifest says how scores were made, and names nobody and no place."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from ctiqa.card import Card
from ctiqa.outputs.manifest import Manifest, Output
from ctiqa.scoring.result import ScoreReport, SliceResult


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rows = (
        SliceResult(path="a.dcm", status="ok", score=0.5),
        SliceResult(path="b.dcm", status="not_scored"),
    )
    card = Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),))
    report = ScoreReport(slices=rows, series=(), card=card, model_sha256="ab" * 32)
    output = tmp_path / "Somebody.csv"
    output.write_bytes(b"path,score\n")
    parameters = {"inputs": [tmp_path, tmp_path], "output": output, "step": 5, "model": None}
    started = datetime(2026, 11, 28, 12, tzinfo=UTC)
    return Manifest.of(report, parameters, started=started, outputs=(output, None))


def test_a_manifest_counts_what_went_in_and_came_out(manifest: Manifest) -> None:
    assert (manifest.inputs, manifest.images, manifest.refused) == (2, 2, 1)
    assert manifest.exit_status == 1
    assert manifest.model_sha256 == "ab" * 32
    assert manifest.versions["numpy"] == version("numpy")
    assert manifest.started == "2026-11-28T12:00:00+00:00"
    assert datetime.fromisoformat(manifest.ended).tzinfo == UTC


def test_an_output_is_known_by_what_it_holds(manifest: Manifest) -> None:
    digest = sha256(b"path,score\n").hexdigest()
    assert manifest.outputs == (Output(form=".csv", size_bytes=11, sha256=digest),)


def test_options_stand_in_it_and_paths_do_not(manifest: Manifest, tmp_path: Path) -> None:
    assert manifest.options == {"output": "FILE", "step": 5}
    manifest.write(tmp_path / "manifest.json")
    text = (tmp_path / "manifest.json").read_text("utf-8")
    assert json.loads(text)["schema_version"] == 1
    assert "Somebody" not in text
    assert str(tmp_path) not in text
