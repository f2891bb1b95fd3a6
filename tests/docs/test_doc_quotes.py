"""What doc pages quote is what the code has: numbers, options, columns, codes, statuses, modules, links.

A number that is a constant of the code has its name in an HTML comment right behind it:

    a component is doubtful below 0.75<!-- worker.reading.read_lines.DOUBTFUL_BELOW_PROBABILITY -->

The name is that of a module below `lettermill`, then the constant; `[0]` takes one of several. A class is
called without arguments: `jobs.settings.Settings.flag_below` is a default. The comment does not show on the
page. A percentage quotes a share: `70<!-- segmentation.columns.LINED_UP_SHARE --> %`. After a rename, change
the comment: `grep -rn '<!-- [a-z]*[.]' docs` lists them all.
"""

from __future__ import annotations

import ast
import functools
import importlib
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lettermill import cli
from lettermill.jobs.export.formats import FORMATS
from tests.support import ROOT

# Generated word for word from the commands, and held by test_command_pages.py.
GENERATED = ROOT / "docs" / "commands"

# What was tried and measured at the time: names in it are those of that time.
HISTORY = {ROOT / "docs" / "experiments.md", ROOT / "docs" / "decisions" / "0006-which-runtime.md"}

PAGES = sorted(
    path
    for path in (
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "examples" / "README.md",
        *ROOT.glob("docs/**/*.md"),
    )
    if GENERATED not in path.parents
)

# Pages that quote thresholds of the code; each has at least this many marked ones.
QUOTING = {
    "segmentation.md": 60,
    "flagging.md": 3,
    "forms.md": 8,
    "scale.md": 2,
    "operations.md": 20,
    "lexicon.md": 10,
    "containers.md": 1,
    "review.md": 3,
    "security.md": 3,
}

QUOTE = re.compile(
    r"(?P<number>[-−]?\d[\d,]*(?:\.\d+)?(?:/\d+)?)<!-- (?P<name>[\w.]+(?:\[\d+\])?) -->(?P<percent>\s?%)?"
)
MARK = re.compile(r"<!-- ((?:jobs|worker|training|segmentation)\.[\w.]+)(?:\[\d+\])? -->")

# Options of other programs that pages show.
FOREIGN_OPTIONS = {
    *(
        "--build-arg",
        "--constraint",
        "--data-binary",
        "--detach",
        "--fail",
        "--follow",
        "--from-file",
        "--header",
        "--install",
        "--json",
    ),
    *(
        "--max-time",
        "--no-recreate",
        "--now",
        "--prefix",
        "--profile",
        "--recursive",
        "--replicas",
        "--retry",
        "--rm",
    ),
    *("--scale", "--show-error", "--silent", "--target", "--time", "--user", "--volumes"),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def tracked() -> frozenset[str]:
    """Return every file of the repository, untracked new ones too, and every folder above one."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    folders = {str(above) for file in files for above in Path(file).parents}
    return frozenset(files) | frozenset(folders)


def value_of(name: str) -> Any:
    """Return a constant by its name below `lettermill`.

    Raises:
        LookupError: there is no such module or constant.
    """
    name, _, index = name.rstrip("]").partition("[")
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(["lettermill", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if isinstance(value, type):
                value = value()
            if not hasattr(value, part):
                raise LookupError(f"{name}: there is no {part}")
            value = getattr(value, part)
        return value[int(index)] if index else value
    raise LookupError(f"{name}: there is no such module")


def quoted(number: str, percent: str | None) -> float:
    plain = number.replace(",", "").replace("−", "-")
    return float(Fraction(plain)) / (100 if percent else 1)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_quoted_thresholds_are_those_of_the_code(path: Path) -> None:
    text = text_of(path)
    wrong = []
    marks = 0
    for quote in QUOTE.finditer(text):
        marks += 1
        try:
            value = float(value_of(quote["name"]))
        except (LookupError, TypeError) as error:
            wrong.append(str(error))
            continue
        if not math.isclose(quoted(quote["number"], quote["percent"]), value, rel_tol=1e-9):
            wrong.append(
                f"{quote['name']} is {value}, the page says {quote['number']}{quote['percent'] or ''}"
            )
    assert not wrong, "\n".join(wrong)
    assert marks == len(MARK.findall(text)), "a comment names a constant and has no number right before it"
    if path.parent == ROOT / "docs":
        assert marks >= QUOTING.get(path.name, 0)


def options_of(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from options_of(below)


@functools.cache
def known_options() -> frozenset[str]:
    context = click.Context(cli.lettermill)
    commands = [cli.lettermill.get_command(context, name) for name in cli.COMMANDS]
    own = {option for command in commands if command for option in options_of(command)}
    return frozenset(own | {"--help", "--version"})


@functools.cache
def bench_options() -> frozenset[str]:
    """Return the options that a script of bench/, examples/ or training/ names in its text."""
    files = [
        file
        for file in tracked()
        if file.startswith(("bench/", "examples/", "training/")) and file.endswith(".py")
    ]
    return frozenset(
        option for file in files for option in re.findall(r'"(--[a-z][\w-]*)"', text_of(ROOT / file))
    )


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_every_option_exists(path: Path) -> None:
    shown = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text_of(path)))
    assert shown <= known_options() | bench_options() | FOREIGN_OPTIONS


def test_no_option_is_excused_without_need() -> None:
    shown = {option for path in PAGES for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text_of(path))}
    needless = {option for option in FOREIGN_OPTIONS if option not in shown}
    assert not needless


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_command_exists(path: Path) -> None:
    shown = set(re.findall(r"`lettermill ([a-z]+)", text_of(path)))
    shown |= set(re.findall(r"^lettermill ([a-z]+)", text_of(path), re.MULTILINE))
    assert shown <= set(cli.COMMANDS)


# docs/output.md lists every code, column and exit status, and test_output_page.py and test_write.py compare
# that page with the code: so other pages are compared with it.
OUTPUT_PAGE = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")


def listed(heading: str) -> list[str]:
    """Return the first cells of a table of docs/output.md."""
    section = OUTPUT_PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]
    return re.findall(r"^\| `?([\w ]+)`? \|", section, re.MULTILINE)[1:]


CODES = {
    *listed("### Error codes"),
    *listed("### Quality codes"),
    *listed("### Status"),
    *re.findall(r"`([A-Z_]{5,})`:", OUTPUT_PAGE.split("## The CSV file of `lettermill predict`")[1]),
}

# Names in capitals with an underscore that are no codes of results: variables, parts of examples, constants.
OTHER_CAPITALS = re.compile(
    r"(LETTERMILL|AWS|COMPOSE|GF)_\w+|FIELD_N|JOB_ID|MODEL_DIR|OTHER_MODEL_DIR|OUR_\w+|OLD_WORKER|PASSWORD_FILE|"
    r"NAME_\w*|LC_\w+|\w+_(HEADER|SECONDS|FILE|LETTERS|DIR|PAGES)|(QUALITY_)?ADVICE|[A-Z]+_ORT"
)


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_every_code_exists(path: Path) -> None:
    shown = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text_of(path)))
    constants = {name.rpartition(".")[2] for name in MARK.findall(text_of(path))}
    unknown = {name for name in shown - CODES - constants if not OTHER_CAPITALS.fullmatch(name)}
    assert not {name for name in unknown if not is_constant(name)}


@functools.cache
def is_constant(name: str) -> bool:
    """Whether a module of the rooms or a test has a constant of this name."""
    rooms = ("jobs/", "segmentation/", "worker/", "training/", "tests/")
    files = [file for file in tracked() if file.startswith(rooms) and file.endswith(".py")]
    return any(re.search(rf"^\s*{name}\b.*=", text_of(ROOT / file), re.MULTILINE) for file in files)


COLUMNS = {
    column
    for table in (
        "letters.csv",
        "lines.csv",
        "pages.csv",
        "fields.csv",
        "The CSV file of `lettermill predict`",
    )
    for column in listed(f"## {table}")
}


def test_columns_that_the_readme_shows() -> None:
    shown = re.search(r"^scan,page,.*$", text_of(ROOT / "README.md"), re.MULTILINE)
    assert shown
    assert shown[0].split(",") == listed("## letters.csv")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_column_that_a_page_names_exists(path: Path) -> None:
    """A page says `the column X`, `columns X and Y`, or `X in letters.csv`."""
    text = text_of(path)
    shown = set(re.findall(r"columns? `([a-z_]+)`", text))
    shown |= set(re.findall(r"`([a-z_]+)` in (?:letters|lines|pages|fields)\.csv", text))
    assert shown <= COLUMNS


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_exit_status_exists(path: Path) -> None:
    known = set(map(int, listed("## Exit statuses")))
    shown = {int(number) for number in re.findall(r"(?:exit )?status (\d+)", text_of(path))}
    assert shown <= known


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_every_export_format_exists(path: Path) -> None:
    shown = set(re.findall(r"lettermill export \S+ --format ([\w|-]+)", text_of(path)))
    assert {one for each in shown for one in each.split("|")} <= set(FORMATS)


FILES = re.compile(
    r"(?<![\w/.:-])((?:jobs|worker|training|segmentation|lettermill|bench|tests|deploy|examples|docs)/[\w./-]*\w)"
)
MODULES = re.compile(
    r"\b(?:lettermill\.(?:jobs|worker|training|segmentation)|bench|examples|tests)(?:\.[a-z]\w*)+"
)
BARE = re.compile(r"`(\w+\.py)`")


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_every_file_and_module_exists(path: Path) -> None:
    text = re.sub(r"<!--.*?-->", "", text_of(path))
    missing = [file for file in FILES.findall(text) if not is_there(file)]
    for module in MODULES.findall(text):
        try:
            value_or_module(module)
        except LookupError:
            missing.append(module)
    names = {Path(file).name for file in tracked()}
    missing += [name for name in BARE.findall(text) if name not in names]
    assert not missing


def is_there(file: str) -> bool:
    """Whether the repository has a file or folder, by either of its paths (docs/decisions/0014)."""
    return file in tracked() or re.sub(r"^lettermill/(?=\w+/)", "", file) in tracked()


def value_or_module(dotted: str) -> None:
    """Raise LookupError if a dotted name is no file, no folder, and no name in the text of a module."""
    parts = dotted.removeprefix("lettermill.").split(".")
    for count in range(len(parts), 0, -1):
        where = "/".join(parts[:count])
        if where in tracked() and count == len(parts):
            return
        if f"{where}.py" in tracked():
            if count == len(parts) or re.search(rf"\b{parts[count]}\b", text_of(ROOT / f"{where}.py")):
                return
            break
    raise LookupError(dotted)


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_every_name_that_an_example_imports_exists(path: Path) -> None:
    missing = []
    for code in re.findall(r"^```python\n(.*?)^```", text_of(path), re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lettermill."):
                file = ROOT / f"{node.module.removeprefix('lettermill.').replace('.', '/')}.py"
                defined = {
                    one.name
                    for one in ast.parse(text_of(file)).body
                    if isinstance(one, ast.FunctionDef | ast.ClassDef)
                }
                missing += [name.name for name in node.names if name.name not in defined]
    assert not missing


def test_the_tree_of_the_architecture_is_that_of_the_repository() -> None:
    """Every module of the rooms has its place in the tree, and nothing in the tree is gone."""
    tree = text_of(ROOT / "docs" / "architecture.md").split("## The tree\n")[1].split("```")[1]
    shown: list[str] = []
    above = [""]
    for line in tree.splitlines():
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        names, _, meaning = line.strip().partition("  ")
        assert meaning.strip(), f"{names} has no line of its own"
        words = names.split()
        above = above[: depth + 1]
        shown += [f"{above[depth]}{word}".rstrip("/") for word in words]
        if words[-1].endswith("/"):
            above.append(f"{above[depth]}{words[-1]}")
    assert len(shown) == len(set(shown)), "twice in the tree"
    assert not sorted(set(shown) - tracked()), "in the tree and not in the repository"
    rooms = ("jobs/", "segmentation/", "worker/", "training/", "lettermill/")
    modules = {file for file in tracked() if file.startswith(rooms) and file.endswith(".py")}
    modules = {file for file in modules if not file.endswith("__init__.py")}
    assert not sorted(modules - set(shown)), "in the repository and not in the tree"


def test_the_keys_of_a_model_card() -> None:
    """The guide lists those that a reader needs, and all others that `lettermill train` writes."""
    section = text_of(ROOT / "docs" / "how-to-change.md").split("Required keys:")[1].split("```")[0]
    needed, others = section.split("All other keys")
    assert set(re.findall(r"^\| `(\w+)` \|", needed, re.MULTILINE)) == value_of(
        "jobs.inputs.model._REQUIRED_KEYS"
    )
    card = json.loads((ROOT / "worker" / "model" / "handprint.json").read_text())
    written = card.keys() - value_of("jobs.inputs.model._REQUIRED_KEYS")
    assert set(re.findall(r"`(\w+)`", others.partition(")")[0])) == written


def test_when_each_alarm_rings() -> None:
    """Every number in the table of alarms is one of the alarm's rule."""
    rules = {}
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]:
        rules |= {rule["alert"]: rule for rule in group["rules"]}
    text = text_of(ROOT / "docs" / "operations.md")
    rows = re.findall(r"^\| `(Lettermill\w+)` \| (\w+) \| (.*?) \| (.*?) \|", text, re.MULTILINE)
    assert {name for name, *_ in rows} == rules.keys()
    for name, severity, when, lasting in rows:
        rule = rules[name]
        assert (severity, lasting) == (rule["labels"]["severity"], rule.get("for", "–"))
        told = set(re.findall(r"\b\d[\d.]*(?:[mhd]\b)?", when))
        asked = set(re.findall(r"(?<=\[)\d+[mhd](?=\])|(?<=[<>] )\d[\d.]*", rule["expr"]))
        assert told == asked - {"0"}, name


LINKED = sorted({*PAGES, ROOT / "worker" / "model" / "README.md"})


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(
        r"^#+ (.*?)\s*$", re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL), re.MULTILINE
    ):
        plain = re.sub(r"[^\w -]", "", re.sub(r"<!--.*?-->", "", heading)).lower().replace(" ", "-")
        number, anchor = 0, plain
        while anchor in found:
            number += 1
            anchor = f"{plain}-{number}"
        found.add(anchor)
    return found


@pytest.mark.parametrize("path", LINKED, ids=name_of)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert not broken


def test_the_index_leads_to_every_page() -> None:
    links = re.findall(r"\]\(([^)#\s]+)", text_of(ROOT / "docs" / "index.md"))
    linked = {(ROOT / "docs" / link).resolve() for link in links}
    pages = {path for path in ROOT.glob("docs/**/*.md") if path.name != "index.md"}
    assert not sorted(name_of(path) for path in pages - linked)


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_prose_is_wrapped(path: Path) -> None:
    """Tables, code and pictures may be wider; comments do not count, for they do not show."""
    text = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL)
    wide = [line for line in text.splitlines() if len(re.sub(r"<!--.*?-->", "", line)) > 125]
    assert not [line for line in wide if not line.lstrip().startswith(("|", "![", "<!--"))]


PRIVATE = re.compile(
    r"\bso many\b|\b(?:is|are) told\b|\bstands? (?:in|for)\b|\bgo(?:es)? on\b|\bwhich is said\b|"
    r"\bthat are none\b|(?<!set )(?<!set it )\baside\b|\bwhatever\b|"
    r"\bsigns? of life\b|\bfurniture\b|\bvetted\b|"
    r"\b(?:a|one) (?:row|line|file|column|object|image|panel|PNG) a "
    r"(?:page|line|letter|scan|field|job|stage|word|class)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", [path for path in PAGES if path not in HISTORY], ids=name_of)
def test_plain_words(path: Path) -> None:
    """This project's own dialect is gone; the glossary, titles and texts of the code may have it."""
    text = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL).split("\n## Glossary\n")[0]
    lines = [
        line for line in text.splitlines() if not re.match(r"#|\| `[A-Z_]+` \||\| `lettermill_|\| \[00", line)
    ]
    assert not [line for line in lines if PRIVATE.search(re.sub(r"`[^`]*`|\]\([^)]*\)", "", line))]


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


def block(page: str, first: str) -> str:
    """Return what stands between the fences of a page in the block that begins with these words."""
    return next(each for each in text_of(ROOT / page).split("```") if each.lstrip().startswith(first))


def test_the_example_scans_give_what_the_pages_show(tmp_path: Path) -> None:
    """The numbers, at least: the words around them are those of the version that reads."""
    lettermill = [sys.executable, "-m", "lettermill"]
    run = [*lettermill, "run", str(ROOT / "examples" / "scans"), "--out", str(tmp_path / "results")]
    told = subprocess.run(run, capture_output=True, text=True, check=False).stdout
    assert numbers(told.split("not read")[0]) == numbers(block("README.md", "pages ").split("not read")[0])
    (job,) = (tmp_path / "results").glob("scans-*")
    shown = block("README.md", "scan,page").strip().splitlines()
    assert set(shown) <= set((job / "letters.csv").read_text(encoding="utf-8").splitlines())
    told = subprocess.run(
        [*lettermill, "collect", str(job), "--accept-at", "0.99"], capture_output=True, text=True, check=False
    ).stdout
    example = block("docs/flagging.md", "doubtful ")
    assert numbers(example) == numbers("\n".join(told.splitlines()[3:6]))


def test_the_readme_fits() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 150
