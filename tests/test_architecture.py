"""The house stands as it was drawn: rooms, layers, licences, and no trace of one machine.

Run as a program, as ``make format`` does, this file writes the README's tree anew.
"""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, requires
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "ctiqa"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MODULES = sorted(HOUSE.rglob("*.py"))
WRITTEN = [
    ROOT / ".ci" / "run",
    *(path for path in ROOT.iterdir() if path.suffix in {".cff", ".md", ".toml", ".txt"}),
    *(ROOT / name for name in (".gitignore", "LICENSE", "Makefile")),
    *(
        path
        for folder in ("benchmarks", "docs", "recipes", "src", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".csv", ".json", ".md", ".py", ".svg", ".toml"}
    ),
]


def tree() -> str:
    """Return every module with the first line of its docstring, rooms in the order of the data."""
    layers: list[str] = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [room.strip("() ") for layer in reversed(layers) for room in layer.split("|")]
    lines = ["src/ctiqa/", *_line("├── ", HOUSE / "__init__.py")]
    present = [room for room in rooms if (HOUSE / room).exists() or module(room).exists()]
    for room in present:
        last = room == present[-1]
        if module(room).exists():
            lines += _line("├── ", module(room))
            continue
        lines += _line("└── " if last else "├── ", HOUSE / room / "__init__.py", f"{room}/")
        inside = sorted(path for path in (HOUSE / room).glob("*.py") if path.name != "__init__.py")
        for path in inside:
            branch = "└── " if path == inside[-1] else "├── "
            lines += _line(("    " if last else "│   ") + branch, path)
    return "\n".join(lines)


def module(name: str) -> Path:
    return HOUSE / f"{name}.py"


def _line(branch: str, path: Path, name: str = "") -> list[str]:
    return [f"{branch + (name or path.name):<29} {summary(path)}"]


def summary(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


README = ROOT / "README.md"
SHOWN = re.compile(r"(?<=```text\n)src/ctiqa/\n.*?(?=\n```)", re.DOTALL)


def test_the_readme_shows_every_module_with_the_first_line_of_its_docstring() -> None:
    shown = SHOWN.search(README.read_text("utf-8"))
    assert shown, "the README has no tree"
    assert shown[0] == tree(), "make format writes the tree anew"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_module_has_one_subject_and_says_what_it_offers(path: Path) -> None:
    text = path.read_text("utf-8")
    assert summary(path).endswith("."), "the docstring's first line is a sentence"
    assert len(text.splitlines()) <= 300
    names = {
        target.id
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "__all__" in names or path.name == "__init__.py"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_room_knows_only_the_rooms_before_it() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("room", "statement", "broken"),
    [
        ("scoring/result.py", "import ctiqa.training.loop", "Who scores needs no torch"),
        ("scoring/result.py", "import ctiqa.training.loop", "The folder list is the data flow"),
        ("images/window.py", "import ctiqa.measures.fidelity", "The folder list is the data flow"),
        ("outputs/tables.py", "import torch", "Who scores needs no torch"),
        ("study/evidence.py", "import ctiqa.training.loop", "Who weighs the evidence does not"),
    ],
)
def test_a_wall_that_is_broken_is_named(
    tmp_path: Path, room: str, statement: str, broken: str
) -> None:
    shutil.copytree(HOUSE, tmp_path / "src" / "ctiqa", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "ctiqa" / room).open("a", encoding="utf-8") as file:
        file.write(f"\n{statement}\n")
    found = lint_imports(tmp_path)
    assert found.returncode == 1
    assert re.search(f"{broken}.* BROKEN", found.stdout), found.stdout


def base_packages() -> set[str]:
    """Return what ``pip install ctiqa`` brings, extras left out."""
    found: set[str] = set()
    wanted = ["ctiqa"]
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in found:
            found.add(name)
            wanted += [
                requirement.name
                for requirement in map(Requirement, requires(name) or [])
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            ]
    return found


def test_the_base_install_is_light() -> None:
    heavy = {"torch", "torchvision", "pandas", "scikit-image", "matplotlib", "onnx", "finufft"}
    assert not heavy & base_packages()


def licence(package: str) -> str:
    """Return how a package says it may be used: an SPDX expression, classifiers or a short word."""
    facts = metadata(package)
    words = facts.get_all("Classifier") or []
    stated = [word for word in words if word.startswith("License")]
    free_text = facts.get("License") or ""
    return " ".join([facts.get("License-Expression") or "", *stated, free_text.partition("\n")[0]])


@pytest.mark.parametrize("package", sorted(base_packages()))
def test_whatever_the_base_install_brings_may_be_used_and_passed_on_freely(package: str) -> None:
    words = licence(package)
    permissive = r"\b(Apache|BSD|MIT|MIT-CMU|ISC|PSF|Python Software Foundation|HPND|Zlib)\b"
    assert re.search(permissive, words), words
    # The runtime libraries of GCC are GPL with the exception that allows any use.
    bound = re.sub(r"GPL-3\.0-\S+ WITH GCC-exception-3\.1", "", words)
    assert not re.search(r"GPL|General Public|CC-BY-NC|[Nn]on-?[Cc]ommercial", bound), words


def named_in(text: str) -> Iterator[str]:
    """Yield paths of one machine and hosts of package registries.

    >>> list(named_in("cd " + "/" + "home/me, see doi.org"))
    ['/home/']
    """
    machine = r"(?<![\w.~}>])/(?:home|root|Users|work|tmp|opt|mnt|srv|data)/|[A-Z]:\\Users"
    host = r"pypi\.org|pythonhosted\.|pytorch\.org/whl|anaconda\.org|huggingface\.co"
    for found in re.finditer(f"{machine}|{host}", text):
        yield found[0]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_written_names_a_machine_or_a_registry(path: Path) -> None:
    text = path.read_text("utf-8")
    assert path == Path(__file__) or not list(named_in(text))


def test_the_known_good_set_is_names_and_versions_only_and_holds_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    pinned = {canonicalize_name(line.partition("==")[0]) for line in pins}
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    # "dev" asks for the project's own extras.
    assert {canonicalize_name(Requirement(line).name) for line in asked} - {"ctiqa"} <= pinned


def test_every_document_names_the_same_version() -> None:
    version = PYPROJECT["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    newest = re.search(
        r"^## \[?([^]\s]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert newest
    assert newest[1] == version


def test_ci_runs_what_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert targets == {"demo", "test", "check", "format", "bench", "docs", "clean"}
    called = set(
        re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    )
    readme = README.read_text("utf-8")
    assert called
    assert called <= targets
    assert all(f"make {target}" in readme for target in called)


if __name__ == "__main__":
    README.write_text(SHOWN.sub(lambda _: tree(), README.read_text("utf-8")), "utf-8")
