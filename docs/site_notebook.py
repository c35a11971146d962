"""Run the notebook and show it as a page, with what it printed and drew."""

from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

__all__ = ["on_files"]

NOTEBOOK = Path(__file__).parent / "notebook" / "first-look.ipynb"


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the page of the notebook, and a file for each picture in it.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell of it fails.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    with TemporaryDirectory() as desk:
        NotebookClient(
            notebook,
            kernel_name="python3",
            resources={"metadata": {"path": desk}},
            # It would warn at every build that it talks over a socket of this machine.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        ).execute()
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stdout":
                parts.append(f"```text\n{output.text.rstrip()}\n```")
            elif png := output.get("data", {}).get("image/png"):
                name = f"{NOTEBOOK.stem}-{len(parts)}.png"
                files.append(File.generated(config, f"notebook/{name}", content=b64decode(png)))
                parts.append(f"![What the cell above draws]({name})")
    parts.insert(1, f"This page is [a notebook]({NOTEBOOK.name}) that was run when it was built.")
    page = "\n\n".join(parts)
    files.append(File.generated(config, f"notebook/{NOTEBOOK.stem}.md", content=page))
