"""Writes and reads the results of a job's pages: a reading, or the reason why there is none.

Which pages have a result is answered by the names in pages/ alone, so that a job of 200,000 pages answers at
once. Where two workers had the same page and one of them failed, the reading counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from lettermill.jobs.errors import ErrorCode, NotAJob
from lettermill.jobs.job.attempts import Attempts
from lettermill.jobs.records.readings import PageReading, from_bytes, to_bytes
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.parallel import in_order
from lettermill.jobs.storage.place import Place

FOLDER = "pages"

_FAILED = ".failed.json"
_READ = ".json"


@dataclasses.dataclass(frozen=True, slots=True)
class ResultIds:
    """The ids of the pages that have a result.

    Attributes:
        read: those with a reading.
        failed: those that failed.
    """

    read: set[str]
    failed: set[str]

    def __contains__(self, page_id: str) -> bool:
        return page_id in self.read or page_id in self.failed


class PageResults:
    """The results of one job's pages, one file per page.

    Args:
        job_folder: the job folder; the files lie in pages/ below it.
        attempts: the job's attempts; those at a page end with its result.
    """

    def __init__(self, job_folder: Place, attempts: Attempts) -> None:
        self._job_folder = job_folder
        self._attempts = attempts

    def path(self, page_id: str, *, failed: bool = False) -> Place:
        """Return where a page's reading is or will be, or the reason why it has none."""
        return self._job_folder / _name(page_id, failed)

    def has(self, page_id: str) -> bool:
        """Say whether a page has a reading or has failed."""
        return self.path(page_id).exists() or self.path(page_id, failed=True).exists()

    def having(self, ids: Iterable[str]) -> list[str]:
        """Return those of some pages that have a result."""
        checked = in_order(self.has, ids, self._job_folder.at_once)
        return [page_id for page_id, has_result in checked if has_result]

    def ids(self) -> ResultIds:
        """Return which pages have a result; opens none of them.

        Raises:
            NotAJob: the folder cannot be listed.
        """
        folder = self._job_folder / FOLDER
        read: set[str] = set()
        failed: set[str] = set()
        try:
            for name in folder.names():
                if name.endswith(_FAILED):
                    failed.add(name.removesuffix(_FAILED))
                elif name.endswith(_READ):
                    read.add(name.removesuffix(_READ))
        except OSError as error:
            raise NotAJob(
                f"cannot list the results in {display_path(folder)}: {error.strerror}",
                "Correct the folder's permissions, or check the disk.",
            ) from error
        return ResultIds(read, failed - read)

    def last_change(self) -> float | None:
        """Return when a page last got its result, in seconds since 1970; None if no page has one."""
        return (self._job_folder / FOLDER).last_change()

    def write(self, reading: PageReading) -> None:
        """Write a page's result atomically and forget its attempts.

        A failure is not written where another worker has read the page, and is deleted where one reads it
        later.

        Raises:
            ResultsNotWritable: the job folder cannot be written to.
        """
        page_id = reading.page_id
        path = self.path(page_id, failed=reading.failed)
        content = to_bytes(reading)
        try:
            self._job_folder.make_folder(f"{FOLDER}/{page_id[:2]}")
            if not (reading.failed and self.path(page_id).exists()):
                path.write(content)
            if not reading.failed:
                self.path(page_id, failed=True).unlink(missing_ok=True)
            self._attempts.forget(page_id)
        except OSError as error:
            raise not_writable(path, error) from error

    def read(self, page_id: str) -> PageReading | None:
        """Read a page's result.

        Returns:
            The reading, or None where there is none yet.

        Raises:
            NotAJob: the file is damaged.
        """
        for failed in (False, True):
            name = _name(page_id, failed)
            try:
                reading = from_bytes(self._job_folder.read(name))
                if reading.page_id != page_id or reading.failed is not failed:
                    raise ValueError("it is the result of another page")
                return reading
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise NotAJob(
                    f"the result {display_path(self._job_folder / name)} is damaged: {error}",
                    "`lettermill resume` the job: it deletes the file and reads the page again.",
                ) from error
        return None

    def read_each(self, ids: Iterable[str]) -> Iterator[tuple[str, PageReading | NotAJob | None]]:
        """Read the results of some pages in their order; in an object store, several at once.

        Args:
            ids: the pages.

        Yields:
            Each page and its reading; None where there is none yet, the error where the file is damaged.
        """

        def read(page_id: str) -> PageReading | NotAJob | None:
            try:
                return self.read(page_id)
            except NotAJob as error:
                return error

        return in_order(read, ids, self._job_folder.at_once)

    def forget(self, page_id: str) -> None:
        """Delete a page's result, so that it is read again."""
        for failed in (False, True):
            self.path(page_id, failed=failed).unlink(missing_ok=True)

    def forget_unusable(self, *, failures: bool, codes: frozenset[ErrorCode]) -> int:
        """Delete damaged results, and others if wanted.

        Args:
            failures: pages that failed or are quarantined, too.
            codes: pages that failed with these error codes, too.

        Returns:
            How many were deleted.
        """
        forgotten = 0
        ids = self.ids()
        for page_id, reading in self.read_each(ids.read | ids.failed):
            if isinstance(reading, NotAJob) or (
                reading is not None and (reading.error_code in codes or (failures and reading.failed))
            ):
                self.forget(page_id)
                forgotten += 1
        return forgotten


def _name(page_id: str, failed: bool) -> str:
    return f"{FOLDER}/{page_id[:2]}/{page_id}{_FAILED if failed else _READ}"
