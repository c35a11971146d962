"""Find the files that a user means: one, a folder's, a zip's."""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from typing import Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from ctiqa.images.place import Member, Place
from ctiqa.images.refusal import Refusal, RefusedError

__all__ = ["Found", "find_files", "is_nifti", "unreadable"]

_NOISE_NAMES: Final = frozenset({"dicomdir", "thumbs.db", "desktop.ini", "lockfile"})
_NOISE_SUFFIXES: Final = frozenset(
    {".csv", ".json", ".log", ".md", ".pdf", ".txt", ".xml", ".html", ".tsv", ".yaml", ".toml"}
)
# A zip bomb unfolds to more than this and to this many times its size; CT shrinks threefold,
# an empty phantom a hundredfold.
_SUSPECT_BYTES: Final = 256 << 20
_SUSPECT_RATIO: Final = 100
_BOMB: Final = (
    "would unfold to {size:.1f} GiB, more than a hundred times its size, as a zip bomb does;"
    " unpack it with care and give the folder"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file: where it lies, and its path relative to the input of the user."""

    place: Place
    path: str


def find_files(inputs: Sequence[Path | str]) -> Iterator[Found | Refusal]:
    """Yield every file of the inputs in order of name, zips opened, noise left out.

    The path of a file is relative to the input, or, where there are several inputs, to the folder
    that holds them all. A file that two inputs share is found once.
    """
    given = [Path(item) for item in inputs]
    seen: set[tuple[str, Member | None]] = set()
    for item in given:
        root = item if len(given) == 1 and item.is_dir() else _common_folder(given)
        nothing = True
        for found in _found_in(item, root):
            nothing = False
            if isinstance(found, Found):
                key = (os.path.realpath(found.place.file), found.place.member)
                if key in seen:
                    continue
                seen.add(key)
            yield found
        if nothing:
            yield Refusal(_relative(item, root), "it holds no image; give the folder of the images")


def is_nifti(name: str) -> bool:
    """Return whether a file of this name is a NIfTI volume."""
    return name.lower().endswith((".nii", ".nii.gz"))


def _found_in(item: Path, root: Path) -> Iterator[Found | Refusal]:
    try:
        is_folder = S_ISDIR(item.stat().st_mode)
    except FileNotFoundError:
        yield Refusal(_relative(item, root), "no such file or folder; check the path")
    except (OSError, ValueError) as error:
        yield Refusal(_relative(item, root), unreadable(error))
    else:
        yield from _from_folder(item, root) if is_folder else _from_file(item, root)


def unreadable(error: OSError | ValueError) -> str:
    """Return in a sentence that a file or folder cannot be read, and why."""
    reason = getattr(error, "strerror", None) or error
    return f"it cannot be read ({reason}); check the path and your rights"


def _common_folder(given: list[Path]) -> Path:
    try:
        return Path(os.path.commonpath([item.absolute().parent for item in given]))
    except ValueError:  # drives of Windows have nothing in common
        return Path()


def _relative(file: Path, root: Path) -> str:
    return PurePosixPath(os.path.relpath(file.absolute(), root.absolute())).as_posix()


def _from_folder(folder: Path, root: Path) -> Iterator[Found | Refusal]:
    refused: list[OSError] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=refused.append, followlinks=True):
        real = os.path.realpath(here)
        # A link to a folder above would be walked for ever.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(files):
            if not _is_noise(name):
                yield from _from_file(Path(here, name), root)
    for error in refused:
        path = _relative(Path(str(error.filename)), root)
        yield Refusal(path, unreadable(error))


def _is_noise(name: str) -> bool:
    return (
        name.startswith(".")
        or name == "__MACOSX"
        or name.lower() in _NOISE_NAMES
        or PurePosixPath(name).suffix.lower() in _NOISE_SUFFIXES
    )


def _from_file(file: Path, root: Path) -> Iterator[Found | Refusal]:
    path = _relative(file, root)
    if file.suffix.lower() == ".zip":
        yield from _from_zip(file, path)
    elif file.exists() and not file.is_file():
        # Opening a pipe would wait for ever.
        yield Refusal(path, "it is no ordinary file; leave it out")
    else:
        yield Found(Place(file), path)


def _from_zip(file: Path, path: str) -> Iterator[Found | Refusal]:
    try:
        with ZipFile(file) as archive:
            members = sorted(archive.infolist(), key=lambda info: info.filename)
    except OSError as error:
        yield Refusal(path, unreadable(error))
        return
    except (BadZipFile, EOFError, NotImplementedError, ValueError, struct.error):
        yield Refusal(path, "the zip is damaged; make it anew or give the folder")
        return
    total = sum(info.file_size for info in members)
    if _is_bomb(total, file.stat().st_size):
        yield Refusal(path, f"the zip {_BOMB.format(size=total / 2**30)}")
        return
    wanted = [
        info
        for info in members
        if not info.filename.endswith("/")
        and not any(map(_is_noise, PurePosixPath(info.filename).parts))
    ]
    if not wanted:
        yield Refusal(path, "the zip holds no image; leave it out")
    for info in wanted:
        yield _from_member(file, info, f"{path}/{info.filename}")


def _from_member(file: Path, info: ZipInfo, path: str) -> Found | Refusal:
    if info.filename.lower().endswith((".zip", ".nii", ".nii.gz")):
        kind = "NIfTI volume" if is_nifti(info.filename) else "zip"
        return Refusal(
            path, f"it is a {kind} inside a zip; unpack the outer zip and give the folder"
        )
    if _is_bomb(info.file_size, info.compress_size):
        return Refusal(path, f"it {_BOMB.format(size=info.file_size / 2**30)}")
    try:
        return Found(Place(file, Member.of(info)), path)
    except RefusedError as refused:
        return Refusal(path, str(refused))


def _is_bomb(unfolded: int, packed: int) -> bool:
    return unfolded > _SUSPECT_BYTES and unfolded > _SUSPECT_RATIO * packed
