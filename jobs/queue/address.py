"""Adds the password to the broker's address: from a file or the environment, never the command line."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import click
from click.core import ParameterSource

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.storage.display import display_path

_PASSWORD = "LETTERMILL_BROKER_PASSWORD"
_PASSWORD_FILE = "LETTERMILL_BROKER_PASSWORD_FILE"

_MAX_CHARACTERS = 10_000
"""Of the file's first line."""


def take_password(context: click.Context, parameter: click.Parameter, broker: str | None) -> str | None:
    """Return a broker's address with its password; the callback of the option --broker.

    Args:
        context: tells whether the address comes from the command line.
        parameter: the option.
        broker: the address, if any.

    Raises:
        UsageProblem: a password is on the command line or in two places, or cannot be read.
    """
    if broker is None or broker.startswith("redis+socket:"):  # A socket is protected by its file's mode.
        return broker
    scheme, _, rest = broker.partition("//")
    user, _, host = rest.rpartition("@")
    if ":" in user:
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            raise UsageProblem(
                "--broker holds a password, and every user of this machine can read command lines (ps)",
                f"Leave it out and name a file that holds it in {_PASSWORD_FILE}, or set {_PASSWORD}. "
                "Others may have read it: change it.",
            )
        if _password() is not None:
            raise UsageProblem(
                f"the password is in LETTERMILL_BROKER and in {_PASSWORD_FILE} or {_PASSWORD}",
                "Leave it in one place.",
            )
        return broker
    password = _password()
    return broker if password is None else f"{scheme}//{user}:{quote(password, safe='')}@{host}"


def _password() -> str | None:
    path, password = os.environ.get(_PASSWORD_FILE), os.environ.get(_PASSWORD)
    if path and password:
        raise UsageProblem(f"both {_PASSWORD_FILE} and {_PASSWORD} are set", "Unset one of them.")
    if not path:
        return password or None
    try:
        with Path(path).open(encoding="utf-8") as file:
            first_line = file.readline(_MAX_CHARACTERS).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageProblem(
            f"cannot read the broker's password from {display_path(path)}: {reason}",
            f"Correct {_PASSWORD_FILE}, or let this user read the file.",
        ) from None
    if not first_line:
        raise UsageProblem(
            f"the first line of {display_path(path)} is empty", "Write the broker's password there."
        )
    return first_line
