"""What the documents say is so: their Python runs, commands, settings and links exist, nothing is left out."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import typer

from skewless.cli import app
from skewless.settings import Settings, load_settings
from tests.documents import PAGES, ROOT, blocks, run_python

COMMANDS: dict[str, click.Command] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


# -- Python -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", NAMES)
def test_python_of_the_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run_python(ROOT / page)


def test_every_fence_says_what_is_in_it() -> None:
    """A typo such as ```pyhton would run nothing."""
    known = {"", "go", "java", "python", "python store", "sh", "toml", "xml"}
    found = {(block.info, block.page.name) for page in PAGES for block in blocks(page)}
    assert {(info, page) for info, page in found if info not in known} == set()


# -- commands ---------------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The section of each command in docs/commands.md."""
    parts = re.split(r"^### (.+)$", text_of("docs/commands.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_section_and_no_other() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_section_tells_every_option_and_an_example(name: str) -> None:
    page = text_of("docs/commands.md")
    shared = page[: page.index("\n## Definitions")]
    told = shared + sections()[name]
    missing = [
        option for parameter in COMMANDS[name].params for option in longest(parameter) if option not in told
    ]
    assert missing == []
    assert f"\nskewless {name}" in sections()[name]


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"airflow"}))  # whose options are Airflow's
def test_every_command_has_json(name: str) -> None:
    assert "--json" in [option for parameter in COMMANDS[name].params for option in parameter.opts]


def longest(parameter: click.Parameter) -> list[str]:
    """The long form of an option; nothing for an argument."""
    is_option = parameter.param_type_name == "option"
    return [max(parameter.opts, key=len)] if is_option else []


def test_exit_codes_are_told() -> None:
    page = text_of("docs/commands.md")
    assert [code for code in range(4) if f"\n| {code} | " not in page] == []


COMMAND_LINES = sorted(
    {
        line.partition("#")[0].strip()
        for page in PAGES
        for block in blocks(page)
        if block.info == "sh"
        for line in block.code.splitlines()
        if re.search(r"(^|\s)skewless\s", line)
    }
)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_line_of_the_pages_parses(line: str) -> None:
    parses(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    (example,) = re.findall(r"Example: (skewless .*?)(?:\n\n|$)", COMMANDS[name].help or "", re.DOTALL)
    assert example.split()[1] == name
    parses(example)


def parses(line: str) -> None:
    """Read a command line's arguments, without doing what it says."""
    words = [word for word in shlex.split(line) if not re.match("SKEWLESS_[A-Z_]+=", word)]
    assert words[0] == "skewless"
    COMMANDS[words[1]].make_context(words[1], words[2:])


# -- settings ---------------------------------------------------------------------------------------------


def test_every_setting_is_told_as_it_is() -> None:
    page = text_of("docs/settings.md")
    rows = [
        f"| `{name}` | `{variable}` | {default if ' ' in default else f'`{default}`'} | {description} |"
        for name, variable, default, description in Settings.describe()
    ]
    assert [row for row in rows if row not in page] == []
    assert page.count("| `SKEWLESS_") == len(rows)


def test_the_example_of_a_settings_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [block.code for block in blocks(ROOT / "docs" / "settings.md") if block.info == "toml"]
    (tmp_path / "skewless.toml").write_text(code)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    written = tomllib.loads(code)
    assert len(written) >= 5
    assert {name: getattr(settings, name) for name in written if name != "home"} == {
        name: value for name, value in written.items() if name != "home"
    }
    assert settings.home == tmp_path / ".skewless"


# -- links, and what has no place here --------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.S | re.M), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", NAMES)
def test_links_of_the_page_lead_somewhere(page: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match("[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert lost == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    """Written so that this file does not name one itself."""
    folders = [f"/{name}/" for name in ("work", "root")]
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in tracked.decode().split("\0") if name]
    named = [
        f"{file.relative_to(ROOT)}: {folder}"
        for file in files
        if file.is_file()
        for folder in folders
        if folder in file.read_text("utf-8", errors="ignore")
    ]
    assert named == []
