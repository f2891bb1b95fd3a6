"""Share which letters are on screen with other review processes; each keeps them in a small file."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import msgspec

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.corrections import Key
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path

_PREFIX = "reviewing-"


class Held(msgspec.Struct, frozen=True):
    """Letters on screen in one tab.

    Attributes:
        until: when they are free again, seconds since 1970, the clock that all machines share.
        letters: their keys in the corrections.
    """

    until: float
    letters: tuple[Key, ...]


_decoder = msgspec.json.Decoder(tuple[Held, ...])


class Presence:
    """Letters on screen in other processes. Without it, two people might review the same letter.

    Args:
        job: a job on disk.
    """

    def __init__(self, job: Job) -> None:
        self._folder = Disk(str(job.path))
        self._own = self._folder / f"{_PREFIX}{secrets.token_hex(8)}.json"

    def announce(self, held: Sequence[Held]) -> None:
        """Tell other processes which letters are on screen here.

        Raises:
            ResultsNotWritable: the job folder does not take the file.
        """
        self._own.write(msgspec.json.encode(held))

    def held(self) -> set[Key]:
        """Return the letters on screen elsewhere, and delete files of killed processes that have expired.

        Raises:
            NotAJob: a file is damaged.
        """
        now = time.time()
        keys: set[Key] = set()
        for path in self._folder.glob(f"{_PREFIX}*.json"):
            if path == self._own:
                continue
            try:
                theirs = [one for one in _decoder.decode(path.read_bytes()) if one.until > now]
            except FileNotFoundError:  # That process has just ended.
                continue
            except msgspec.MsgspecError as error:
                raise NotAJob(
                    f"{display_path(path)} is damaged",
                    "Delete it: it only says which letters are on screen.",
                ) from error
            if not theirs:
                path.unlink(missing_ok=True)
            keys.update(key for one in theirs for key in one.letters)
        return keys

    def close(self) -> None:
        """Release all letters of this process."""
        self._own.unlink(missing_ok=True)
