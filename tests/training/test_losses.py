"""Laws of equations 3 to 6."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.training.losses import (
    Distillation,
    PHuber,
    distillation_loss,
    label_loss,
    open_gate,
    student_loss,
)

C1, PAPER = PHuber(tail="c1"), PHuber(tail="paper")


def cost(p_huber: PHuber, error: float) -> Any:
    return float(p_huber(torch.tensor(error, dtype=torch.float64)))


def slope(p_huber: PHuber, error: float) -> Any:
    e = torch.tensor(error, dtype=torch.float64, requires_grad=True)
    p_huber(e).backward()
    return float(e.grad)


def test_the_printed_line_starts_a_quarter_below_the_power_for_p_1_6() -> None:
    # METHOD 0, finding 3: 0.625 and 0.375.
    assert cost(PAPER, 1.0) == pytest.approx(0.625)
    assert cost(PAPER, 1.0 + 1e-9) == pytest.approx(0.375)


def test_by_the_printed_line_an_error_of_1_0001_costs_as_much_as_one_of_0_727() -> None:
    assert cost(PAPER, 1.0001) == pytest.approx(cost(PAPER, 0.727), rel=1e-3)


@pytest.mark.parametrize("error", [-3.0, -0.7, -0.01, 0.0, 0.3, 0.999, 1.001, 2.0])
def test_both_tails_have_the_same_gradient_where_lambda_is_one(error: float) -> None:
    assert slope(PAPER, error) == pytest.approx(slope(C1, error), abs=1e-12)


@given(p=st.floats(1, 3), lambda_=st.floats(0.05, 5))
def test_the_c1_tail_meets_the_power_in_value_and_slope(p: float, lambda_: float) -> None:
    p_huber = PHuber(p=p, lambda_=lambda_, tail="c1")
    below, above = lambda_ * (1 - 1e-9), lambda_ * (1 + 1e-9)
    assert cost(p_huber, above) == pytest.approx(cost(p_huber, below), rel=1e-6)
    assert slope(p_huber, above) == pytest.approx(slope(p_huber, below), rel=1e-6)


@given(error=st.floats(-5, 5), lambda_=st.floats(0.1, 4))
def test_for_p_2_both_tails_are_the_loss_of_huber(error: float, lambda_: float) -> None:
    # Huber 1964, as torch has it.
    expected = torch.nn.functional.huber_loss(
        torch.tensor(error, dtype=torch.float64),
        torch.tensor(0.0, dtype=torch.float64),
        delta=lambda_,
    )
    for tail in ("c1", "paper"):
        found = cost(PHuber(p=2.0, lambda_=lambda_, tail=tail), error)
        assert found == pytest.approx(float(expected), abs=1e-9)


def test_the_case_is_chosen_sample_by_sample() -> None:
    scores, y = torch.tensor([[0.5], [3.0]]), torch.zeros(2)
    each = [cost(C1, 0.5), cost(C1, 3.0)]
    assert float(label_loss(scores, y, C1)) == pytest.approx(sum(each) / 2)


def test_the_label_sees_the_mean_of_the_outputs() -> None:
    scores = torch.tensor([[0.0, 1.0, 0.2, 0.4]])
    assert float(label_loss(scores, torch.tensor([0.4]), C1)) == pytest.approx(0, abs=1e-9)


# Mean of the teachers 0.50, 0.54 and 0.80 against labels of 0.5.
TEACHERS = torch.tensor([[0.4, 0.6], [0.53, 0.55], [0.7, 0.9]])
LABELS = torch.full((3,), 0.5)
STUDENT = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])


def test_the_gate_asks_the_mean_of_the_teachers_and_not_each_of_them() -> None:
    assert open_gate(TEACHERS, LABELS, Distillation()).tolist() == [True, True, False]


def test_the_gate_is_open_at_epsilon_itself() -> None:
    how = Distillation(epsilon=0.25)
    assert open_gate(torch.tensor([[0.75]]), torch.tensor([0.5]), how).tolist() == [True]


def test_a_closed_gate_costs_nothing_but_stays_in_the_one_over_n() -> None:
    found = distillation_loss(STUDENT, TEACHERS, LABELS, C1, Distillation())
    first = cost(C1, 0.1)
    second = (cost(C1, 0.03) + cost(C1, 0.05)) / 2
    assert float(found.total) == pytest.approx((first + second + 0) / 3, rel=1e-5)
    assert float(found.gate_share) == pytest.approx(2 / 3)


def test_a_closed_gate_has_no_gradient() -> None:
    scores = STUDENT.clone().requires_grad_()
    distillation_loss(scores, TEACHERS, LABELS, C1, Distillation()).total.backward()
    assert scores.grad[0].abs().min() > 0
    assert scores.grad[2].abs().max() == 0


def test_one_closed_gate_closes_the_batch_where_the_batch_is_judged_as_one() -> None:
    how = Distillation(gate="batch_all")
    found = distillation_loss(STUDENT, TEACHERS, LABELS, C1, how)
    assert (float(found.total), float(found.gate_share)) == (0, 0)
    believed = distillation_loss(STUDENT[:2], TEACHERS[:2], LABELS[:2], C1, how)
    assert float(believed.gate_share) == 1
    assert float(believed.total) > 0


def test_a_mean_target_is_content_with_the_right_mean_and_a_vector_target_is_not() -> None:
    teachers, student, y = torch.tensor([[0.4, 0.6]]), torch.tensor([[0.5, 0.5]]), LABELS[:1]
    of_mean = distillation_loss(student, teachers, y, C1, Distillation(target="mean"))
    of_vector = distillation_loss(student, teachers, y, C1, Distillation(target="vector"))
    assert float(of_mean.total) == pytest.approx(0, abs=1e-9)
    assert float(of_vector.total) == pytest.approx(cost(C1, 0.1), rel=1e-5)


def test_the_student_always_pays_for_the_label_and_beta_times_for_the_teachers() -> None:
    # The parent's code replaces the label loss by the teachers' when the gate opens (METHOD 1.2).
    scores = STUDENT + 0.1
    label = float(label_loss(scores, LABELS, C1))
    taught = float(distillation_loss(scores, TEACHERS, LABELS, C1, Distillation()).total)
    assert label > 0
    for beta in (0.0, 0.75, 2.0):
        found = student_loss(scores, TEACHERS, LABELS, C1, Distillation(beta=beta))
        assert float(found.total) == pytest.approx(label + beta * taught, rel=1e-6)


@pytest.mark.parametrize("values", [{"p": 0.9}, {"lambda_": 0.0}, {"p": float("nan")}])
def test_an_impossible_loss_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PHuber(**values)


def test_a_label_with_one_part_costs_what_the_paper_says() -> None:
    draw = torch.Generator().manual_seed(0)
    scores, teachers = torch.rand(2, 6, 4, generator=draw)
    y = torch.rand(6, generator=draw)
    how = Distillation(epsilon=0.2)
    flat = student_loss(scores, teachers, y, C1, how)
    assert student_loss(scores, teachers, y[:, None], C1, how) == flat


def test_parts_are_learnt_alike_and_beside_one_another() -> None:
    draw = torch.Generator().manual_seed(0)
    scores = torch.rand(5, 4, 3, generator=draw)  # 4 members of 3 parts
    y = torch.rand(5, 3, generator=draw)
    each = [label_loss(scores[:, :, part], y[:, part], C1) for part in range(3)]
    together = label_loss(scores.flatten(1), y, C1)
    torch.testing.assert_close(together, torch.stack(each).mean())


def test_the_score_alone_opens_the_gate() -> None:
    y = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    teachers = torch.tensor([[0.5, 0.9, 0.5, 0.9], [0.9, 0.5, 0.9, 0.5]])  # 2 members of 2 parts
    assert open_gate(teachers, y, Distillation(epsilon=0.1)).tolist() == [True, False]


def test_a_student_listens_to_every_part_of_every_teacher() -> None:
    y = torch.full((1, 2), 0.5)
    teachers = torch.full((1, 4), 0.5)
    for place in range(4):
        scores = teachers.clone()
        scores[0, place] += 0.3
        cost_of_it = distillation_loss(scores, teachers, y, C1, Distillation()).total
        assert float(cost_of_it) == pytest.approx(cost(C1, 0.3) / 4, rel=1e-5)
