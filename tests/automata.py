"""What the automaton of a field's pattern accepts."""

from __future__ import annotations

from lettermill.jobs.inputs.pattern import Automaton


def accepts(automaton: Automaton, text: str) -> bool:
    """Whether a text is allowed."""
    state = 0
    for character in text:
        if character not in automaton.moves[state]:
            return False
        state = automaton.moves[state][character]
    return automaton.accepting[state]
