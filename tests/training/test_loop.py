"""What the loop promises: the same bytes, nothing lost, the right weights kept."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ctiqa.errors import CtiqaError, ModelError
from ctiqa.training.checkpoint import load_tensors, load_weights
from ctiqa.training.judge import kept
from ctiqa.training.loop import Precision, learning_rate, make_fabric
from ctiqa.training.plans import OptimiserPlan
from ctiqa.training.provenance import device_words


def contents(folder: Path) -> Any:
    """Return all that a run leaves, but for how long it took."""
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    tensors, _ = load_tensors(folder / "checkpoint.safetensors")
    return (
        [{**row, "seconds": ""} for row in rows],
        {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
        load_tensors(folder / "weights.safetensors")[0]["head.weight"].numpy().tobytes(),
    )


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make of any CPU one that multiplies bfloat16 itself; PyTorch emulates it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.mark.usefixtures("bfloat16")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_resumed_run_gives_the_bytes_of_the_unbroken_one(
    fakes: Any, tmp_path: Path, precision: str, channels_last: bool
) -> None:
    plan = replace(fakes.PLAN, precision=precision, channels_last=channels_last)
    fakes.train(tmp_path / "unbroken", plan=plan)
    with pytest.raises(KeyboardInterrupt):
        fakes.train(tmp_path / "broken", plan=plan, watch=fakes.Silent(stop_after=2))
    # Another draw of weights and chance shows that everything comes from the checkpoint.
    torch.manual_seed(99)
    second = fakes.Silent()
    fakes.train(tmp_path / "broken", plan=plan, watch=second, network=fakes.TinyNet())
    assert second.begun == [("broken", 4, 2)]
    assert [row["epoch"] for row in second.rows] == [3, 4]
    assert contents(tmp_path / "broken") == contents(tmp_path / "unbroken")


def test_equal_seeds_give_equal_bytes_and_another_seed_others(fakes: Any, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        fakes.train(tmp_path / name, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_learns_what_the_plain_one_does(fakes: Any, tmp_path: Path) -> None:
    plan = replace(fakes.PLAN, epochs=1)
    losses = []
    for compiled in (False, True):
        watch = fakes.Silent()
        torch.manual_seed(0)
        fakes.train(
            tmp_path / str(compiled),
            plan=replace(plan, compile=compiled),
            watch=watch,
            # Chance is drawn otherwise inside a compiled network.
            network=fakes.TinyNet(dropout=0.0),
        )
        losses.append([loss for *_, loss in watch.steps])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_without_a_compiler_compile_is_refused_in_words(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CtiqaError, match=r"needs a C\+\+ compiler, .* or set compile = false"):
        fakes.train(tmp_path / "run", plan=replace(fakes.PLAN, compile=True))


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
import conftest
torch.set_num_threads(1)
print("begun", flush=True)
conftest.train(Path(sys.argv[1]), plan=replace(conftest.PLAN, epochs=400))
"""

TWO = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
import conftest
torch.set_num_threads(1)
folder = Path(sys.argv[1])

class Seen(conftest.NoisySquares):
    def epoch(self, index, *, seed, batch, rank=0, world=1):
        for some in super().epoch(index, seed=seed, batch=batch, rank=rank, world=world):
            with (folder / f"seen-{{rank}}-of-{{world}}").open("a") as file:
                print(*some.q.tolist(), file=file)
            yield some

plan = replace(conftest.PLAN, epochs=1, batch=6)
conftest.train(folder, plan=plan, examples=Seen(), devices=2)
"""


def test_a_kill_at_any_moment_loses_at_most_one_epoch(fakes: Any, tmp_path: Path) -> None:
    plan, folder = replace(fakes.PLAN, epochs=400), tmp_path / "killed"
    script = KILLED.format(tests=str(Path(__file__).parent))
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE)
    with child:
        child.stdout.readline()
        while not (folder / "history.csv").exists() or len(read_rows(folder)) < 20:
            assert child.poll() is None
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
    told = len(read_rows(folder))
    watch = fakes.Silent(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        fakes.train(folder, plan=plan, watch=watch)
    # The checkpoint is written before the history, so it can only be ahead of it.
    assert watch.begun[0][2] in {told, told + 1}
    # The file that was being written is no obstacle and the weights are whole.
    load_weights(fakes.TinyNet(), folder / "weights.safetensors")
    with pytest.raises(KeyboardInterrupt):
        fakes.train(
            tmp_path / "unbroken", plan=plan, watch=fakes.Silent(stop_after=len(read_rows(folder)))
        )
    assert contents(folder) == contents(tmp_path / "unbroken")


def read_rows(folder: Path) -> Any:
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))


def test_a_kill_between_checkpoint_and_weights_is_mended(fakes: Any, tmp_path: Path) -> None:
    fakes.train(tmp_path / "run", keep="last")
    weights = tmp_path / "run" / "weights.safetensors"
    whole = weights.read_bytes()
    weights.unlink()
    fakes.train(tmp_path / "run", keep="last")
    assert weights.read_bytes() == whole


def test_a_finished_run_is_not_trained_again(fakes: Any, tmp_path: Path) -> None:
    rows = fakes.train(tmp_path / "run")
    watch = fakes.Silent()
    again = fakes.train(tmp_path / "run", watch=watch)
    assert [list(row.values()) for row in again] == [
        pytest.approx(list(row.values()), nan_ok=True) for row in rows
    ]
    assert (watch.begun, watch.steps) == ([("run", 4, 4)], [])


def test_training_learns(fakes: Any, tmp_path: Path) -> None:
    rows = fakes.train(
        tmp_path / "run", plan=replace(fakes.PLAN, epochs=40), network=fakes.TinyNet(dropout=0)
    )
    assert rows[-1]["loss"] < rows[0]["loss"] / 2
    assert max(row["signed_opm"] for row in rows) > 2.5


def test_the_weights_kept_are_those_of_the_best_epoch_and_reach_its_figures(
    fakes: Any, tmp_path: Path
) -> None:
    rows = fakes.train(tmp_path / "run", plan=replace(fakes.PLAN, lr=0.1, epochs=6))
    facts = load_weights(fakes.TinyNet(), tmp_path / "run" / "weights.safetensors")
    assert facts["row"]["epoch"] == kept(rows, "best") + 1
    assert facts["row"]["signed_opm"] == max(row["signed_opm"] for row in rows)


def test_without_an_average_the_weights_kept_are_the_network_itself(
    fakes: Any, tmp_path: Path
) -> None:
    network = fakes.TinyNet()
    fakes.train(
        tmp_path / "run", plan=replace(fakes.PLAN, ema_decay=0), network=network, keep="last"
    )
    tensors, _ = load_tensors(tmp_path / "run" / "weights.safetensors")
    assert all(torch.equal(tensors[name], value) for name, value in network.state_dict().items())


def test_an_average_moves_less_than_the_network(fakes: Any, tmp_path: Path) -> None:
    network = fakes.TinyNet()
    start = network.head.weight.detach().clone()
    plan = replace(fakes.PLAN, ema_decay=0.99, epochs=1)
    fakes.train(tmp_path / "run", plan=plan, network=network)
    tensors, _ = load_tensors(tmp_path / "run" / "checkpoint.safetensors")
    moved = (tensors["averaged/head.weight"] - start).norm()
    assert 0 < moved < (network.head.weight.detach() - start).norm()


def test_the_half_batch_at_the_end_of_an_epoch_is_taken(fakes: Any, tmp_path: Path) -> None:
    watch = fakes.Silent()
    fakes.train(tmp_path / "run", watch=watch, plan=replace(fakes.PLAN, epochs=1))
    # 18 examples in batches of 4 are 5 steps.
    assert [(done, steps) for _, done, steps, _ in watch.steps] == [(i, 5) for i in range(1, 6)]


@pytest.mark.parametrize(("batch", "steps"), [(17, 1), (18, 1), (20, 1), (6, 3), (5, 4), (1, 18)])
def test_one_image_left_over_is_no_batch(
    fakes: Any, tmp_path: Path, batch: int, steps: int
) -> None:
    watch = fakes.Silent()
    fakes.train(tmp_path / "run", watch=watch, plan=replace(fakes.PLAN, epochs=1, batch=batch))
    assert len(watch.steps) == steps


def test_a_loss_that_is_no_number_is_said_with_epoch_and_lr_and_spoils_nothing(
    fakes: Any, tmp_path: Path
) -> None:
    with pytest.raises(CtiqaError, match=r"became nan in epoch 3 at a learning rate of 0\.0\d+;"):
        fakes.train(tmp_path / "run", examples=fakes.NoisySquares(nan_in=2))
    watch = fakes.Silent()
    fakes.train(tmp_path / "run", watch=watch)
    assert watch.begun == [("run", 4, 2)]


def test_a_checkpoint_of_another_corpus_is_refused(fakes: Any, tmp_path: Path) -> None:
    fakes.train(tmp_path / "run", origin={"corpus_fingerprint": "a"})
    with pytest.raises(ModelError, match="was trained on another corpus"):
        fakes.train(tmp_path / "run", origin={"corpus_fingerprint": "b"})


def test_a_checkpoint_of_another_network_is_refused(fakes: Any, tmp_path: Path) -> None:
    fakes.train(tmp_path / "run")
    with pytest.raises(ModelError, match="network of another shape"):
        fakes.train(tmp_path / "run", network=fakes.TinyNet(outputs=2))


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"x" * 99]
)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(
    fakes: Any, tmp_path: Path, damage: Any
) -> None:
    fakes.train(tmp_path / "run", plan=replace(fakes.PLAN, epochs=1))
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match="missing, damaged or not written by ctiqa"):
        fakes.train(tmp_path / "run")


@pytest.mark.parametrize("accelerator", ["abacus", "tpu"])
def test_a_machine_without_the_accelerator_is_told_so_in_one_sentence(accelerator: str) -> None:
    with pytest.raises(CtiqaError, match=f"training cannot run on 1 x {accelerator}"):
        make_fabric("32-true", accelerator=accelerator)


@pytest.mark.parametrize(
    ("tells", "asked", "used"),
    [
        ({"avx512_bf16": True}, "bf16-mixed", "bf16-mixed"),
        ({"bf16": True}, "bf16-mixed", "bf16-mixed"),
        ({"avx2": True, "avx512_bf16": False}, "bf16-mixed", "32-true"),
        ({}, "16-mixed", "16-mixed"),
        ({}, "32-true", "32-true"),
    ],
)
def test_a_cpu_without_bfloat16_trains_in_single_precision_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tells: dict[str, bool], asked: Precision, used: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: tells)
    fabric = make_fabric(asked, accelerator="cpu")
    assert fabric.strategy.precision.precision == used
    threads = torch.get_num_threads()
    assert device_words(fabric) == f"cpu, {threads} threads, {used}"


@pytest.mark.usefixtures("bfloat16")
def test_mixed_precision_leaves_the_slice_in_single_precision(fakes: Any, tmp_path: Path) -> Any:
    seen = []

    class Looks(fakes.TinyNet):
        def forward(self, hu: Tensor, pixel_mm: Tensor) -> Any:
            seen.append(hu.dtype)
            return super().forward(hu, pixel_mm)

    fakes.train(
        tmp_path / "run",
        plan=replace(fakes.PLAN, precision="bf16-mixed", epochs=1),
        network=Looks(),
    )
    assert set(seen) == {torch.float32}


@given(
    steps=st.integers(1, 500),
    warmup=st.floats(0, 0.9),
    lr=st.floats(1e-6, 1),
    least=st.just(0.0) | st.floats(1e-3, 1),
)
def test_the_learning_rate_rises_to_lr_falls_to_lr_min_and_never_leaves_them(
    steps: int, warmup: float, lr: float, least: float
) -> None:
    plan = OptimiserPlan(lr=lr, lr_min=least * lr, warmup_fraction=warmup)
    rates = [learning_rate(step, steps=steps, plan=plan) for step in range(steps)]
    begun = round(warmup * steps)
    assert all(rate > 0 or least == 0 for rate in rates)
    assert max(rates) <= lr * (1 + 1e-9)
    assert rates[:begun] == sorted(rates[:begun])
    assert rates[begun:] == sorted(rates[begun:], reverse=True)
    if steps - begun > 1:
        assert rates[begun] == pytest.approx(lr)
        assert rates[-1] == pytest.approx(plan.lr_min, abs=1e-9 * lr)


def test_two_devices_share_the_examples_of_an_epoch_and_one_of_them_writes(
    fakes: Any, tmp_path: Path
) -> None:
    folder, script = tmp_path / "run", tmp_path / "two.py"
    folder.mkdir()
    script.write_text(TWO.format(tests=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(folder)]
    subprocess.run(command, check=True, timeout=300, capture_output=True, env=environment)
    seen = [(folder / f"seen-{rank}-of-2").read_text().split() for rank in (0, 1)]
    whole = torch.cat([some.q for some in fakes.NoisySquares().epoch(0, seed=3, batch=4)])
    assert sorted(map(float, seen[0] + seen[1])) == pytest.approx(sorted(whole.tolist()))
    assert len(seen[0]) == len(seen[1])
    assert len(read_rows(folder)) == 1
    load_weights(fakes.TinyNet(), folder / "weights.safetensors")
