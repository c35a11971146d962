"""What training and distillation minimise (equations 3 to 6).

The letters are those of Shen et al. 2025 (doi 10.12677/mos.2025.143214): N images in the batch,
K outputs of the student or members of the ensemble, y the label. Where the label has P parts, the
score and sub-scores, each output is one for each part, and y is (N, P); the paper's P is 1.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Cost",
    "Distillation",
    "PHuber",
    "distillation_loss",
    "label_loss",
    "open_gate",
    "parted",
    "student_loss",
]


class Cost(NamedTuple):
    """What one batch costs, and which part of it the teachers were allowed to teach.

    Args:
        total: () what is minimised.
        gate_share: () share of the batch whose gate is open; None where there is no gate.
    """

    total: Tensor
    gate_share: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PHuber:
    """The p-Huber loss (equation 3): a power near zero and a straight line beyond ``lambda_``.

    ``tail="c1"`` joins the two in value and in slope. ``tail="paper"`` is the printed line, which
    falls by ``2 lambda^p / p - lambda^2`` at the joint (0.25 for p = 1.6, lambda = 1) and has the
    same slope only where lambda is 1 (METHOD 0, finding 3).

    Raises:
        ValueError: if ``p`` is below 1 (not convex) or ``lambda_`` is not positive.
    """

    p: float = 1.6
    lambda_: float = 1.0
    tail: Literal["c1", "paper"] = "c1"

    def __post_init__(self) -> None:
        if not self.p >= 1:
            raise ValueError(f"p must be at least 1, not {self.p}")
        if not self.lambda_ > 0:
            raise ValueError(f"lambda must be positive, not {self.lambda_}")

    def __call__(self, error: Tensor) -> Tensor:
        """Return the loss of each error, case by case; any shape.

        >>> PHuber(p=2.0)(torch.tensor([0.5, -2.0])).tolist()
        [0.125, 1.5]
        """
        size, p, lambda_ = error.abs(), self.p, self.lambda_
        power = size**p / p
        if self.tail == "c1":
            line = lambda_ ** (p - 1) * size - (1 - 1 / p) * lambda_**p
        else:
            line = lambda_ * size - lambda_**p / p
        return torch.where(size <= lambda_, power, line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How the student listens to its teachers (equations 5 and 6).

    Args:
        beta: weight of the teachers beside the label.
        epsilon: largest error of the teachers' mean that is still believed.
        gate: "sample" judges every image, "batch_all" the batch as one, as the parent work does
            (METHOD 1.3, row 5).
        target: "vector" compares output k with member k, "mean" the two means (row 4).
    """

    beta: float = 0.75
    epsilon: float = 0.05
    gate: Literal["sample", "batch_all"] = "sample"
    target: Literal["vector", "mean"] = "vector"


def parted(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return (N, K, P) outputs and (N, P) labels, of (N, K P) and (N,) or (N, P)."""
    labels = y.reshape(len(y), -1)
    return outputs.reshape(len(outputs), -1, labels.shape[1]), labels


def label_loss(scores: Tensor, y: Tensor, p_huber: PHuber) -> Tensor:
    """Return the loss against the label (equation 3 with K = 1, equation 4 with the student's K).

    Args:
        scores: (N, K P) outputs; their mean over K is the prediction.
        y: (N,) or (N, P) labels.
        p_huber: what an error costs.
    """
    outputs, labels = parted(scores, y)
    return p_huber(outputs.mean(dim=1) - labels).mean()


def open_gate(teachers: Tensor, y: Tensor, how: Distillation) -> Tensor:
    """Return (N,) booleans: where abs(mean_k t_k - y) <= epsilon (the condition of equation 5).

    Args:
        teachers: (N, K P) predictions of the members.
        y: (N,) or (N, P) labels, of which the score decides.
        how: the gate and its epsilon.
    """
    members, labels = parted(teachers, y)
    is_open = (members[:, :, 0].mean(dim=1) - labels[:, 0]).abs() <= how.epsilon
    return is_open if how.gate == "sample" else is_open.all().expand_as(is_open)


def distillation_loss(
    scores: Tensor, teachers: Tensor, y: Tensor, p_huber: PHuber, how: Distillation
) -> Cost:
    """Return the loss against the teachers (equation 5) and the share of open gates.

    A closed gate costs nothing but stays in the 1/N, so that few open gates teach little.

    Args:
        scores: (N, K P) outputs of the student.
        teachers: (N, K P) predictions of the members.
        y: (N,) or (N, P) labels.
        p_huber: what an error costs.
        how: gate and target.
    """
    is_open = open_gate(teachers, y, how)
    (ours, _), (theirs, _) = parted(scores, y), parted(teachers, y)
    if how.target == "mean":
        ours, theirs = ours.mean(dim=1, keepdim=True), theirs.mean(dim=1, keepdim=True)
    each = p_huber(ours - theirs).mean(dim=(1, 2))
    return Cost(torch.where(is_open, each, 0).mean(), is_open.float().mean())


def student_loss(
    scores: Tensor, teachers: Tensor, y: Tensor, p_huber: PHuber, how: Distillation
) -> Cost:
    """Return L_student + beta L_distill (equation 6); arguments as :func:`distillation_loss`."""
    distil = distillation_loss(scores, teachers, y, p_huber, how)
    return Cost(label_loss(scores, y, p_huber) + how.beta * distil.total, distil.gate_share)
