"""The option `--data`."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from lettermill.training.commands.data_option import data_option


@click.command()
@data_option(required=True)
def listed(folders: tuple[Path, ...]) -> None:
    click.echo(" ".join(map(str, folders)))


def test_it_may_be_given_several_times_and_must_be_given_once() -> None:
    assert CliRunner().invoke(listed, ["--data", "one", "--data", "two"]).output == "one two\n"
    refused = CliRunner().invoke(listed, [])
    assert refused.exit_code == 2 and "--data" in refused.output


@click.command()
@data_option(required=False)
def optional(folders: tuple[Path, ...]) -> None:
    click.echo(len(folders))


def test_a_command_that_can_do_without_it_says_so() -> None:
    assert CliRunner().invoke(optional, []).output == "0\n"
