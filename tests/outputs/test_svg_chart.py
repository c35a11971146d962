"""A chart shows every slice, each state by its form, and can be read without eyes."""

import re
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.outputs.svg_chart import Chart, Point, as_svg, ticks

POINTS = (
    Point(-10.0, 0.8, "ok", (0.7, 0.9)),
    Point(0.0, 0.5, "caution", (0.4, 0.65)),
    Point(5.0, None, "not_scored"),
    Point(10.0, 0.25, "ok"),
)
CHART = Chart(
    key="score",
    title="Score along the table",
    description="From 0.80 to 0.25.",
    points=POINTS,
    x_label="table position in mm",
    y_label="score",
    y_limits=(0.0, 1.0),
)


def paths(chart: Chart, kind: str) -> list[str]:
    """Return the paths of a class, the sample in the legend left out."""
    drawing = ET.fromstring(as_svg(chart))  # noqa: S314 - our own drawing
    found = [each.get("d", "") for each in drawing.iter("path") if each.get("class") == kind]
    return [path for path in found if not re.match(r"M\d+,14m", path)]


def places(path: str) -> list[tuple[float, float]]:
    pairs = re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)
    return [(float(x), float(y)) for x, y in pairs]


def with_points(points: Sequence[Point]) -> Chart:
    return replace(CHART, points=points)


def test_the_drawing_names_and_describes_itself() -> None:
    drawing = ET.fromstring(as_svg(CHART))  # noqa: S314 - our own drawing
    texts = {each.get("id"): each.text for each in drawing if each.get("id")}
    named = [texts[key] for key in drawing.attrib["aria-labelledby"].split()]
    assert named == [CHART.title, CHART.description]
    assert drawing.get("role") == "img"


def test_every_slice_has_one_marker_of_its_state() -> None:
    marked = {kind: places("".join(paths(CHART, kind))) for kind in ("ok", "caution", "not_scored")}
    assert {kind: len(found) for kind, found in marked.items()} == {
        "ok": 2,
        "caution": 1,
        "not_scored": 1,
    }
    forms = {re.sub(r"M[-\d.,]+", "", paths(CHART, kind)[0][:40]) for kind in marked}
    assert len(forms) == 3


def test_markers_lie_where_their_numbers_do() -> None:
    """Heights and places are straight lines of score and position, upwards and to the right."""
    found = sorted(places("".join(paths(CHART, "ok") + paths(CHART, "caution"))))
    x, y = np.array(found).T
    assert np.allclose(np.diff(x) / np.diff((-10, 0, 10)), (x[-1] - x[0]) / 20, atol=0.02)
    assert np.allclose(np.diff(y) / np.diff((0.8, 0.5, 0.25)), (y[-1] - y[0]) / -0.55, atol=0.5)
    assert y[0] < y[1] < y[2]


def test_a_slice_without_a_number_breaks_the_line_and_lies_on_the_axis() -> None:
    assert [len(places(line)) for line in paths(CHART, "line")] == [2, 1]
    ((_, bottom),) = places(paths(CHART, "not_scored")[0])
    zero = with_points([Point(0.0, 0.0, "ok"), Point(1.0, 1.0, "ok")])
    assert bottom == places(paths(zero, "ok")[0])[0][1]


def test_the_band_is_the_interval_and_stands_only_where_one_is_known() -> None:
    (band,) = paths(CHART, "band")
    ends = with_points(
        [replace(point, y=end) for point in POINTS[:2] for end in point.interval or ()]
        + [POINTS[3]]
    )
    expected = places("".join(paths(ends, "ok") + paths(ends, "caution")))
    assert sorted(places(band)) == sorted(expected)[:4]
    bare = with_points([replace(point, interval=None) for point in POINTS])
    assert paths(bare, "band") == []


def test_a_lone_slice_is_drawn_in_the_middle() -> None:
    ((x, _),) = places(paths(with_points([POINTS[0]]), "ok")[0])
    (ground,) = ET.fromstring(as_svg(CHART)).iter("rect")  # noqa: S314 - our own drawing
    left, width = float(ground.attrib["x"]), float(ground.attrib["width"])
    assert x == pytest.approx(left + width / 2, abs=0.1)


def test_only_the_states_that_are_there_stand_in_the_legend() -> None:
    assert ">caution<" in as_svg(CHART)
    assert ">caution<" not in as_svg(with_points(POINTS[2:]))


def test_words_cannot_become_elements() -> None:
    hostile = "<script>alert('&')</script>"
    drawing = as_svg(replace(CHART, title=hostile, description=hostile, x_label=hostile))
    assert "<script" not in drawing
    assert ET.fromstring(drawing)[0].text == hostile  # noqa: S314 - our own drawing


@given(
    low=st.floats(-1e4, 1e4),
    length=st.floats(1e-3, 1e5),
    most=st.integers(2, 10),
)
def test_ticks_are_evenly_spaced_within_their_limits_and_few(
    low: float, length: float, most: int
) -> None:
    found = ticks(low, low + length, most=most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * length <= tick <= low + (1 + 1e-6) * length for tick in found)
    assert np.allclose(np.diff(found, n=2), 0, atol=1e-6 * length)
