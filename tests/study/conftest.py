"""A corpus of five patients and a recipe whose whole study takes seconds."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ctiqa.corpus.degraded_images import FOLDER, LOSS
from ctiqa.corpus.label import PARTS
from ctiqa.corpus.loss_map import CELLS, to_bytes
from ctiqa.corpus.store import Corpus

TRAINING = Path(__file__).parents[1] / "training" / "conftest.py"

TINY = """
[label]
reference = "ideal"
windows = ["w350", "w1500"]
psnr_limits_db = [[8, 40], [20, 52]]
[network]
windows = [[2000, 0]]
size = 64
unshuffle = 2
padding = 1
crop = [0, 32]
patch = 16
width = 8
depth = 1
heads = 2
mlp = 8
[examples]
doses = [1, 0.75, 0.5, 0.25]
passes_per_epoch = 1
[optimiser]
lr = 3e-3
batch = 8
epochs = 2
[student]
epochs = 1
select = "train"
"""


@pytest.fixture(scope="session")
def small_corpus() -> Any:
    """Return the function that writes the small corpus of the tests of training."""
    spec = importlib.util.spec_from_file_location("small_corpus_of_training", TRAINING)
    assert spec
    assert spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.small_corpus


@pytest.fixture(scope="session")
def five_patients(small_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a corpus of five training patients and one for testing."""
    folder = tmp_path_factory.mktemp("five") / "corpus"
    return small_corpus(folder, patients=("ann", "bob", "cem", "dan", "eva"))


@pytest.fixture
def degraded_corpus(small_corpus: Any, tmp_path: Path) -> Corpus:
    """Return a corpus whose slices have two blurred images each, and maps of what is lost."""
    made: Corpus = small_corpus(tmp_path / "corpus", slices=3)
    (made.folder / FOLDER).mkdir()
    rng = np.random.default_rng(0)
    for one in made.slices:
        path = made.folder / FOLDER / f"{one.facts.part}.json"
        np.save(path.with_suffix(".npy"), rng.normal(0, 9, (2, 64, 64)).astype(np.int16))
        lost = rng.uniform(0, 1, (len(made.settings.image_doses) + 2, CELLS, CELLS))
        lost[:, :4] = np.nan
        np.save(path.with_suffix(LOSS), to_bytes(lost.astype(np.float32)))
        rows = [dict.fromkeys(PARTS, float(value)) for value in rng.uniform(0, 1, 10)]
        degraded = [row | {"dose": 1.0, "degradation": {"kind": "blur"}} for row in rows[:2]]
        undegraded = rows[2 : 2 + len(made.settings.label_doses)]
        path.write_text(
            json.dumps({"sigma_mm": 0.6, "undegraded": undegraded, "degraded": degraded})
        )
    return made


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the recipe of a scale that trains in a blink."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY, "utf-8")
    return path


@pytest.fixture
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
