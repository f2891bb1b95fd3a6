"""Letters that other processes which review the same job have before somebody: a small file of each."""

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
    """Letters before a person.

    Attributes:
        until: when they are free again, seconds since 1970: other machines have no other clock in common.
        letters: what they are known by in the corrections.
    """

    until: float
    letters: tuple[Key, ...]


_decoder = msgspec.json.Decoder(tuple[Held, ...])


class Others:
    """What is before whom in other processes. Nothing depends on it but that people do the same work twice.

    Args:
        job: a job on disk.
    """

    def __init__(self, job: Job) -> None:
        self._folder = Disk(str(job.path))
        self._own = self._folder / f"{_PREFIX}{secrets.token_hex(8)}.json"

    def tell(self, held: Sequence[Held]) -> None:
        """Tell the others what is before people here.

        Raises:
            ResultsNotWritable: the job folder does not take it.
        """
        self._own.write(msgspec.json.encode(held))

    def held(self) -> set[Key]:
        """Return the letters that are before people elsewhere; what a killed process left is deleted in time.

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
            except FileNotFoundError:  # It has just ended.
                continue
            except msgspec.MsgspecError as error:
                raise NotAJob(
                    f"{display_path(path)} is damaged",
                    "Delete it: it only says which letters are before whom.",
                ) from error
            if not theirs:
                path.unlink(missing_ok=True)
            keys.update(key for one in theirs for key in one.letters)
        return keys

    def close(self) -> None:
        """Give all back."""
        self._own.unlink(missing_ok=True)
