"""Keep a training run on disk so that a kill at any moment loses at most one epoch."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from lightning_fabric.plugins import Precision
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from ctiqa.errors import ModelError
from ctiqa.files import write_whole

__all__ = [
    "CHECKPOINT",
    "HISTORY",
    "WEIGHTS",
    "Checkpoint",
    "fill",
    "load_tensors",
    "load_weights",
    "save_tensors",
    "write_json",
    "write_rows",
]

SCHEMA_VERSION = 1
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
HISTORY = "history.csv"


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts as JSON under a ``schema_version``; NaN becomes null."""
    whole = {"schema_version": SCHEMA_VERSION, **_finite(facts)}
    write_whole(path, (json.dumps(whole, indent=2, allow_nan=False) + "\n").encode())


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their columns as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


@dataclass(frozen=True)
class Checkpoint:
    """The state of one network in training, in a folder.

    checkpoint.safetensors holds all that the next epoch needs, its facts in the header so that one
    rename puts both in place; weights.safetensors holds the weights that are kept; history.csv is
    for people.

    Args:
        folder: of this network alone.
        origin: facts that a checkpoint must share to be gone on with.
        network: that is trained.
        averaged: the moving average of its weights.
        optimiser: that moves it.
        precision: of Fabric; a gradient scaler has a state of its own.
    """

    folder: Path
    origin: Mapping[str, str]
    network: nn.Module
    averaged: nn.Module
    optimiser: Optimizer
    precision: Precision

    @property
    def path(self) -> Path:
        """Where the state lies."""
        return self.folder / CHECKPOINT

    def load(self, *, mend: bool) -> list[dict[str, float]]:
        """Go back to the last checkpoint, if there is one, and return its rows of history.

        Args:
            mend: write the weights that a kill may have come before; for one rank only.

        Raises:
            ModelError: if it is damaged, of another origin or of a network of another shape.
        """
        if not self.path.exists():
            return []
        tensors, state = load_tensors(self.path)
        if state["origin"] != dict(self.origin):
            raise ModelError(
                f"{self.path} was trained on another corpus, or before that was degraded anew; "
                "give that one, choose another folder, or begin anew with --restart"
            )
        fill(self.network, _under("network", tensors), self.path)
        fill(self.averaged, _under("averaged", tensors), self.path)
        _load_optimiser(self.optimiser, _under("optimiser", tensors))
        self.precision.load_state_dict(state["precision"])
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random/cuda"])
        rows = [{k: math.nan if v is None else v for k, v in row.items()} for row in state["rows"]]
        if mend and state["keep"]:
            self._keep(rows)
        return rows

    def save(self, rows: Sequence[Mapping[str, float]], *, keep: bool) -> None:
        """Write the state after the epoch of the last row; ``keep`` keeps its weights too.

        Raises:
            WriteError: if the disk is full; the checkpoint before stays.
        """
        tensors = {
            **_over("network", self.network.state_dict()),
            **_over("averaged", self.averaged.state_dict()),
            **_over("optimiser", _optimiser_tensors(self.optimiser)),
            "random/cpu": torch.get_rng_state(),
        }
        if torch.cuda.is_available():
            tensors["random/cuda"] = torch.cuda.get_rng_state()
        state = {
            "origin": dict(self.origin),
            "rows": rows,
            "keep": keep,
            "precision": self.precision.state_dict(),
        }
        save_tensors(self.path, tensors, state)
        if keep:
            self._keep(rows)
        write_rows(self.folder / HISTORY, rows)

    def _keep(self, rows: Sequence[Mapping[str, float]]) -> None:
        save_tensors(self.folder / WEIGHTS, self.averaged.state_dict(), {"row": rows[-1]})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors, and plain facts in the header, as one safetensors file."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    facts = json.dumps(_finite({"schema_version": SCHEMA_VERSION, **state}))
    write_whole(path, safetensors.torch.save(held, {"state": facts}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, on the CPU, and the facts of a file that :func:`save_tensors` wrote.

    Raises:
        ModelError: if the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            state: dict[str, Any] = json.loads((file.metadata() or {})["state"])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ModelError(
            f"{path} is missing, damaged or not written by ctiqa; train again with --restart"
        ) from error
    if state["schema_version"] != SCHEMA_VERSION:
        raise ModelError(f"{path} was written by another version of ctiqa; train with --restart")
    return tensors, state


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Fill a network with the weights in a file and return the facts beside them.

    Raises:
        ModelError: if the file is not whole or belongs to a network of another shape.
    """
    tensors, state = load_tensors(path)
    fill(network, tensors, path)
    return state


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Fill a network with tensors that came from ``path``."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{path} belongs to a network of another shape; train again with --restart"
        ) from error


def _over(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {n.removeprefix(start): tensor for n, tensor in tensors.items() if n.startswith(start)}


def _optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers of each parameter, named "index/what"."""
    state = optimiser.state_dict()["state"]
    return {f"{i}/{name}": value for i, memory in state.items() for name, value in memory.items()}


def _load_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, what = name.partition("/")
        like = parameters[int(index)]
        # The memory format is lost on disk, and fast kernels want it equal to the parameter's.
        memory = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        state.setdefault(int(index), {})[what] = memory
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinities as None, which JSON can hold."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
