"""The documents say what is: links lead somewhere, commands exist and run, citations resolve.

The commands of the page about training are run by test_pipeline.py.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ctiqa.cli.main import COMMANDS, _load, app
from ctiqa.images.phantom import write_phantom_series

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.relative_to(ROOT)
)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Command(NamedTuple):
    """One command of a page."""

    page: Path
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {shlex.join(self.words)}"


def blocks(page: Path, *languages: str) -> Iterator[str]:
    text = page.read_text("utf-8")
    for fence in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if fence[1] in languages:
            yield fence[2]


def commands(page: Path) -> Iterator[Command]:
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield Command(page, tuple(words))


COMMANDS_IN_PAGES = [command for page in PAGES for command in commands(page)]


@each_page
def test_every_fenced_block_says_what_it_is(page: Path) -> None:
    fences = re.findall(r"^```(\w*)$", page.read_text("utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"sh", "python", "toml", "text", "csv"}
    assert not any(fences[1::2])


@each_page
def test_a_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        goal = page.parent / path if path else page
        assert goal.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(goal), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """Return what headings of a page are called in a link."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("command", COMMANDS_IN_PAGES, ids=lambda command: command.name)
def test_a_command_exists_and_takes_what_it_is_given(command: Command) -> None:
    program, *words = command.words
    match program:
        case "make":
            assert words
            assert set(words) <= TARGETS
        case "pip":
            assert words[0] == "install"
            for extras in re.findall(r"\[([\w,]+)\]", " ".join(words)):
                assert set(extras.split(",")) <= set(EXTRAS)
        case "ctiqa":
            assert words[0] in {*COMMANDS, "--help", "--version"}
            if words[0] in COMMANDS and words[1:] != ["--help"]:
                _load(words[0]).make_context(words[0], before_redirection(words[1:]))
        case _:
            pytest.fail(f"nobody checks what {program} does")


def before_redirection(words: list[str]) -> list[str]:
    return words[: words.index(">")] if ">" in words else words


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a synthetic scan, as the documents suppose one."""
    write_phantom_series(tmp_path / "scan", slices=3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = list(command.words[1:])
    with pytest.raises(SystemExit) as end:
        app(before_redirection(words), prog_name="ctiqa")
    printed = capsys.readouterr()
    assert end.value.code == 0, printed.err
    if ">" in words:
        Path(words[words.index(">") + 1]).write_text(printed.out, encoding="utf-8")


PAGES_ABOUT_ONE_SCAN = [
    ROOT / "docs" / "start.md",
    ROOT / "docs" / "how-to" / "command-line.md",
    ROOT / "docs" / "how-to" / "dose-curve.md",
    ROOT / "docs" / "how-to" / "measure.md",
    ROOT / "docs" / "how-to" / "report.md",
    ROOT / "docs" / "how-to" / "score.md",
    ROOT / "docs" / "how-to" / "simulate.md",
    ROOT / "docs" / "how-to" / "structured-report.md",
    ROOT / "docs" / "how-to" / "tables.md",
    ROOT / "docs" / "how-to" / "track.md",
]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("page", PAGES_ABOUT_ONE_SCAN, ids=lambda page: page.name)
def test_what_a_page_does_with_one_scan_can_be_done_from_top_to_bottom(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in commands(page):
        if command.words[0] == "ctiqa":
            run(command, capsys)


def test_two_scans_are_compared_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_phantom_series(tmp_path / "scan", slices=10)
    for command in commands(ROOT / "docs" / "how-to" / "compare.md"):
        run(command, capsys)


def test_the_table_that_a_page_shows_can_be_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "how-to" / "evaluate.md"
    (table,) = blocks(page, "csv")
    (command,) = (one for one in commands(page) if "readers.csv" in one.words)
    for name in ("readers.csv", "earlier-readers.csv"):
        Path(name).write_text(table, encoding="utf-8")
    run(command, capsys)


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(blocks(page, "python"))], ids=lambda page: page.name
)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    exec(compile(code, str(page), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page


def test_the_environment_variables_of_the_page_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "how-to" / "command-line.md").read_text("utf-8")
    described = set(re.findall(r"^\| `(CTIQA_\w+)` \| `(--[\w-]+)`", page, re.MULTILINE))
    loaded = [_load(name) for name in COMMANDS]
    loaded += [inner for one in loaded for inner in getattr(one, "commands", {}).values()]
    options = [option for command in loaded for option in command.params if option.envvar]
    read = {(option.envvar, option.opts[0]) for option in options if option.opts[0][0] == "-"}
    assert described == read
    assert {option.envvar for option in options} == {variable for variable, _ in described}


CITING = [
    path
    for folder in ("benchmarks", "recipes", "src", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".toml"} and path != Path(__file__)
]


def test_what_the_sources_cite_as_method_stands_in_the_method() -> None:
    method = (ROOT / "docs" / "method.md").read_text("utf-8")
    sections = set(re.findall(r"^#+ ([\d.]+) ", method, re.MULTILINE))
    rows = set(re.findall(r"^\| (\w+) \|", method, re.MULTILINE))
    findings = set(re.findall(r"^(\d+)\. ", method, re.MULTILINE))
    missing = []
    for path in CITING:
        text = re.sub(r"\s+(#\s+)?", " ", path.read_text("utf-8"))
        for citation in re.finditer(
            r"METHOD (\d+(?:\.\d+)?)(?:, (?:rows? ([\d, toand]+\d)|finding (\d+)|([A-Z]\d+)))?",
            text,
        ):
            cited_rows = set(re.findall(r"\d+", citation[2] or ""))
            named = {citation[4]} if citation[4] else set()
            known = citation[1] in sections and cited_rows | named <= rows
            if not known or (citation[3] and citation[3] not in findings):
                missing.append(f"{path.relative_to(ROOT)}: {citation[0]}")
    assert not missing
