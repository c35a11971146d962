"""A page stands alone, harms nobody, names no patient and can be read by everybody."""

import hashlib
import importlib
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctiqa.card import Card
from ctiqa.errors import CtiqaError, ReadError, WriteError
from ctiqa.images.ct_slice import CTSlice, Identity
from ctiqa.images.phantom import chest_slice
from ctiqa.images.series import read
from ctiqa.outputs import report as report_module
from ctiqa.outputs.report import loader, write_report
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

WriteDicom = Callable[..., Path]
TEMPLATE = Path(report_module.__file__).with_name("report_base.html.jinja")
CHEST = chest_slice(level=0.5, size=96, pixel_mm=4)


def load(row: SliceResult) -> CTSlice:
    return CTSlice(CHEST.hu, 4.0, Identity(row.path, sop_instance_uid=row.sop_instance_uid))


def series_of(uid: str, *scores: float | None, **facts: Any) -> tuple[SliceResult, ...]:
    return tuple(
        SliceResult(
            **{
                "path": f"{uid}/{number}.dcm",
                "series_instance_uid": uid,
                "sop_instance_uid": f"{uid}.{number}",
                "z_mm": float(number),
                "score": score,
                "noise_hu": 10.0 + number % 7,
                "status": "not_scored" if score is None else "ok",
                "reasons": ("every pixel is 0 HU",) if score is None else (),
            }
            | facts
        )
        for number, score in enumerate(scores)
    )


def report_of(
    *series: tuple[SliceResult, ...], unread: tuple[SliceResult, ...] = ()
) -> ScoreReport:
    card = Card(
        name="mean",
        outputs=1,
        windows_hu=((2000.0, 0.0),),
        figures={"split test": {"images": 9, "rows": {"model": {"plcc": 0.98712}}}},
        notes=("The score speaks of noise alone.",),
    )
    return ScoreReport(
        slices=(*(row for rows in series for row in rows), *unread),
        series=tuple(SeriesSummary.of(rows) for rows in series),
        card=card,
        model_sha256="ab" * 32,
    )


class Tree(HTMLParser):
    """Every element of a page with its attributes, and every text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def page_of(folder: Path, *scores: float | None, **facts: Any) -> Tree:
    (path,) = write_report(report_of(series_of("1.2", *scores, **facts)), folder, load=load)
    return Tree(path.read_text("utf-8"))


def test_a_page_needs_no_other_file_no_network_and_no_script(tmp_path: Path) -> None:
    page = page_of(tmp_path, 0.2, 0.5, 0.9, 0.7, None)
    assert not page.all("script", "link", "iframe", "object", "embed", "base")
    linked = [
        found
        for each in page.all(*{tag for tag, _ in page.elements})
        for found in (each.get("src"), each.get("href"))
        if found
    ]
    assert linked
    assert all(target.startswith(("data:image/png;base64,", "#")) for target in linked)
    assert "url(" not in TEMPLATE.read_text("utf-8")
    assert not [name for _, each in page.elements for name in each if name.startswith("on")]


def test_a_page_can_be_read_without_eyes(tmp_path: Path) -> None:
    page = page_of(tmp_path, 0.2, 0.5, 0.9, 0.7, None)
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(each["alt"] for each in page.all("img"))
    assert all(each["scope"] in {"row", "col"} for each in page.all("th"))
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    targets = [each["href"][1:] for each in page.all("a")]
    named = [each["aria-labelledby"] for _, each in page.elements if "aria-labelledby" in each]
    assert {*targets, *" ".join(named).split()} <= set(ids)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    sides = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(sides <= 0.04045, sides / 12.92, ((sides + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_as_wcag_asks(scheme: str) -> None:
    """Success criterion 1.4.3: a contrast of 4.5 to 1."""
    schemes = re.findall(r":root \{(.*?)\}", TEMPLATE.read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6});", schemes[scheme == "dark"]))
    for ground in ("paper", "panel"):
        for ink in ("ink", "soft", "ok", "caution", "missing", "link"):
            dark, light = sorted(luminance(colours[name]) for name in (ground, ink))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


def test_a_hostile_header_is_shown_as_words_and_never_becomes_an_element(tmp_path: Path) -> None:
    words = ("kernel", "manufacturer", "scanner", "body_part", "path", "acquired")
    facts = dict.fromkeys(words, HOSTILE) | {"status": "caution", "reasons": (HOSTILE,)}
    page = page_of(tmp_path, 0.2, 0.5, 0.9, **facts)
    assert not page.all("script")
    assert all(each["src"].startswith("data:image/png") for each in page.all("img"))
    assert sum(text.strip() == HOSTILE for text in page.texts) >= len(words)


def test_nothing_of_the_patient_stands_in_a_page(tmp_path: Path, write_dicom: WriteDicom) -> None:
    noise = np.random.default_rng(0).normal(1024, 10, (2, 64, 64)).astype(np.int16)
    for number, each in enumerate(noise):
        path = write_dicom(f"scan/{number}.dcm", each)
    reading = read(path.parent)
    rows = tuple(
        SliceResult(
            path=header.identity.path,
            series_instance_uid=header.identity.series_instance_uid,
            score=0.5,
            status="ok",
        )
        for header in reading.series[0].headers
    )
    (path,) = write_report(report_of(rows), tmp_path / "pages", load=loader(reading))
    text = path.read_text("utf-8")
    assert not re.search("Somebody|hospital-4711|19700101|1970-01-01", text)
    assert text.count("data:image/png") == 2


def test_a_page_of_a_thousand_slices_stays_under_three_megabytes(tmp_path: Path) -> None:
    """Of a chest in both windows with 80 HU of noise, since noise is what no packing shrinks."""
    rng = np.random.default_rng(0)
    noisy = chest_slice(level=0.5, pixel_mm=0.6).hu + np.float32(rng.normal(0, 80, (512, 512)))
    rows = series_of("1.2", *rng.uniform(0.3, 0.9, 1000).tolist(), status="caution")
    (path,) = write_report(
        report_of(rows), tmp_path, load=lambda row: CTSlice(noisy, 0.6, Identity(row.path))
    )
    assert path.read_text("utf-8").count("data:image/png") == 8
    assert path.stat().st_size < 3_000_000


def test_a_page_states_scores_model_and_limits(tmp_path: Path) -> None:
    said = " ".join(
        " ".join(page_of(tmp_path, 0.2, 0.51, 0.9, acquired="2024-02-29").texts).split()
    )
    for words in (
        "0.51 Median score of 3 slices",
        "Lowest score: 0.200",
        "Highest score: 0.900",
        "ab" * 32,
        "2024-02-29",
        "1.2/0.dcm",
        "0.9871",
        "The score speaks of noise alone.",
        "not a medical device",
        "Signature",
    ):
        assert words in said


def test_a_map_stands_beside_its_picture_and_is_asked_for_the_slices_that_are_shown(
    tmp_path: Path,
) -> None:
    scored = report_of(series_of("1.2", *(number / 10 for number in range(9))))
    lost = np.ones_like(CHEST.hu)
    asked = []
    (path,) = write_report(
        scored, tmp_path, load=load, maps=lambda shown: asked.append(shown) or lost
    )
    # Its text and its caption, of each slice that is shown.
    assert path.read_text("utf-8").count("where quality is lost") == 2 * len(asked) == 8


def test_a_series_keeps_its_page_whoever_scores_it(tmp_path: Path) -> None:
    expected = f"series-{hashlib.sha256(b'1.2').hexdigest()[:12]}.html"
    for folder in (tmp_path / "a", tmp_path / "b"):
        (path,) = write_report(report_of(series_of("1.2", 0.5)), folder, load=load)
        assert path.name == expected
        assert [each.name for each in folder.iterdir()] == [expected]


def test_several_series_have_an_index_that_leads_to_them(tmp_path: Path) -> None:
    unread = (SliceResult(path="words.txt", status="not_scored", reasons=("it is no DICOM",)),)
    three = [series_of(uid, 0.4, 0.5) for uid in ("1.2", "1.3", "1.2")]
    *pages, index = write_report(report_of(*three, unread=unread), tmp_path, load=load)
    assert index.name == "index.html"
    tree = Tree(index.read_text("utf-8"))
    assert [each["href"] for each in tree.all("a")] == [path.name for path in pages]
    assert len({path.name for path in pages}) == 3
    assert "it is no DICOM" in index.read_text("utf-8")


def test_a_series_without_a_score_is_refused_and_the_others_have_their_pages(
    tmp_path: Path,
) -> None:
    both = report_of(series_of("1.2", None, None), series_of("1.3", 0.5))
    with pytest.raises(ReadError, match=r"^1\.2: no slice was scored"):
        write_report(both, tmp_path, load=load)
    key = hashlib.sha256(b"1.3").hexdigest()[:12]
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", f"series-{key}.html"}
    assert "no slice was scored" in (tmp_path / "index.html").read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="nothing was written"):
        write_report(report_of(series_of("1.2", 0.5)), tmp_path / "file", load=load)


def test_a_file_name_that_is_no_unicode_is_spelt_out(tmp_path: Path) -> None:
    odd = b"\xff.dcm".decode("utf-8", "surrogateescape")
    assert any(r"\udcff.dcm" in text for text in page_of(tmp_path, 0.5, path=odd).texts)


def test_what_is_missing_for_a_report_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "ctiqa.outputs.report")
    with pytest.raises(CtiqaError, match=r"pip install 'ctiqa\[report\]'"):
        importlib.import_module("ctiqa.outputs.report")
