# SPDX-License-Identifier: GPL-2.0
"""A cache of results on disk, and helpers that read and write files."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_RECORD = "record.json"


def key(*parts: str | bytes) -> str:
    """A hash of all parts. Different lists of parts get different keys."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()[:40]


def stamp(path: Path) -> str:
    """A file's size and time, which differ if it is another file. Raises OSError."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def digest(path: Path) -> str:
    """A hash of a file's content. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_list(path: Path) -> list[str]:
    """The lines of a file without comments; no lines if there is no such file."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return [line for line in (raw.split("#")[0].strip() for raw in text.splitlines()) if line]


class Archive:
    """A directory of results. Each result is a directory named after its key."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._added: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The directory of the result with this key, whether or not it exists."""
        return self._directory / name

    def find(self, name: str) -> dict[str, Any] | None:
        """The record of a result, or None if the result is missing or incomplete."""
        try:
            text = (self.path(name) / _RECORD).read_text(encoding="utf-8")
            found = json.loads(text)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def is_new(self, name: str) -> bool:
        """Whether this run added the result. False if an earlier run did."""
        return name in self._added

    def extend(self, name: str, file: str, text: str) -> None:
        """Add a file to a result. The result then counts as added by this run."""
        write_whole(self.path(name) / file, text)
        self._added.add(name)

    @contextlib.contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """Yield a directory to fill with a result. It is kept only if the block succeeds."""
        part = self._directory / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            yield part
            if (part / _RECORD).exists():
                shutil.rmtree(self.path(name), ignore_errors=True)
                part.rename(self.path(name))
                self._added.add(name)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_record(directory: Path, record: dict[str, Any]) -> None:
    """Write the record that marks a result as complete."""
    write_whole(directory / _RECORD, json.dumps(record, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Replace a file atomically. After a power cut it has either the old or the new content."""
    half = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(half, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def replace_directory(new: Path, old: Path) -> None:
    """Move a complete directory into the place of an older one."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)
