"""What ``make demo`` promises: a table in which the score falls, and one picture."""

import re
from pathlib import Path

import pytest
from PIL import Image

from ctiqa.cli.demo import demo


def test_the_demo_prints_scores_that_fall_with_dose_and_draws_one_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(tmp_path, slices=3)
    printed = capsys.readouterr().out
    rows = re.findall(r"^([\d.]+) +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    dose, score, noise_hu = (list(map(float, column)) for column in zip(*rows, strict=True))
    assert dose == [1, 0.5, 0.25]
    assert score[0] > score[1] > score[2]
    assert noise_hu[0] < noise_hu[1] < noise_hu[2]
    pictures = list(tmp_path.glob("*.png"))
    assert [str(path) for path in pictures] == re.findall(r"\S+\.png", printed)
    with Image.open(pictures[0]) as picture:
        assert picture.width > 3 * 512


def test_the_demo_runs_again_over_what_it_left(tmp_path: Path) -> None:
    demo(tmp_path, slices=1)
    demo(tmp_path, slices=1)
    assert len(list(tmp_path.rglob("*.dcm"))) == 3
