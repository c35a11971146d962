"""Judge a network on fixed images, and choose the epoch that is kept."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import nn

from ctiqa.errors import CorpusError, CtiqaError
from ctiqa.measures.agreement import agreement
from ctiqa.training.course import Images, Keep, Row
from ctiqa.training.losses import parted

__all__ = ["Judge", "figures", "judged", "kept", "predict"]

Column: TypeAlias = npt.NDArray[np.float64]

Judge: TypeAlias = Callable[[Fabric, nn.Module, Images, int], Row]
"""What is recorded of a network, on images that are served in batches of so many."""


def judged(fabric: Fabric, network: nn.Module, images: Images, batch: int) -> Row:
    """Return how well the scores of a network agree with the labels."""
    return figures(*predict(fabric, network, images, batch=batch))


@torch.inference_mode()
def predict(
    fabric: Fabric, network: nn.Module, images: Images, *, batch: int
) -> tuple[Column, Column]:
    """Return the predictions of a network, the mean of its outputs, and the labels, both (n,).

    Of labels with several parts the score is judged.

    Raises:
        CorpusError: if there is no image.
    """
    scores, labels = [], []
    for each in images.in_order(batch=batch):
        with fabric.autocast():
            scored = network(fabric.to_device(each.hu), fabric.to_device(each.pixel_mm))
        outputs, q = parted(scored.float(), each.q)
        scores.append(outputs[:, :, 0].mean(dim=1).cpu())
        labels.append(q[:, 0].cpu())
    if not scores:
        raise CorpusError("there is no image to check on; give a corpus with more slices")
    return torch.cat(scores).double().numpy(), torch.cat(labels).double().numpy()


def figures(scores: Column, labels: Column) -> Row:
    """Return the figures of agreement that are recorded; NaN where not defined.

    Raises:
        CtiqaError: if a score is not a number.
    """
    if not np.isfinite(scores).all():
        raise CtiqaError(
            "the network no longer returns numbers; lower lr or set clip_norm in the recipe and "
            "begin anew with --restart"
        )
    found = agreement(scores, labels)
    return {
        "signed_opm": found.signed_opm,
        "plcc": found.plcc,
        "srocc": found.srocc,
        "krocc": found.krocc,
        "mae": found.mae,
        "mse": found.mse,
    }


def kept(rows: Sequence[Row], keep: Keep) -> int:
    """Return the index of the epoch whose weights are kept; where equal, of the earliest.

    >>> kept([{"signed_opm": 2.0, "mae": 0.2}, {"signed_opm": 2.0, "mae": 0.1}], "best")
    1
    """
    if keep == "last":
        return len(rows) - 1

    def merit(index: int) -> tuple[float, float]:
        opm = rows[index]["signed_opm"]
        # Without a correlation there is nothing to prefer.
        return (-math.inf if math.isnan(opm) else opm, -rows[index]["mae"])

    return max(range(len(rows)), key=merit)
