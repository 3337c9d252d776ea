"""The bundle's hash: what calls the migration again."""

from pathlib import Path

from bundle_hash import bundle_hash


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return directory


def test_the_same_files_have_the_same_hash(tmp_path: Path) -> None:
    """R2.1: an unchanged bundle doesn't migrate again, wherever it lies."""
    files = {"index.mjs": "1", "lib/a.mjs": "2"}
    one, other = write(tmp_path / "one", files), write(tmp_path / "other", files)
    assert bundle_hash(one) == bundle_hash(other)


def test_content_names_and_borders_count(tmp_path: Path) -> None:
    """R2.1: an edit, a new name, or a byte moved from one file to the next is a change."""
    variants = [
        {"a": "12", "b": "3"}, {"a": "1", "b": "23"}, {"a": "12", "c": "3"}, {"a": "12"},
        {"a": "12", "d/b": "3"},
    ]  # fmt: skip
    hashes = {
        bundle_hash(write(tmp_path / str(index), files)) for index, files in enumerate(variants)
    }
    assert len(hashes) == len(variants)
