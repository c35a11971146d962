"""Draw the paper's Figures 1 to 3 for a recipe: the method, the network, the distillation."""

from dataclasses import replace

from ctiqa.model.describe import network_figure
from ctiqa.model.diagram import Figure
from ctiqa.training.recipe import Recipe

__all__ = ["figures"]


def figures(recipe: Recipe) -> tuple[Figure, Figure, Figure]:
    """Return Figures 1 to 3 of Shen et al. 2025 (doi 10.12677/mos.2025.143214) for a recipe.

    Every number in them is read from the recipe or from the network that it describes.
    """
    return _method(recipe), network_figure(recipe.network), _distillation(recipe)


def _method(recipe: Recipe) -> Figure:
    label, teachers, student = recipe.label, recipe.teachers, recipe.student
    references = {"ideal": "what the slice would be without noise", "routine": "the slice itself"}
    limits = zip(label.windows, label.psnr_limits_db, strict=True)
    members = tuple(
        (
            f"teacher {member}",
            f"seed {teachers.seed(member)}",
            *([] if teachers.select == "train" else [f"leaves out {teachers.fold(member)}"]),
        )
        for member in range(teachers.members)
    )
    parted = f"Parts: {teachers.folds}, by {teachers.unit}; each teacher is checked on its own."
    return Figure(
        "Figure 1. From scans to a score",
        (
            (("CT slices at the dose they were scanned with",),),
            (("the noise of a lower dose added", _doses(recipe)),),
            (
                (
                    (
                        f"label Q = {label.weight_psnr:g} PSNR + {label.weight_ssim:g} SSIM"
                        " (equation 1)"
                    ),
                    f"against {references[label.reference]}",
                    *(
                        f"{name}: PSNR {low:g} to {high:g} dB as 0 to 1"
                        for name, (low, high) in limits
                    ),
                ),
            ),
            members,
            ((f"student: one network, {student.outputs} outputs", "distilled (Figure 3)"),),
            (("score: mean of the outputs, clipped to [0, 1]",),),
        ),
        () if teachers.select == "train" else (parted,),
    )


def _doses(recipe: Recipe) -> str:
    plan = recipe.examples
    if plan.doses == "fresh":
        share = f"{plan.routine_share:.0%} at dose 1"
        return f"drawn anew each time: {share}, the others from {plan.lowest_dose:g} to 1"
    return f"doses {', '.join(f'{dose:g}' for dose in plan.doses)}"


def _distillation(recipe: Recipe) -> Figure:
    loss, student, count = recipe.loss, recipe.student, recipe.teachers.members
    outputs = replace(recipe.network, outputs=student.outputs).outputs
    target = {
        "vector": f"mean of L(s_k - t_k) over k = 1 to {outputs}",
        "mean": "mean over k of L(s_k - mean t)",
    }[student.target]
    judged = {"sample": "", "batch_all": " for all of the batch"}[student.gate]
    return Figure(
        "Figure 3. Distillation",
        (
            (("a slice and its label y",),),
            (
                (f"{count} teachers, frozen", f"t_1 to t_{count}"),
                ("student, learning", f"s_1 to s_{outputs}"),
            ),
            (
                (
                    "label loss         L(mean s - y)  (equation 4)",
                    f"distillation loss  {target}  (equation 5)",
                    f"where the gate is open: |mean t - y| <= {student.epsilon:g}{judged}, else 0",
                ),
            ),
            ((f"label loss + {student.beta:g} x distillation loss  (equation 6)",),),
        ),
        (
            (
                f"L is the p-Huber loss (equation 3), p = {loss.p:g}, lambda = {loss.lambda_:g}, "
                f"tail {loss.tail}."
            ),
        ),
    )
