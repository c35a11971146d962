"""Make what nobody writes by hand of the site: navigation, reference and changelog.

MkDocs calls the functions named ``on_...`` (its hooks), griffe the class for every docstring.
"""

import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import ctiqa

__all__ = ["PlainDocstrings", "on_config", "on_files", "on_page_markdown"]

DOCS = Path(__file__).parent
ROOT = DOCS.parent
HOUSE = ROOT / "src" / "ctiqa"

HOW_TO = (
    "score",
    "report",
    "quality-map",
    "tables",
    "structured-report",
    "measure",
    "simulate",
    "selftest",
    "calibrate",
    "dose-curve",
    "compare",
    "track",
    "train",
    "evaluate",
    "study",
    "command-line",
)
"""The order in which a reader may want them; a page that is not named here comes last."""

REFERENCE = """# Reference

What `import ctiqa` offers, each name with a link to its home. The rooms offer more: they stand
beside this in the order of the data, with every public name of each module. The commands are
explained by `ctiqa --help` and [the how-to pages](../how-to/command-line.md).

| name | what it is |
|---|---|"""

ROLE = re.compile(r":[a-z]+:`~?([\w.]+)`")
"""A name in a docstring, in the way of Sphinx."""

FIELDS_ONLY = frozenset({"NamedTuple", "TypedDict"})

PLACES = {"decisions": "decisions/index.md", "notebook/first-look.ipynb": "notebook/first-look.md"}
"""Pages that stand for what a plain view of the files shows by itself: a folder, a notebook."""


def on_config(config: MkDocsConfig) -> None:
    """Build the navigation from the pages that are there."""
    pages = {page.stem: f"how-to/{page.name}" for page in sorted(DOCS.glob("how-to/*.md"))}
    ordered = sorted(pages, key=lambda stem: HOW_TO.index(stem) if stem in HOW_TO else len(HOW_TO))
    decisions = [f"decisions/{page.name}" for page in sorted(DOCS.glob("decisions/*.md"))]
    results = [f"results/{page.name}" for page in sorted(DOCS.glob("results/*.md"))]
    config.nav = [
        {"Start": ["index.md", "start.md", "meaning.md", "notebook/first-look.md"]},
        {"How to": [pages[stem] for stem in ordered]},
        {"Physics": ["physics.md"]},
        {"Method": ["method.md"]},
        {"Reference": ["reference/index.md", *(f"reference/{room}.md" for room in rooms())]},
        {"Results": results},
        {"Decisions": ["decisions/index.md", *decisions]},
        {"Log": ["log.md", "changelog.md"]},
    ]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that are made of something else."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    made = {
        "changelog.md": changelog,
        "decisions/index.md": _decisions(),
        "reference/index.md": _public_names(),
        **{f"reference/{room}.md": _room(room) for room in rooms()},
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, **_kwargs: Any) -> str:
    """Let links that are good in a plain view lead to what the site has in their place."""
    for plain, here in PLACES.items():
        markdown = markdown.replace(f"]({plain})", f"]({here})")
    return markdown


def rooms() -> list[str]:
    """Return the rooms in the order of the data, the command line left out: it has no functions."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers: list[str] = contracts["contracts"][0]["layers"]
    named = [room.strip("() ") for layer in reversed(layers) for room in layer.split("|")]
    there = {path.stem for path in HOUSE.iterdir()} - {"cli"}
    return [room for room in named if room in there]


def _room(room: str) -> str:
    """Return the reference of a room: what each of its modules offers."""
    inside = sorted(path.stem for path in (HOUSE / room).glob("[!_]*.py"))
    modules = [f"ctiqa.{room}.{name}" for name in inside] or [f"ctiqa.{room}"]
    words = import_module(f"ctiqa.{room}").__doc__ if inside else ""
    described = [f"::: {module}\n    options:\n      heading_level: 2" for module in modules]
    return "\n\n".join([f"# {room}", words or "", *described])


def _public_names() -> str:
    """Return the list of what ``import ctiqa`` offers, each with a link to its home."""
    lines = [REFERENCE]
    for name in ctiqa.__all__:
        offered = getattr(ctiqa, name)
        if name != "__version__":
            home = f"{offered.__module__}.{offered.__qualname__}"
            lines.append(f"| [`ctiqa.{name}`][{home}] | {_plain(inspect.getdoc(offered) or '')} |")
    return "\n".join(lines)


def _plain(docstring: str) -> str:
    return ROLE.sub(r"`\1`", docstring.partition("\n")[0])


def _decisions() -> str:
    lines = ["# Decisions", "", "Why things are as they are, a page each.", ""]
    for page in sorted(DOCS.glob("decisions/*.md")):
        title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.name})")
    return "\n".join(lines)


class PlainDocstrings(griffe.Extension):
    """Read in Markdown what docstrings say in the way of Sphinx, doctest and box drawing."""

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Rewrite every docstring of a package once all of its names are known."""
        for described in _walk(pkg):
            if described.docstring is not None:
                text = "\n\n".join(_paragraphs(described.docstring.value, described))
                # Griffe knows of these no parameters, only attributes.
                if FIELDS_ONLY.intersection(map(str, getattr(described, "bases", ()))):
                    text = text.replace("Args:\n", "Attributes:\n")
                described.docstring.value = text


def _walk(parent: griffe.Object) -> Iterator[griffe.Object]:
    yield parent
    for member in parent.members.values():
        if isinstance(member, griffe.Object):
            yield from _walk(member)


def _paragraphs(docstring: str, scope: griffe.Object) -> Iterator[str]:
    for paragraph in docstring.split("\n\n"):
        if paragraph.startswith(">>> "):
            yield f"```pycon\n{paragraph}\n```"
        elif "── " in paragraph:
            yield f"```text\n{paragraph}\n```"
        else:
            yield ROLE.sub(lambda role: _link(role[1], scope), paragraph)


def _link(name: str, scope: griffe.Object) -> str:
    """Return a link to what a name means in a docstring; plain code where it has no page."""
    try:
        path = name if name.startswith("ctiqa.") else scope.resolve(name)
        found = scope.modules_collection[path]
    except (griffe.NameResolutionError, KeyError):
        return f"`{name}`"
    return f"[`{name}`][{found.canonical_path}]" if found.is_public else f"`{name}`"
