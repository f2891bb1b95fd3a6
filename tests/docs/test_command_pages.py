"""docs/commands/ holds the help of every command, word for word; run this file to write it anew."""

from __future__ import annotations

import click
import pytest

from lettermill import cli
from tests.support import ROOT

FOLDER = ROOT / "docs" / "commands"


def page(name: str) -> str:
    """Return the page of a command."""
    command = cli.lettermill.get_command(click.Context(cli.lettermill), name)
    assert command is not None
    group = click.Context(cli.lettermill, info_name="lettermill", **cli.lettermill.context_settings)
    text = f"# lettermill {name}\n\n```\n{_help(command, name, group)}\n```\n"
    if isinstance(command, click.Group):
        parent = click.Context(command, parent=group, info_name=name)
        for below, one in command.commands.items():
            text += f"\n## lettermill {name} {below}\n\n```\n{_help(one, below, parent)}\n```\n"
    return text


def _help(command: click.Command, name: str, parent: click.Context) -> str:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=100, max_content_width=100)
    return command.get_help(context)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_page_is_what_the_command_says(name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == page(name)


def test_there_are_no_pages_of_commands_that_are_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(cli.COMMANDS)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for command in cli.COMMANDS:
        (FOLDER / f"{command}.md").write_text(page(command), encoding="utf-8")
