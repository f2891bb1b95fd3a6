"""Fill HTML templates: all text is escaped, and nothing in a name can hide."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from lettermill.jobs.storage.display import display_path

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(package: str) -> Environment:
    """Return the Jinja environment of a package's templates.

    All text is escaped, and an unknown name in a template is an error. Besides Jinja's own filters there are
    `display_path`, `visible`, `thousands` ("1,200"), `percent` ("61.0%") and `moment` (a time in UTC).

    Args:
        package: the importable package that has a folder `templates`.
    """
    import jinja2

    jinja = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(
        display_path=display_path,
        visible=visible,
        thousands="{:,}".format,
        percent=_percent,
        moment=_moment,
    )
    return jinja


def visible(text: str) -> str:
    r"""Return text in which nothing hides: line breaks, controls and direction marks show as \n or \u202e."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _moment(iso: str) -> str:
    return dt.datetime.fromisoformat(iso).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
