"""What nobody is to look at: a share of letters, or of fields, that is to be right."""

from __future__ import annotations

import dataclasses

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Acceptance:
    """What nobody is to look at.

    Attributes:
        rate: how much of it is to be right, 0–1.
        by_field: whether that is the share of fields in which all letters are right, or the share of letters.
    """

    rate: float
    by_field: bool = False

    @property
    def option(self) -> str:
        """The option that says so."""
        return "--accept-fields-at" if self.by_field else "--accept-at"

    def check(self, settings: Settings) -> None:
        """Check that jobs of some settings have what is to be accepted.

        Raises:
            UsageProblem: they have no fields.
        """
        if self.by_field and not settings.has_fields:
            raise UsageProblem(
                "--accept-fields-at needs fields: --template, or images of one line with --layout line",
                "Use --accept-at: it accepts letters of any page.",
            )
