"""Reading from Python: what a page has, what is refused, and what is loaded and started for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lettermill
from lettermill.jobs.errors import BadData, ErrorCode, UsageProblem
from tests.support import LETTERMILL, ROOT, Command, draw

SCANS = ROOT / "examples" / "scans"
CARD = SCANS / "index-card.png"
FORM = ROOT / "examples" / "form"


@pytest.fixture(scope="module")
def card() -> lettermill.Page:
    return lettermill.read(CARD)


def test_a_page_has_lines_words_and_letters(card: lettermill.Page) -> None:
    assert str(card) == card.text == "MOSS AND LICHEN\nFOUND BY THE QUAY\nOLD STONE JETTY"
    assert [word.text for word in card.words] == card.text.split()
    assert "".join(letter.letter for letter in card.letters) == "".join(card.text.split())
    assert (card.scan, card.number, card.fields) == (str(CARD), 1, {})
    with Image.open(CARD) as image:
        assert (card.width, card.height) == image.size
    for line in card.lines:
        assert line.letters == tuple(letter for word in line.words for letter in word.letters)
        for whole in (line, *line.words):
            sure = [letter.confidence for letter in whole.letters]
            assert whole.confidence == pytest.approx(sum(sure) / len(sure))
    for word in card.words:
        box = word.box
        assert box.x == min(letter.box.x for letter in word.letters)
        assert box.y + box.height == max(letter.box.y + letter.box.height for letter in word.letters)


def test_a_page_reads_as_in_a_job(lettermill_results: lettermill.Results, card: lettermill.Page) -> None:
    pages = {(page.scan, page.number): page for page in lettermill_results.pages()}
    assert len(pages) == 8  # One of the nine cannot be read.
    found = pages["index-card.png", 1]
    assert (found.lines, found.quality, found.width) == (card.lines, card.quality, card.width)
    assert pages["letter.pdf", 2].text == lettermill.read(SCANS / "letter.pdf", page=2).text


@pytest.fixture(scope="module")
def lettermill_results(tmp_path_factory: pytest.TempPathFactory) -> lettermill.Results:
    return lettermill.run(SCANS, out=tmp_path_factory.mktemp("results"), name="examples", workers=1)


def test_run_makes_the_job_of_the_command_line(
    lettermill_results: lettermill.Results, tmp_path: Path
) -> None:
    path = lettermill_results.path
    assert isinstance(path, Path)
    assert (path / "summary.html").is_file()
    assert (path.parent / "latest").resolve() == path
    before = sorted((path / "pages").rglob("*.json"))
    again = lettermill.run(SCANS, out=path.parent, name="examples", workers=1)
    assert again == lettermill_results
    assert sorted((path / "pages").rglob("*.json")) == before
    words = ["run", SCANS, "--out", path.parent, "--name", "examples"]
    done = subprocess.run([*LETTERMILL, *words], capture_output=True, text=True, check=False)
    assert "9 pages, 9 of them read before" in done.stderr


def test_tables_of_a_job(lettermill_results: lettermill.Results) -> None:
    pages = lettermill_results.to_dataframe("pages")
    assert list(pages.status).count("DONE") == 8
    (failed,) = pages[pages.status == "FAILED"].itertuples()
    assert (failed.scan, failed.error_code, failed.letters) == ("water-damage.png", "TRUNCATED", 0)
    letters = lettermill_results.to_dataframe()
    assert len(letters) == pages.letters.sum()
    assert letters.confidence.between(0, 1).all()
    assert set(letters.flagged) <= {0, 1}
    assert len(lettermill_results.to_dataframe("lines")) == pages.lines.sum()
    with pytest.raises(FileNotFoundError):
        lettermill_results.to_dataframe("fields")


def test_tables_of_a_page(card: lettermill.Page) -> None:
    letters, words, lines = (card.to_dataframe(rows) for rows in ("letters", "words", "lines"))
    assert (len(letters), len(words), len(lines)) == (len(card.letters), 10, 3)
    assert list(lines.text) == card.text.splitlines()
    assert tuple(words.loc[1, ["line", "word", "text"]]) == (1, 2, "AND")
    assert tuple(letters.loc[0, ["x", "y", "width", "height"]]) == tuple(
        getattr(card.letters[0].box, side) for side in ("x", "y", "width", "height")
    )
    empty = lettermill.read(np.full((200, 300), 255, np.uint8))
    assert empty.text == ""
    for rows, table in (("letters", letters), ("words", words), ("lines", lines)):
        assert list(empty.to_dataframe(rows).columns) == list(table.columns)  # type: ignore[arg-type]


def test_arrays_read_as_files_do(card: lettermill.Page) -> None:
    with Image.open(CARD) as image:
        grey, colours = np.asarray(image.convert("L")), np.asarray(image.convert("RGB"))
    for pixels in (grey, colours):
        found = lettermill.read(pixels)
        assert (found.lines, found.scan) == (card.lines, "")


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((40, 60), np.float32), TypeError),
        (np.zeros((40, 60), bool), TypeError),
        (np.zeros((40, 60, 4), np.uint8), ValueError),
        (np.zeros((0, 60), np.uint8), ValueError),
        (np.zeros(60, np.uint8), ValueError),
    ],
)
def test_arrays_that_are_no_images(pixels: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error, match="an image must be"):
        lettermill.read(pixels)


def test_pages_of_a_document() -> None:
    pages = list(lettermill.read_pages(SCANS / "letter.pdf"))
    assert [page.number for page in pages] == [1, 2]
    assert pages[1] == lettermill.read(SCANS / "letter.pdf", page=2)
    assert [page.number for page in lettermill.read_pages(SCANS / "ledger.tif")] == [1, 2, 3]
    assert len(list(lettermill.read_pages(CARD))) == 1


def test_options_are_those_of_the_command_line(tmp_path: Path) -> None:
    digits = ROOT / "examples" / "digits" / "meter readings.png"
    assert lettermill.read(digits, alphabet="digits").text.replace(" ", "").replace("\n", "").isdigit()
    (scan,) = (FORM / "scans").rglob("askew.jpg")
    assert lettermill.read(scan, template=FORM / "form.toml").fields["surname"] == "VEXTON"
    (tmp_path / "words.txt").write_text("LICHEN\nMOSS\n")
    assert "LICHEN" in lettermill.read(CARD, lexicon=tmp_path / "words.txt").lines[0].lexicon_text


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(lettermill.ScanError, match="cut off") as damaged:
        lettermill.read(SCANS / "water-damage.png")
    assert damaged.value.code is ErrorCode.TRUNCATED
    with pytest.raises(lettermill.ScanError) as beyond:
        lettermill.read(SCANS / "letter.pdf", page=3)
    assert beyond.value.code is ErrorCode.NO_SUCH_PAGE
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        lettermill.read(tmp_path / "nowhere.png")
    with pytest.raises(lettermill.ScanError) as large:
        lettermill.read(CARD, max_megapixels=0.01)
    assert large.value.code is ErrorCode.TOO_MANY_PIXELS


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="greek"):
        lettermill.read(CARD, alphabet="greek")  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="colour"):
        lettermill.read(CARD, colour=1)  # type: ignore[call-arg]
    with pytest.raises(UsageProblem, match="alphabet cannot be used with a template"):
        lettermill.read(CARD, template=FORM / "form.toml", alphabet="digits")
    with pytest.raises(BadData, match="is an image, not a template"):
        lettermill.read(CARD, template=CARD)
    assert issubclass(BadData, lettermill.LettermillError)


def test_the_package_has_what_it_names_and_no_more() -> None:
    for name in lettermill.__all__:
        assert getattr(lettermill, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'writ'"):
        _ = lettermill.writ  # type: ignore[attr-defined]


QUIET = """
import os, sys
started = []
sys.addaudithook(lambda event, _: started.append(event) if event in (
    "subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec") else None)
import lettermill
assert "lettermill.api" not in sys.modules  # The command line starts without it.
page = lettermill.read(sys.argv[1], alphabet="alnum")
assert page.text == "HELLO"
assert not started, started
loaded = {"click", "rich", "pandas", "celery", "redis", "matplotlib", "tensorflow"} & set(sys.modules)
assert not loaded, loaded
page.to_dataframe()
assert "pandas" in sys.modules
"""


def test_one_page_loads_no_command_line_and_starts_no_process(tmp_path: Path) -> None:
    scan = draw(tmp_path / "scan.png", ["HELLO"])
    done = subprocess.run([sys.executable, "-c", QUIET, scan], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_is_read_without_a_module_of_commands(tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "scan.png", ["HELLO"])
    code = (
        "import sys, lettermill\n"
        "(page,) = lettermill.run('scans', workers=1).pages()\n"
        "assert page.text == 'HELLO'\n"
        "ours = [name for name in sys.modules if name.startswith('lettermill.')]\n"
        "assert not [name for name in ours if '.commands' in name or name == 'lettermill.cli'], ours\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_the_command_line_and_python_find_the_same_job(lettermill: Command, tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "scan.png", ["HELLO"])
    lettermill("run", "scans", "--alphabet", "auto")
    code = "import lettermill; print(lettermill.run('scans', alphabet='auto').path)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (job,) = (tmp_path / "results").glob("*-*")
    assert done.stdout.strip() == str(job)
