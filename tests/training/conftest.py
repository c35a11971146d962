"""A tiny network and examples without a corpus, for what the loop itself promises."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ctiqa.corpus.examples import Batch
from ctiqa.corpus.part import CorpusSettings, Part, write_part
from ctiqa.corpus.store import Corpus, SliceFacts
from ctiqa.training.course import Course, Row
from ctiqa.training.loop import fit, make_fabric
from ctiqa.training.losses import Cost, PHuber, label_loss
from ctiqa.training.plans import OptimiserPlan

COUNT = 18
PLAN = OptimiserPlan(lr=0.02, warmup_fraction=0.1, batch=4, epochs=4, clip_norm=1, ema_decay=0.8)
"""18 examples in batches of 4: the last batch of an epoch is a half one."""


class NoisySquares:
    """Squares whose noise falls as their label rises; ``nan_in`` spoils the labels of an epoch."""

    def __init__(self, nan_in: int | None = None) -> None:
        self.nan_in = nan_in

    def __len__(self) -> Any:
        return COUNT

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Any]:
        draw = torch.Generator().manual_seed(1000 * seed + index)
        q = torch.rand(COUNT, generator=draw)
        hu = torch.randn(COUNT, 16, 16, generator=draw) * (1 - q)[:, None, None] * 500
        if index == self.nan_in:
            q = q * float("nan")
        hu, q = hu[rank::world], q[rank::world]
        for start in range(0, len(q), batch):
            some = slice(start, start + batch)
            yield Batch(hu[some], torch.ones_like(q[some]), q[some])

    def in_order(self, *, batch: int) -> Any:
        return self.epoch(0, seed=77, batch=batch)


class TinyNet(nn.Module):
    """The spread of the slice after one convolution, with batch norm and chance in it."""

    def __init__(self, outputs: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.chance = nn.Dropout(dropout)
        self.head = nn.Linear(4, outputs)

    def forward(self, hu: Tensor, _pixel_mm: Tensor) -> Any:
        return self.head(self.chance(self.stem(hu[:, None] / 1000).mean(dim=(2, 3))))


class Silent:
    """Hears everything; ``stop_after`` presses Ctrl-C when that epoch has been told."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.rows, self.steps, self.begun, self.stop_after = [], [], [], stop_after

    def begin(self, name: str, *, epochs: int, done: int) -> None:
        self.begun.append((name, epochs, done))

    def step(self, *, epoch: int, done: int, steps: int, loss: float) -> None:
        self.steps.append((epoch, done, steps, loss))

    def row(self, row: Row, **_: Any) -> None:
        self.rows.append(row)
        if len(self.rows) == self.stop_after:
            raise KeyboardInterrupt


def objective(scores: Tensor, batch: Batch) -> Any:
    return Cost(label_loss(scores, batch.q, PHuber()))


def train(
    folder: Path,
    *,
    plan: OptimiserPlan = PLAN,
    watch: Any = None,
    network: nn.Module | None = None,
    examples: Any = None,
    seed: int = 5,
    devices: int = 1,
    **changes: Any,
) -> Any:
    """Train a tiny network in ``folder``, its weights drawn by ``seed``."""
    folder.mkdir(exist_ok=True)
    course = Course(
        folder=folder,
        train=examples or NoisySquares(),
        check=NoisySquares(),
        objective=objective,
        plan=plan,
        seed=3,
    )
    torch.manual_seed(seed)
    fabric = make_fabric(plan.precision, accelerator="cpu", devices=devices)
    return fit(fabric, network or TinyNet(), replace(course, **changes), watch or Silent())


def small_corpus(
    folder: Path,
    *,
    patients: Sequence[str] = ("ann", "bob", "cem"),
    slices: int = 2,
    side: int = 64,
) -> Any:
    """Write a corpus of noise over nothing, whose labels fall with the dose, and open it."""
    (folder / "parts").mkdir(parents=True)
    settings = CorpusSettings(quantum_fields=2, electronic_fields=1)
    rng = np.random.default_rng(0)
    rows = []
    for patient in [*patients, "test"]:
        for index in range(slices):
            name = f"{patient}-{index}"
            write_part(
                _part(settings, rng, side),
                folder / "parts" / f"{name}.npy",
                folder / "parts" / f"{name}.json",
            )
            rows.append(_facts(name, patient, "test" if patient == "test" else "train"))
    (folder / "corpus.json").write_text(json.dumps({"settings": asdict(settings)}))
    with (folder / "slices.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    return Corpus.open(folder)


def _part(settings: CorpusSettings, rng: np.random.Generator, side: int) -> Any:
    own_hu = rng.uniform(10, 30)
    fields = own_hu * rng.standard_normal((3, side, side))
    routine = own_hu * rng.standard_normal((side, side))
    added = [(1 / dose - 1) ** 0.5 for dose in settings.image_doses]
    psnr_db = [20 - 10 * np.log10(own_hu**2 / dose / 400) for dose in settings.label_doses]
    ideal = [[[db, db / 40], [db + 12, db / 40]] for db in psnr_db]
    return Part(
        images=np.array([routine + share * fields[0] for share in added]).astype(np.int16),
        fields=fields.astype(np.float16),
        clean=np.zeros((side, side), np.int16),
        ideal=np.array(ideal),
        routine=np.array(ideal)[[settings.label_doses.index(d) for d in settings.image_doses]],
        noise_hu=own_hu / np.array(settings.image_doses) ** 0.5,
    )


def _facts(name: str, patient: str, split: str) -> Any:
    return SliceFacts(
        part=name,
        split=split,
        patient=patient,
        series="s",
        path=f"{name}.dcm",
        sop_instance_uid=name,
        series_instance_uid=patient,
        frame=None,
        z_mm=0.0,
        reconstruction="",
        pixel_mm=0.7,
        quanta=1e5,
        apodisation="fitted",
        apodisation_slope=0.0,
        apodisation_bend=0.0,
        kvp=120.0,
        tube_current_ma=None,
        kernel="B30f",
        slice_thickness_mm=2.0,
        manufacturer="",
        scanner="",
        body_part="CHEST",
    )


@pytest.fixture(scope="session")
def fakes() -> Any:
    """Return this module, which tests cannot import by name."""
    return sys.modules[__name__]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a small corpus of three training patients and one for testing."""
    return small_corpus(tmp_path_factory.mktemp("small") / "corpus")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[Any]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fabric() -> Any:
    """The CPU in single precision."""
    return make_fabric("32-true", accelerator="cpu")
