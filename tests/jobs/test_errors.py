"""Errors say what happened and what to do, and survive being written down."""

from __future__ import annotations

import pickle
import re

import msgspec
import pytest

from lettermill.jobs import errors
from lettermill.jobs.errors import ErrorCode, ExitStatus, LettermillError, ScanError, UsageProblem


def test_an_error_is_said_in_two_lines() -> None:
    assert str(UsageProblem("that cannot be", "Do it otherwise.")) == "that cannot be\nDo it otherwise."
    assert str(UsageProblem("that cannot be")) == "that cannot be"


def test_the_tree_at_the_top_of_the_module_is_the_classes() -> None:
    assert errors.__doc__
    tree = dict(re.findall(r"^[├└]── (\w+) +(\d+) ", errors.__doc__, re.M))
    classes = {kind.__name__: str(kind.exit_status.value) for kind in LettermillError.__subclasses__()}
    assert tree == classes
    assert len(set(classes.values())) == len(classes)


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_says_what_it_means_and_what_to_do(code: ErrorCode) -> None:
    assert code == code.name == code.value
    assert ErrorCode(code.value) is code
    for sentence in (code.meaning, code.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


def test_codes_are_written_as_their_names() -> None:
    code = ErrorCode.EMPTY_FILE
    assert msgspec.json.encode(code) == b'"EMPTY_FILE"'
    assert msgspec.json.decode(b'"EMPTY_FILE"', type=ErrorCode) is code
    assert pickle.loads(pickle.dumps(code)) is code
    assert f"{code}" == "EMPTY_FILE"


def test_a_page_whose_code_says_what_to_do() -> None:
    error = ScanError.with_remedy(ErrorCode.EMPTY_FILE, "the file is empty (0 bytes)")
    assert (error.code, error.message) == (
        ErrorCode.EMPTY_FILE,
        "the file is empty (0 bytes): scan the page again",
    )


def test_an_exit_status_ends_a_process_as_its_number() -> None:
    with pytest.raises(SystemExit) as caught:
        raise SystemExit(ExitStatus.NOT_A_JOB)
    assert caught.value.code == 4
