"""What lies in a folder that others may just be making."""

from pathlib import Path
from typing import Any

from pyarrow.fs import FileInfo, FileSelector, LocalFileSystem

from bigdebug.lineage.store.folders import entries


class MadeMeanwhile:
    """A filesystem in which somebody makes a folder just when it isn't found."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_file_info(self, selector: FileSelector) -> list[FileInfo]:
        found: Any = LocalFileSystem().get_file_info(FileSelector(selector.base_dir, allow_not_found=True))
        if not self._folder.exists():
            self._folder.mkdir()
            raise FileNotFoundError(selector.base_dir)
        return list(found)


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").touch()
    filesystem = LocalFileSystem()
    assert [each.base_name for each in entries(filesystem, str(tmp_path))] == ["a"]
    assert {each.base_name for each in entries(filesystem, str(tmp_path), recursive=True)} == {"a", "b.txt"}
    assert entries(filesystem, str(tmp_path / "none")) == []


def test_a_folder_that_is_made_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    filesystem = MadeMeanwhile(folder)
    assert entries(filesystem, str(folder)) == []
    (folder / "0.arrow").touch()
    assert [each.base_name for each in entries(filesystem, str(folder))] == ["0.arrow"]
