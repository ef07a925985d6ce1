"""Bounded reading of files that other programs own, and whole writing of our own.

Whatever lies at a path (nothing, a directory, a FIFO, a device, a terabyte),
reading it ends at once, locks nothing, writes nothing and holds at most
*limit* bytes. It does not interpret what it reads.

    FileError
    |-- FileMissing       nothing is there: often normal, see the caller
    |-- FileForbidden     something is there, but not for this user
    `-- FileUnusable      a directory, FIFO or device, larger than the limit, or an I/O error
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MAX_BYTES = 16 * 1024 * 1024
"""No file that ODP keeps in etc/ comes near this; a larger one is not read."""


_CHUNK_BYTES = 32 * 1024
"""A read allocates this much first, and most files, those of /proc above all, are small."""


class FileError(Exception):
    """A file could not be read; the message names it and says why."""


class FileMissing(FileError):
    """There is no such file."""


class FileForbidden(FileError):
    """The file is there, and this user may not read it."""


class FileUnusable(FileError):
    """What is there is not a regular file of a bearable size, or reading it failed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The bytes of a file together with what the kernel said of that very file."""

    content: bytes
    size: int
    """Size in bytes at the moment of reading; more than len(content) for a tail."""
    modified: float
    """mtime, in Unix seconds."""
    inode: int


def read(path: Path | str, *, limit: int = MAX_BYTES) -> Snapshot:
    """The whole of a regular file of at most *limit* bytes."""
    with _Opened(path) as opened:
        whole = opened.snapshot(0, limit + 1) if opened.size <= limit else None
        # Files of /proc say that they are empty, and others may grow meanwhile.
        if whole is None or len(whole.content) > limit:
            message = f"{path}: {max(opened.size, limit + 1)} bytes, more than the {limit} that are read"
            raise FileUnusable(message)
        return whole


def read_from(path: Path, offset: int, *, limit: int) -> Snapshot:
    """At most *limit* bytes that follow *offset*; a file that shrank below it gives none."""
    with _Opened(path) as opened:
        return opened.snapshot(offset, limit)


def read_tail(path: Path, *, limit: int) -> Snapshot:
    """The last *limit* bytes of a regular file of any size."""
    with _Opened(path) as opened:
        return opened.snapshot(max(0, opened.size - limit), limit)


def replace(path: Path, content: bytes) -> None:
    """Put *content* at *path*, of our own files, so that a crash leaves the former or the new one whole."""
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(new, content)
        new.replace(path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise _explained(path, error) from error


def _write(path: Path, content: bytes) -> None:
    # 0600: an OCP's URL may carry a password. O_NOFOLLOW: nobody else shall say where we write.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class _Opened:
    """A regular file, opened without waiting and without a lock."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer.
            self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            self._status = os.fstat(self._fd)
        except (OSError, ValueError) as error:
            self.__exit__()
            raise _explained(self._path, error) from error
        if not stat.S_ISREG(self._status.st_mode):
            self.__exit__()
            message = f"{self._path}: not a regular file"
            raise FileUnusable(message)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def size(self) -> int:
        return self._status.st_size

    def snapshot(self, offset: int, limit: int) -> Snapshot:
        try:
            content = _pread_all(self._fd, offset, limit)
        except OSError as error:
            raise _explained(self._path, error) from error
        status = self._status
        return Snapshot(content, max(status.st_size, len(content)), status.st_mtime, status.st_ino)


def _pread_all(fd: int, offset: int, limit: int) -> bytes:
    parts = []
    while limit > 0 and (part := os.pread(fd, min(limit, _CHUNK_BYTES), offset)):
        parts.append(part)
        offset += len(part)
        limit -= len(part)
    return b"".join(parts)


def _explained(path: Path | str, error: OSError | ValueError) -> FileError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    message = f"{path}: {reason[0].lower()}{reason[1:]}"
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return FileMissing(message)
        case PermissionError():
            return FileForbidden(message)
        case _:
            return FileUnusable(message)
