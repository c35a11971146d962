"""The site is built without a warning or a network, holds every page, and its notebook is right."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ctiqa

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook" / "first-look.ipynb"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built as ``make docs`` builds it; a warning would end it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class _Loaded(HTMLParser):
    """Collects what a browser fetches by itself to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        named = [found.get("src"), found.get("srcset"), found.get("data"), found.get("poster")]
        if tag == "link" and found.get("rel") not in {"canonical", "next", "prev"}:
            named.append(found.get("href"))
        self.addresses += [address for address in named if address]


def loaded(page: str) -> list[str]:
    """Return what a page loads.

    >>> loaded('<script src="https://a/b.js"></script> <a href="https://c">c</a>')
    ['https://a/b.js']
    """
    parser = _Loaded()
    parser.feed(page)
    return parser.addresses


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        addresses = loaded(page.read_text("utf-8"))
        assert addresses
        assert not [each for each in addresses if re.match(r"(\w+:)?//", each)], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text("utf-8"))


def test_every_page_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        address = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / address).exists()
        assert f'href="{address}"' in home or address.startswith("decisions/"), address


def test_every_public_name_has_its_place_in_the_reference(site: Path) -> None:
    pages = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    for name in ctiqa.__all__:
        if name != "__version__":
            value = getattr(ctiqa, name)
            assert f'id="{value.__module__}.{value.__qualname__}"' in pages, name
    assert not re.search(r":(func|meth|class|data|attr):", pages)


def printed(site: Path) -> Iterator[tuple[float, float, float]]:
    """Yield dose, score and noise in HU as the page of the notebook shows them."""
    page = (site / "notebook" / "first-look.html").read_text("utf-8")
    line = r"dose ([\d.]+) +score ([\d.]+) +noise +([\d.]+) HU +expected"
    for found in re.finditer(line, page):
        yield float(found[1]), float(found[2]), float(found[3])


def test_in_the_notebook_the_score_falls_and_the_noise_grows_with_one_over_root_dose(
    site: Path,
) -> None:
    doses, scores, noise_hu = zip(*printed(site), strict=True)
    assert doses == (1, 0.75, 0.5, 0.25, 0.1)
    assert scores == tuple(sorted(set(scores), reverse=True))
    for dose, hu in zip(doses, noise_hu, strict=True):
        assert hu * dose**0.5 == pytest.approx(noise_hu[0], rel=0.05)


def test_the_notebook_tries_laws_and_draws_pictures(site: Path) -> None:
    page = (site / "notebook" / "first-look.html").read_text("utf-8")
    assert re.search(r"M1 falls with dose: +True", page)
    assert re.search(r"I2 ignores a flip: +True", page)
    pictures = [each for each in loaded(page) if each.startswith("first-look-")]
    assert len(pictures) == 2
    assert all((site / "notebook" / picture).read_bytes()[:4] == b"\x89PNG" for picture in pictures)


def test_the_notebook_is_kept_without_what_it_printed() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
