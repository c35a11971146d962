"""Text and SVG show the same boxes, and every arrow arrives."""

from xml.etree import ElementTree as ET

from ctiqa.model.diagram import Figure, as_svg, as_text

FIGURE = Figure(
    "Two become one",
    ((("a slice",),), (("left", "of two lines"), ("right",)), (("<end> & out",),)),
    ("A note.",),
)
SVG = "{http://www.w3.org/2000/svg}"


DRAWN = """\
Two become one

         ┌─────────┐
         │ a slice │
         └────┬────┘
        ┌─────┴─────────┐
┌───────▼───────┐   ┌───▼───┐
│ left          │   │ right │
│ of two lines  │   │       │
└───────┬───────┘   └───┬───┘
        └─────┬─────────┘
       ┌──────▼──────┐
       │ <end> & out │
       └─────────────┘

A note.
"""


def test_every_arrow_of_the_text_joins_two_boxes() -> None:
    assert as_text(FIGURE) == DRAWN


def test_one_box_above_another_needs_no_bend() -> None:
    drawn = as_text(Figure("t", ((("even",),), (("odds!",),), (("a much longer line",),))))
    assert drawn.splitlines()[4].index("┬") == drawn.splitlines()[5].index("▼")
    assert len(drawn.splitlines()) == 2 + 3 * 3


def test_the_svg_is_one_document_with_every_line_and_an_arrow_for_each_pair() -> None:
    root = ET.fromstring(as_svg([FIGURE, FIGURE]))  # noqa: S314 - our own text
    words = [each.text for each in root.iter(f"{SVG}text")]
    for line in ("Two become one", "a slice", "of two lines", "right", "<end> & out", "A note."):
        assert words.count(line) == 2
    assert len(list(root.iter(f"{SVG}path"))) == 2 * (2 + 2)


def test_nothing_of_the_svg_lies_outside_its_page() -> None:
    root = ET.fromstring(as_svg([FIGURE]))  # noqa: S314 - our own text
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [each.attrib for each in root.iter(f"{SVG}rect") if "x" in each.attrib]
    assert len(boxes) == 4
    for box in boxes:
        assert float(box["x"]) >= 0
        assert float(box["x"]) + float(box["width"]) <= width
        assert float(box["y"]) + float(box["height"]) <= height
    texts = [float(each.attrib["y"]) for each in root.iter(f"{SVG}text")]
    assert max(texts) < height


def test_columns_of_the_svg_stay_columns() -> None:
    # Without the attribute viewers run several spaces together.
    root = ET.fromstring(as_svg([FIGURE]))  # noqa: S314 - our own text
    assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
