"""Draw the paper's Figures 1 to 3 for a recipe: the method, the network, the distillation."""

from ctiqa.corpus.label import LabelRecipe
from ctiqa.model.describe import network_figure
from ctiqa.model.diagram import Box, Figure
from ctiqa.training.recipe import Recipe

__all__ = ["figures"]


def figures(recipe: Recipe) -> tuple[Figure, Figure, Figure]:
    """Return Figures 1 to 3 of Shen et al. 2025 (doi 10.12677/mos.2025.143214) for a recipe.

    Every number in them is read from the recipe or from the network that it describes.
    """
    network = network_figure(recipe.network, recipe.comparator.name)
    return _method(recipe), network, _distillation(recipe)


def _method(recipe: Recipe) -> Figure:
    teachers, student = recipe.teachers, recipe.student
    members = (
        (f"teacher {k}", f"seed {teachers.seed(k)}", f"leaves out part {teachers.fold(k)}")
        for k in range(teachers.members)
    )
    checked = {
        "val": "is kept where it does best on its own part",
        "train": "is kept where it does best on what it learns from",
        "last": "is kept as it ends",
    }[teachers.select]
    return Figure(
        "Figure 1. From scans to a score",
        (
            (("CT slices at the dose they were scanned with",),),
            (("the noise of a lower dose added", _doses(recipe)),),
            (_label(recipe.label),),
            tuple(members),
            ((f"student: one network, {student.outputs} outputs", "distilled (Figure 3)"),),
            (("score: mean of the outputs, clipped to [0, 1]",),),
        ),
        (f"{teachers.folds} parts of the training set, by {teachers.unit}; a teacher {checked}.",),
    )


def _label(label: LabelRecipe) -> Box:
    against = {"ideal": "what the slice would be without noise", "routine": "the slice as scanned"}
    limits = zip(label.windows, label.psnr_limits_db, strict=True)
    return (
        f"label Q = {label.weight_psnr:g} PSNR + {label.weight_ssim:g} SSIM  (equation 1)",
        f"against {against[label.reference]}",
        *(f"{name}: PSNR of {low:g} to {high:g} dB as 0 to 1" for name, (low, high) in limits),
        *(["mean over the windows"] if len(label.windows) > 1 else []),
    )


def _doses(recipe: Recipe) -> str:
    plan = recipe.examples
    if plan.doses == "fresh":
        ends = f"{plan.lowest_dose:g} to {plan.highest_dose:g}"
        return f"drawn anew each time: {plan.routine_share:.0%} at dose 1, the others from {ends}"
    return f"doses {', '.join(f'{dose:g}' for dose in plan.doses)}"


def _distillation(recipe: Recipe) -> Figure:
    loss, student, count = recipe.loss, recipe.student, recipe.teachers.members
    target = {
        "vector": f"mean of L(s_k - t_k) over k = 1 to {count}",
        "mean": "L(mean s - mean t)",
    }[student.target]
    judged = {"sample": "", "batch_all": " in the whole batch"}[student.gate]
    p_huber = f"p = {loss.p:g}, lambda = {loss.lambda_:g}, tail {loss.tail}"
    return Figure(
        "Figure 3. Distillation",
        (
            (("a slice and its label y",),),
            (
                (f"{count} teachers, frozen", f"t_1 to t_{count}"),
                ("student, learning", f"s_1 to s_{student.outputs}"),
            ),
            (
                (
                    "label loss         L(mean s - y)  (equation 4)",
                    f"distillation loss  {target}  (equation 5)",
                    f"if the gate is open: |mean t - y| <= {student.epsilon:g}{judged}; else 0",
                ),
            ),
            ((f"label loss + {student.beta:g} x distillation loss  (equation 6)",),),
        ),
        (f"L is the p-Huber loss (equation 3): {p_huber}.",),
    )
