"""What the tables of a recipe hold, each with its rules."""

from dataclasses import dataclass
from typing import Literal

from ctiqa.training.losses import Distillation

__all__ = [
    "ExamplePlan",
    "MapPlan",
    "OptimiserPlan",
    "StudentPlan",
    "TeacherPlan",
    "VitStart",
    "require",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplePlan:
    """``[examples]``: which images a network is shown.

    It is checked on the images that the corpus holds: at ``doses``, or at all doses if "fresh".

    Args:
        doses: "fresh" draws dose and noise anew for every example; a list of dose fractions shows
            every slice at each of them, with the noise that the corpus holds.
        routine_share: share of fresh examples that are the slice as it was scanned (dose 1).
        lowest_dose: the other fresh examples are log-uniform in [lowest_dose, highest_dose].
        highest_dose: above 1, slices are shown quieter than they were scanned, as thicker ones are.
        degraded_share: share of fresh examples that are one of the slice's degraded images, which
            'ctiqa degrade' made; they carry doses of their own.
        passes_per_epoch: examples of one slice (and fixed dose) in one epoch.
    """

    doses: Literal["fresh"] | tuple[float, ...] = "fresh"
    routine_share: float = 0.15
    lowest_dose: float = 0.15
    highest_dose: float = 1.0
    degraded_share: float = 0.0
    passes_per_epoch: int = 4

    def __post_init__(self) -> None:
        fixed = () if self.doses == "fresh" else self.doses
        require(all(0 < dose <= 1 for dose in fixed), "doses lie in (0, 1]")
        require(self.doses == "fresh" or len(fixed) > 0, "doses must not be empty")
        require(0 <= self.routine_share <= 1, "routine_share lies in [0, 1]")
        require(0 <= self.degraded_share <= 1, "degraded_share lies in [0, 1]")
        require(0 < self.lowest_dose <= 1, "lowest_dose lies in (0, 1]")
        require(self.highest_dose >= 1, "highest_dose is at least 1")
        require(self.passes_per_epoch >= 1, "passes_per_epoch is at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserPlan:
    """``[optimiser]``: AdamW, one cosine, and how the numbers are held.

    Args:
        lr: learning rate after the warm-up, which is linear over ``warmup_fraction`` of all steps.
        lr_min: learning rate that the cosine reaches with the last step.
        weight_decay: of AdamW, on every parameter.
        betas: of AdamW.
        batch: examples in one step, over all devices together.
        epochs: how often the training set is gone through.
        clip_norm: largest norm of the gradient, 0 for no limit.
        ema_decay: of the moving average of the weights that is checked and kept; 0 keeps the
            weights as they are.
        precision: "32-true", "bf16-mixed" or "16-mixed".
        channels_last: whether convolutions see their channels last (faster on most machines).
        compile: whether the network goes through torch.compile.
    """

    lr: float = 2e-4
    lr_min: float = 1e-6
    warmup_fraction: float = 0.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 10
    epochs: int = 100
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        require(self.lr > 0, "lr is positive")
        require(0 <= self.lr_min <= self.lr, "lr_min lies in [0, lr]")
        require(0 <= self.warmup_fraction < 1, "warmup_fraction lies in [0, 1)")
        require(self.weight_decay >= 0, "weight_decay is not negative")
        require(all(0 <= beta < 1 for beta in self.betas), "betas lie in [0, 1)")
        require(self.batch >= 1, "batch is at least 1")
        require(self.epochs >= 1, "epochs is at least 1")
        require(self.clip_norm >= 0, "clip_norm is not negative")
        require(0 <= self.ema_decay < 1, "ema_decay lies in [0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherPlan:
    """``[teachers]``: how the members of the ensemble come to differ (METHOD 1.3, rows 7 and 8).

    Args:
        members: how many teachers.
        folds: parts of the training set, of which each member leaves one out and is checked on it.
        split: "folds" gives each member its own part to leave out, "same" the first to all.
        unit: what stays together on one side: all of a "patient", of a "slice", or one "image".
        seeds: one for each member; empty means 0, 1, 2 ...
        fold_seed: of the partition itself.
        select: epoch that is kept: best on the part left out ("val"), on the training images
            ("train"), or the "last".
    """

    members: int = 4
    folds: int = 5
    split: Literal["folds", "same"] = "folds"
    unit: Literal["patient", "slice", "image"] = "patient"
    seeds: tuple[int, ...] = ()
    fold_seed: int = 0
    select: Literal["val", "train", "last"] = "val"

    def __post_init__(self) -> None:
        require(self.members >= 1, "members is at least 1")
        require(self.folds >= 2, "folds is at least 2")
        require(
            self.split == "same" or self.members <= self.folds,
            f'{self.members} members need as many folds, not {self.folds}, or split = "same"',
        )
        require(
            len(self.seeds) in {0, self.members},
            f"seeds names {len(self.seeds)} seeds for {self.members} members",
        )
        require(all(seed >= 0 for seed in self.seeds), "seeds are not negative")
        require(self.fold_seed >= 0, "fold_seed is not negative")

    def seed(self, member: int) -> int:
        """Return the seed of a member, counted from 0."""
        return self.seeds[member] if self.seeds else member

    def fold(self, member: int) -> int:
        """Return the fold that a member leaves out."""
        return member if self.split == "folds" else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentPlan:
    """``[student]``: one network that learns from all teachers (METHOD 1.3, rows 4 to 6 and 9).

    Args:
        outputs: how many, each of them all parts of the label; as many as teachers where ``target``
            is "vector".
        epochs: as in ``[optimiser]``.
        lr: as in ``[optimiser]``; 0 takes the value that stands there.
        seed: of its first weights and its examples.
        beta: weight of the teachers beside the label (equation 6).
        epsilon: largest error of the teachers' mean that is still believed (equation 5).
        gate: whether "sample" or "batch_all" is judged.
        target: "vector" (the text) or "mean" (equation 5 as printed).
        select: epoch that is kept: best on a part left out ("val": the first part that no teacher
            left out, else the last), on the training images ("train"), or the "last". Only "val"
            leaves anything out.
        init: weights it starts from: its own draw ("scratch"), or those of the first teacher with
            the last layer repeated ("teacher").
    """

    outputs: int = 4
    epochs: int = 20
    lr: float = 0.0
    seed: int = 100
    beta: float = 0.75
    epsilon: float = 0.05
    gate: Literal["sample", "batch_all"] = "sample"
    target: Literal["vector", "mean"] = "vector"
    select: Literal["val", "train", "last"] = "val"
    init: Literal["scratch", "teacher"] = "scratch"

    def __post_init__(self) -> None:
        require(self.outputs >= 1, "outputs is at least 1")
        require(self.epochs >= 1, "epochs is at least 1")
        require(self.lr >= 0, "lr is not negative")
        require(self.seed >= 0, "seed is not negative")
        require(self.beta >= 0, "beta is not negative")
        require(self.epsilon >= 0, "epsilon is not negative")

    @property
    def distillation(self) -> Distillation:
        """How the losses see this table."""
        return Distillation(
            beta=self.beta, epsilon=self.epsilon, gate=self.gate, target=self.target
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlan:
    """``[quality_map]``: how a network of its own learns where quality is lost.

    Args:
        filters: of its convolutions of pixels; twice as many from cell to cell.
        epochs: as in ``[optimiser]``; in one each training slice is shown ``passes`` times.
        passes: images of each slice in an epoch, of those that the corpus holds.
        lr: as in ``[optimiser]``.
        seed: of its first weights and its examples.
    """

    filters: int = 32
    epochs: int = 6
    passes: int = 1
    lr: float = 2e-3
    seed: int = 200

    def __post_init__(self) -> None:
        sizes = (self.filters, self.epochs, self.passes)
        require(min(sizes) >= 1, "filters, epochs and passes are at least 1")
        require(self.lr > 0, "lr is positive")
        require(self.seed >= 0, "seed is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class VitStart:
    """``[vit]``: a file of ImageNet weights to start the transformer from; "" draws them."""

    weights: str = ""


def require(holds: bool, rule: str) -> None:
    """Raise ``ValueError`` with a rule that does not hold."""
    if not holds:
        raise ValueError(rule)
