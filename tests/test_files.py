"""A file is written whole or not at all."""

from pathlib import Path
from typing import BinaryIO

import pytest

from ctiqa.errors import WriteError
from ctiqa.files import write_whole


def full_disk(file: BinaryIO) -> None:
    file.write(b"half of it")
    raise OSError(28, "No space left on device")


def test_a_file_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    assert write_whole(path, b"content") == path
    assert path.read_bytes() == b"content"
    assert write_whole(path, lambda file: file.write(b"other")).read_bytes() == b"other"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"No space left on device, so nothing was written; free"):
        write_whole(tmp_path / "a.bin", full_disk)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.bin", b"older")
    with pytest.raises(WriteError):
        write_whole(path, full_disk)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    def interrupted(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    path = write_whole(tmp_path / "a.bin", b"older")
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupted)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_of_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(WriteError, match="nothing was written"):
        write_whole(tmp_path / "a" / "b", b"content")
