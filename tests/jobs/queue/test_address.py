"""Passwords of brokers stand in files or in the environment, and in one place only."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lettermill.jobs.queue.address import take_password


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LETTERMILL_BROKER_PASSWORD", "LETTERMILL_BROKER_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)


def address(*arguments: str, **environment: str) -> Result:
    """Print the address that an option --broker gives, or the error's text."""

    @click.command()
    @click.option("--broker", callback=take_password, envvar="LETTERMILL_BROKER")
    def command(broker: str | None) -> None:
        click.echo(broker)

    return CliRunner().invoke(command, arguments, env=environment)


def test_an_address_without_a_password_stays_as_it_is() -> None:
    assert address("--broker", "redis://host:1/0").output == "redis://host:1/0\n"
    assert address().output.strip() == ""


def test_a_password_from_a_file_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a/b@c:d\nanother line\n")
    given = {"LETTERMILL_BROKER_PASSWORD_FILE": str(tmp_path / "password")}
    assert address("--broker", "redis://me@host:1/0", **given).output == "redis://me:a%2Fb%40c%3Ad@host:1/0\n"
    assert address("--broker", "rediss://host:1/0", **given).output == "rediss://:a%2Fb%40c%3Ad@host:1/0\n"
    # A socket is guarded by its file's mode.
    assert address("--broker", "redis+socket:///a", **given).output == "redis+socket:///a\n"


def test_a_password_on_the_command_line_is_refused() -> None:
    refused = address("--broker", "redis://me:secret@host:1/0")
    assert "every user of this machine can read command lines" in str(refused.exception)
    assert "secret" not in str(refused.exception)
    from_environment = address(LETTERMILL_BROKER="redis://me:secret@host:1/0")
    assert from_environment.output == "redis://me:secret@host:1/0\n"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"\xff\xfe")
    given = {"LETTERMILL_BROKER_PASSWORD_FILE": str(tmp_path / "password")}
    assert "it is no text" in str(address("--broker", "redis://host:1/0", **given).exception)
