"""Two sides are compared where they can be, and refused in one sentence where they cannot."""

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctiqa
from ctiqa.card import Card
from ctiqa.errors import TableError
from ctiqa.outputs.along_table import as_png
from ctiqa.outputs.tables import as_csv, as_json, write_csv, write_json
from ctiqa.outputs.verdict import as_words, verdict
from ctiqa.protocol.compare import compare
from ctiqa.protocol.compared import COLUMNS, Comparison
from ctiqa.protocol.pairing import slice_pairs
from ctiqa.protocol.sides import ScoredSeries, Side, side_of_table
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

SLICES = 40


def row(z_mm: float, score: float | None, **facts: Any) -> SliceResult:
    plain: dict[str, Any] = {
        "path": f"{z_mm:g}.dcm",
        "study_instance_uid": "1.1",
        "series_instance_uid": "1.1.1",
        "noise_hu": 10.0,
        "status": "not_scored" if score is None else "ok",
        "pixel_mm": 0.7,
        "slice_thickness_mm": 2.0,
        "kernel": "B",
        "body_part": "CHEST",
        "model": "mean",
        "model_sha256": "ab" * 32,
    }
    return SliceResult(z_mm=z_mm, score=score, **(plain | facts))


def rows(
    level: float, *, seed: int, n: int = SLICES, start_mm: float = 0.0, **facts: Any
) -> tuple[SliceResult, ...]:
    scores = level + np.random.default_rng(seed).normal(0, 0.01, n)
    return tuple(
        row(start_mm + 2.0 * place, float(score), **facts) for place, score in enumerate(scores)
    )


def side(*series: tuple[SliceResult, ...], name: str = "scan", **facts: Any) -> Side:
    return Side(
        name=name,
        series=tuple(
            ScoredSeries(name=each[0].series_instance_uid, rows=each, **facts) for each in series
        ),
        left_out=0,
        model=series[0][0].model,
        model_sha256=series[0][0].model_sha256,
    )


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(side(rows(0.8, seed=1)), side(rows(0.7, seed=2), name="other"))


def test_a_known_difference_is_found_on_every_pair(found: Comparison) -> None:
    assert found.paired
    assert found.better == "A"
    assert found.score.slices == SLICES
    assert found.score.mean == pytest.approx(0.1, abs=0.01)
    assert found.score.mean_interval.low < 0.1 < found.score.mean_interval.high
    assert found.share_a_better == 1
    assert verdict(found).startswith("A is better by 0.1")
    assert verdict(found).endswith("on 40 paired slices.")


def test_the_other_way_round_it_is_the_other_that_is_better(found: Comparison) -> None:
    back = compare(side(rows(0.7, seed=2)), side(rows(0.8, seed=1)))
    assert back.better == "B"
    assert back.score.mean == pytest.approx(-found.score.mean)
    assert verdict(back)[1:45] == verdict(found)[1:45]


def test_the_same_scan_twice_does_not_differ() -> None:
    found = compare(side(rows(0.8, seed=1)), side(rows(0.8, seed=1)))
    assert found.better is None
    assert found.score.mean_interval == (0, 0)
    assert verdict(found).startswith("No difference found: A minus B is 0.000")


def test_a_chance_difference_is_no_difference() -> None:
    found = [
        compare(side(rows(0.8, seed=seed)), side(rows(0.8, seed=100 + seed))).better
        for seed in range(20)
    ]
    assert found.count(None) >= 17


def test_slices_lie_in_one_place_within_half_the_coarser_distance() -> None:
    fine, coarse = np.arange(0, 20, 1.0), np.arange(0.4, 20, 5.0)
    assert slice_pairs(coarse, fine) == [(0, 0), (1, 5), (2, 10), (3, 15)]
    assert slice_pairs(fine, coarse) == [(j, i) for i, j in slice_pairs(coarse, fine)]
    assert slice_pairs(np.array([0.0, 2, 4]), np.array([6.0, 8, 10])) == []


def test_each_slice_is_in_one_pair_at_most() -> None:
    repeated = np.repeat(np.arange(0, 20, 2.0), 2)
    pairs = slice_pairs(repeated, np.arange(0, 20, 2.0))
    assert len({j for _, j in pairs}) == len(pairs) == 10


@pytest.mark.parametrize(
    ("b", "sentence"),
    [
        (rows(0.7, seed=2, start_mm=500), "they have 0 positions in common"),
        (rows(0.7, seed=2, start_mm=70), "they have 5 positions in common"),
        (rows(0.7, seed=2, start_mm=-78), "counted in opposite directions"),
        (rows(0.7, seed=2, model_sha256="cd" * 32), "scores of two models do not compare"),
        (rows(0.7, seed=2, n=5, study_instance_uid="2"), "needs 10 slices with a score"),
    ],
    ids=["apart", "few", "upside down", "model", "short"],
)
def test_what_cannot_be_compared_is_refused(b: tuple[SliceResult, ...], sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        compare(side(rows(0.8, seed=1)), side(b))


def test_a_direction_that_headers_tell_is_believed() -> None:
    turned = side(rows(0.8, seed=1), normal=(0.0, 0.0, -1.0))
    with pytest.raises(TableError, match="counted in different directions"):
        compare(side(rows(0.8, seed=1), normal=(0.0, 0.0, 1.0)), turned)


def test_another_exam_is_another_sample_even_in_the_same_place() -> None:
    other = side(rows(0.7, seed=2, study_instance_uid="2"))
    found = compare(side(rows(0.8, seed=1)), other)
    assert not found.paired
    assert found.share_a_better is None
    assert any("different exams" in each for each in found.doubts)
    assert verdict(found).startswith("A scores higher by 0.1")
    assert len(found.pairs) == 2 * SLICES


def test_a_frame_of_reference_weighs_more_than_a_study() -> None:
    a = side(rows(0.8, seed=1), frame_of_reference_uid="1.5")
    moved = side(rows(0.7, seed=2), frame_of_reference_uid="1.6")
    copied = side(rows(0.7, seed=2, study_instance_uid="2"), frame_of_reference_uid="1.5")
    assert not compare(a, moved).paired
    assert compare(a, copied).paired
    assert "their headers name one frame of reference" in compare(a, copied).notes


def test_two_kernels_of_one_real_scan_lie_in_one_frame_of_reference(real_ct: Path) -> None:
    headers = [
        ctiqa.read(real_ct / folder).series[0].headers
        for folder in ("kernel-pair", "test/Lung_Dx-A0001")
    ]
    frames = {header.frame_of_reference_uid for each in headers for header in each}
    assert len(frames) == 1
    assert "" not in frames
    sharp, smooth = (np.array([header.z_mm for header in each], float) for each in headers)
    assert len(slice_pairs(sharp, smooth)) == 23


def test_where_no_header_speaks_the_only_series_are_paired_and_it_is_said() -> None:
    bare = rows(0.8, seed=1, study_instance_uid="")
    found = compare(side(bare), side(rows(0.7, seed=2, study_instance_uid="")))
    assert found.paired
    assert found.notes == ("one frame of reference is assumed: nothing says whose they are",)


def several(level: float, *, seed: int, shift: float = 0.0) -> list[tuple[SliceResult, ...]]:
    """Return five patients, each with a level of his own."""
    own = (0.0, 0.05, -0.05, 0.1, -0.1)
    return [
        rows(
            level + each + shift * each,
            seed=seed + place,
            study_instance_uid=f"1.{place}",
            series_instance_uid=f"1.{place}.{seed}",
        )
        for place, each in enumerate(own)
    ]


def test_series_find_their_partners_whatever_their_order() -> None:
    a, b = several(0.8, seed=10), several(0.7, seed=50)
    found = compare(side(*a), side(*b[::-1]))
    assert found.series == 5
    assert found.over_series
    assert found.score.mean == pytest.approx(0.1, abs=0.01)
    assert all(pair.series_a[:4] == pair.series_b[:4] for pair in found.pairs)


def test_what_varies_from_patient_to_patient_widens_the_interval_over_series() -> None:
    a = side(*several(0.8, seed=10))
    alike, varied = (compare(a, side(*several(0.7, seed=50, shift=by))) for by in (0.0, 1.0))
    widths = [np.ptp(each.score.mean_interval) for each in (alike, varied)]
    assert widths[1] > 5 * widths[0]


def test_a_series_without_a_partner_is_left_out_and_counted() -> None:
    a = side(*several(0.8, seed=10))
    found = compare(a, side(*several(0.7, seed=50)[:3]))
    assert found.series == 3
    assert any(each.startswith("2 series of A are left out") for each in found.notes)


@pytest.mark.parametrize(
    ("facts", "doubt"),
    [
        ({"kernel": "L"}, "kernels differ (A B, B L)"),
        ({"body_part": "HEAD"}, "body parts differ (A CHEST, B HEAD)"),
        ({"pixel_mm": 0.9}, "pixel sizes differ (A 0.7 mm, B 0.9 mm)"),
        ({"slice_thickness_mm": 5.0}, "thicknesses differ (A 2 mm, B 5 mm)"),
        (
            {"reasons": ("kernel B not in training",)},
            "the model warns of only B (B: kernel B not in training, 40 of 40)",
        ),
    ],
)
def test_what_makes_two_sides_hardly_comparable_is_said(facts: dict[str, Any], doubt: str) -> None:
    found = compare(side(rows(0.8, seed=1)), side(rows(0.7, seed=2, **facts)))
    assert len(found.doubts) == 1
    assert found.doubts[0].startswith(doubt)
    assert verdict(found).endswith("read the doubts first.")
    assert f"Doubt: {doubt}" in as_words(found)


def test_a_silent_header_raises_no_doubt() -> None:
    silent = {"kernel": "", "body_part": "", "pixel_mm": None, "slice_thickness_mm": None}
    assert not compare(side(rows(0.8, seed=1)), side(rows(0.7, seed=2, **silent))).doubts


def test_noise_that_is_known_nowhere_is_not_compared() -> None:
    found = compare(side(rows(0.8, seed=1)), side(rows(0.7, seed=2, noise_hu=None)))
    assert found.noise_hu is None
    assert "noise" not in as_words(found)


def test_the_same_seed_is_the_same_result() -> None:
    a, b = side(rows(0.8, seed=1)), side(rows(0.7, seed=2))
    assert compare(a, b, seed=5) == compare(a, b, seed=5) != compare(a, b, seed=6)


def test_a_table_holds_the_pairs_and_json_everything(found: Comparison) -> None:
    lines = list(csv.DictReader(StringIO(as_csv(found).decode())))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == SLICES
    first = lines[0]
    assert float(first["score_difference"]) == float(first["score_a"]) - float(first["score_b"])
    data = json.loads(as_json(found))
    assert data["schema_version"] == 1
    assert data["better"] == "A"
    assert len(data["pairs"]) == SLICES
    mean = np.mean([pair["score_difference"] for pair in data["pairs"]])
    assert data["score"]["mean"] == pytest.approx(mean)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_table_of_scores_is_read_as_it_was_written(tmp_path: Path, form: str) -> None:
    given = (*rows(0.8, seed=1)[::-1], row(99, None, reasons=("damaged",)))
    report = ScoreReport(
        slices=given,
        series=(SeriesSummary.of(given),),
        card=Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),)),
        model_sha256="ab" * 32,
    )
    path = tmp_path / f"scores.{form}"
    (write_csv if form == "csv" else write_json)(report, path)
    read = side_of_table(path)
    assert read.left_out == 1
    assert [one.score for one in read.series[0].rows] == [one.score for one in rows(0.8, seed=1)]
    assert read.model_sha256 == "ab" * 32
    assert compare(read, side(rows(0.7, seed=2))).better == "A"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("none.csv", None, "cannot be read"),
        ("a.csv", "path,score\na,0.5\n", "line 2 has no study_instance_uid"),
        ("a.csv", "path,score\na\n", "line 2 has not as many cells as the header"),
        ("a.csv", "path,score\na,1,2\n", "line 2 has not as many cells as the header"),
        ("a.csv", "path,score\n", "holds no slice that has a score"),
        ("a.json", "{}", "is not what 'ctiqa score -o' writes"),
        ("a.json", "[1", "is not what 'ctiqa score -o' writes"),
        ("a.json", '{"slices": [3]}', "is not what 'ctiqa score -o' writes"),
    ],
)
def test_a_table_of_another_kind_is_refused(
    tmp_path: Path, name: str, text: str | None, sentence: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(TableError, match=sentence):
        side_of_table(path)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"score": "good"}, "score is good, which is no number"), ({"z_mm": "nan"}, "z_mm is nan")],
)
def test_a_cell_that_is_no_number_is_named(
    tmp_path: Path, changed: dict[str, str], sentence: str
) -> None:
    cells = row(1.0, 0.5).row() | changed
    path = tmp_path / "a.csv"
    path.write_text(f"{','.join(cells)}\n{','.join(str(cell or '') for cell in cells.values())}\n")
    with pytest.raises(TableError, match=f"line 2: {sentence}"):
        side_of_table(path)


def test_a_table_of_two_models_is_refused(tmp_path: Path) -> None:
    slices = [row(1, 0.5).row(), row(2, 0.5, model_sha256="cd" * 32).row()]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"slices": slices}))
    with pytest.raises(TableError, match="mixes scores of several models"):
        side_of_table(path)


def test_the_better_side_is_drawn_above_the_other(found: Comparison) -> None:
    picture = np.asarray(Image.open(BytesIO(as_png(found))))[90:400, 100:900]
    heights = [
        np.flatnonzero((picture == colour).all(axis=2).any(axis=1)).mean()
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00))
    ]
    assert heights[0] < heights[1]


def test_without_pairs_the_picture_has_no_difference(found: Comparison) -> None:
    apart = compare(side(rows(0.8, seed=1)), side(rows(0.7, seed=2, study_instance_uid="2")))
    tall, short = (Image.open(BytesIO(as_png(each))).height for each in (found, apart))
    assert short < tall
