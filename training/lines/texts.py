"""Makes up what people write into fields: words, names, numbers, dates, amounts, codes, random characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lettermill.jobs.settings import DIGITS, LETTERS

_LETTERS, _DIGITS = list(LETTERS), list(DIGITS)
_VOWELS = list("AEIOU") + list("AEIO") + ["Y"]


_SIGN_SHARE = 0.15
"""Share of the texts with a sign that is no character of the network."""


def draw_text(words: Sequence[str], rng: np.random.Generator) -> str:
    """Make up a text of 1 to about 20 characters, with single spaces, at times with signs around or in it.

    Args:
        words: real words in capitals, a fifth of the texts; may be empty.
        rng: the only source of randomness.
    """
    text = _plain_text(words, rng)
    return _with_signs(text, rng) if rng.random() < _SIGN_SHARE else text


def _with_signs(text: str, rng: np.random.Generator) -> str:
    """Add signs where people write them: (408) 974-8980, $12.50, 20 %, NAME: SMITH, WHY?"""
    kind = rng.random()
    first, space, rest = text.partition(" ")
    if kind < 0.45:
        if not rest and len(text) > 5 and rng.random() < 0.6:
            first, rest = text[:3], text[3:]
        return f"({first}){space}{rest}"
    if kind < 0.65:
        return str(rng.choice(list('$#+=&"'))) + str(rng.choice(["", " "])) + text
    if kind < 0.88:
        return text + str(rng.choice(["", " "])) + str(rng.choice(list('!?%:;=")')))
    at = int(rng.integers(len(text) + 1))
    return text[:at] + str(rng.choice(list(":;+=&"))) + text[at:]


def _plain_text(words: Sequence[str], rng: np.random.Generator) -> str:
    """Make up a text of 1 to about 20 characters, with single spaces.

    Most texts say nothing, so that the network learns the ink and not a language.

    Args:
        words: real words in capitals, a fifth of the texts; may be empty.
        rng: the only source of randomness.
    """
    kind = rng.random()
    if kind < 0.20 and words:
        count = int(rng.choice([1, 1, 1, 2, 2, 3]))
        joint = str(rng.choice([" ", " ", " ", "-", "'", ". "]))
        return joint.join(str(words[int(rng.integers(len(words)))]) for _ in range(count))[:22]
    if kind < 0.38:
        return _random(_LETTERS, _length(rng), rng)
    if kind < 0.48:
        return " ".join(_syllables(rng) for _ in range(int(rng.choice([1, 1, 2]))))
    if kind < 0.73:
        return _number(rng)
    if kind < 0.92:
        return _punctuated(rng)
    return _random(_LETTERS + _DIGITS, _length(rng), rng)


def _length(rng: np.random.Generator) -> int:
    return int(np.clip(rng.gamma(3.2, 2.1), 1, 18))


def _random(characters: Sequence[str], length: int, rng: np.random.Generator) -> str:
    text = "".join(rng.choice(characters, length))
    if length > 4 and rng.random() < 0.25:
        at = int(rng.integers(1, length - 1))
        text = text[:at] + " " + text[at:]
    if rng.random() < 0.12:  # The same character again and again.
        at = int(rng.integers(length))
        text = text.replace(" ", "")
        text = text[:at] + text[at : at + 1] * int(rng.integers(1, 4)) + text[at:]
    return text


def _syllables(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(int(rng.integers(1, 5))):
        parts += [str(rng.choice(_LETTERS)) if rng.random() < 0.9 else "", str(rng.choice(_VOWELS))]
        if rng.random() < 0.4:
            parts.append(str(rng.choice(_LETTERS)))
    return "".join(parts)


def _number(rng: np.random.Generator) -> str:
    length = int(np.clip(rng.gamma(3, 1.7), 1, 14))
    text = "".join(rng.choice(_DIGITS, length))
    if rng.random() < 0.3:  # Narrow digits are the hardest to find.
        text = "".join("1" if rng.random() < 0.35 else one for one in text)
    if rng.random() < 0.3:
        zeros = int(rng.integers(1, 5))
        text = text[: max(1, length - zeros)] + "0" * zeros
    return text


def _punctuated(rng: np.random.Generator) -> str:
    """Make up a date, an amount, a code, a phone number, an abbreviation."""

    def digits(count: int) -> str:
        return "".join(rng.choice(_DIGITS, count))

    def letters(count: int) -> str:
        return "".join(rng.choice(_LETTERS, count))

    kind = int(rng.integers(8))
    if kind == 0:
        joint = str(rng.choice(list("//-. ")))
        parts = [f"{rng.integers(1, 32):02}", f"{rng.integers(1, 13):02}", digits(int(rng.choice([2, 4])))]
        return joint.join(parts)
    if kind == 1:
        joint = str(rng.choice([".", ","]))
        other = "," if joint == "." else "."
        whole = f"{rng.integers(1, 10 ** int(rng.integers(1, 7))):,}"
        whole = whole.replace(",", other if rng.random() < 0.5 else "")
        return f"{whole}{joint}{digits(2)}"
    if kind == 2:
        joint = str(rng.choice(["-", " ", "", "/"]))
        return joint.join([letters(int(rng.integers(1, 4))), digits(int(rng.integers(2, 7)))])
    if kind == 3:
        joint = str(rng.choice(list("- .")))
        return joint.join(digits(int(rng.choice([2, 3, 4]))) for _ in range(int(rng.integers(2, 5))))
    if kind == 4:
        return "".join(letters(1) + "." for _ in range(int(rng.integers(1, 4))))
    if kind == 5:
        return f"{digits(int(rng.integers(1, 3)))}/{digits(int(rng.integers(1, 4)))}"
    if kind == 6:
        return f"{_syllables(rng)}{rng.choice(['-', chr(39)])}{_syllables(rng)}"
    return f"{letters(int(rng.integers(1, 6)))}{rng.choice(list('/-.,'))}{letters(int(rng.integers(1, 4)))}"
