"""Names scans and jobs relative to the two folders that all workers share."""

from __future__ import annotations

import dataclasses

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The folders to which the paths in messages are relative, as the workers see them.

    Attributes:
        scans: the scan root.
        results: the result root.
    """

    scans: Place
    results: Place

    def below(self, root: Place, path: Place, option: str) -> str:
        """Return a path relative to one of the roots.

        Args:
            root: one of the two.
            path: the path.
            option: the option that sets the root, for the message.

        Raises:
            UsageProblem: the path lies outside.
        """
        try:
            return path.resolve().below(root.resolve())
        except ValueError as error:
            raise UsageProblem(
                f"{display_path(path)} is not below {display_path(root)}",
                f"The workers see nothing else: move it there, or set {option} for submit and workers alike.",
            ) from error
