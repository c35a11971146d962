"""What teachers said of an image is asked once and answered as they would again."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctiqa.corpus.store import Corpus
from ctiqa.training.checkpoint import load_tensors
from ctiqa.training.distil import distil
from ctiqa.training.recipe import parse_recipe
from ctiqa.training.remembered import Memory, Remembered
from ctiqa.training.teachers import teacher_folder, train_teachers

RECIPE = Path(__file__).with_name("small.toml").read_text(encoding="utf-8")
FIXED = RECIPE.replace("[examples]", "[examples]\ndoses = [1, 0.75, 0.5, 0.25]").replace(
    "passes_per_epoch = 2", "passes_per_epoch = 1"
)

SIDES = torch.tensor([0.5, 0.6, 0.7, 0.8])


class Counting(nn.Module):
    """The mean of a slice times a factor; counts the slices that it is shown."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.shown = factor, 0

    def forward(self, hu: Tensor, _pixel_mm: Tensor) -> Any:
        self.shown += len(hu)
        return self.factor * hu.mean(dim=(1, 2))[:, None]


@pytest.fixture
def hu() -> Tensor:
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_scores_are_those_of_the_members_side_by_side(hu: Tensor) -> None:
    members = [Counting(1.0), Counting(-2.0)]
    scores = Remembered(members, [{}, {}])(hu, SIDES)
    torch.testing.assert_close(scores, torch.cat([member(hu, SIDES) for member in members], dim=1))


def test_an_image_is_scored_once_whatever_batch_it_comes_in(hu: Tensor) -> None:
    member = Counting(1.0)
    remembered = Remembered([member], [{}])
    whole = remembered(hu, SIDES)
    assert torch.equal(remembered(hu[[2, 0]], SIDES[[2, 0]]), whole[[2, 0]])
    assert member.shown == 4


def test_another_orientation_is_another_image(hu: Tensor) -> None:
    member = Counting(1.0)
    remembered = Remembered([member], [{}])
    remembered(hu, SIDES)
    remembered(torch.rot90(hu, dims=(1, 2)), SIDES)
    assert member.shown == 8


def test_the_same_pixels_of_another_side_are_another_image(hu: Tensor) -> None:
    member = Counting(1.0)
    remembered = Remembered([member], [{}])
    remembered(hu, SIDES)
    remembered(hu, 2 * SIDES)
    assert member.shown == 8


def test_ensembles_share_what_their_common_members_said(hu: Tensor) -> None:
    first, second = Counting(1.0), Counting(2.0)
    memories: list[Memory] = [{}, {}]
    Remembered([first], memories[:1])(hu, SIDES)
    Remembered([first, second], memories)(hu, SIDES)
    assert (first.shown, second.shown) == (4, 4)


def test_a_student_learns_the_same_from_memory(
    corpus: Corpus, fakes: Any, fabric: Any, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    plan, run = parse_recipe(FIXED, name="fixed.toml"), tmp_path / "run"
    train_teachers(corpus, plan, run, fabric=fabric, watch=fakes.Silent())
    known: dict[Path, Memory] = {}
    for name, memory in (("plain", None), ("first", known), ("second", known)):
        distil(
            corpus,
            plan,
            run,
            fabric=fabric,
            watch=fakes.Silent(),
            folder=tmp_path / name,
            known=memory,
        )
    assert set(known) == {teacher_folder(run, member) for member in range(2)}
    weights = {
        name: load_tensors(tmp_path / name / "weights.safetensors")[0]
        for name in ("plain", "first", "second")
    }
    for name, plain in weights["plain"].items():
        assert torch.equal(weights["first"][name], weights["second"][name])
        torch.testing.assert_close(weights["first"][name], plain)
