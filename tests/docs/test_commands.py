"""Every command in the documentation runs, every link leads somewhere, and the README stays short.

A block of code in a page is run as it stands, in an empty folder where `bncli` is the driver, which trains at once.
The comment on the line before a block can change that: `<!-- not run: REASON -->`, `<!-- exit status N -->`; a block
with `<!-- slow -->` is run by `make test-all` alone.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = HERE.parent
ROOT = TESTS.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

README_LIMIT = 12_000
"""Characters that a stranger reads in a few minutes."""

RUN, FILES, SHOWN = ("sh", "console", "make", "python"), ("toml",), ("text",)
"""Languages of blocks: those that run, those that are files for the commands of their page, and those for reading."""

OPTIONAL = ("jq", "make")
"""Programs that a machine may lack; a block that starts one is skipped there."""

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run:(.*)-->")
STATUS = re.compile(r"<!-- exit status (\d+) -->")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code in a page.

    Attributes:
        page: The page's path in the repository.
        line: The number of its first line.
        language: What follows the opening fence.
        text: What is between the fences.
        before: The line before the opening fence.
    """

    page: str
    line: int
    language: str
    text: str
    before: str

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def reason(self):
        """Why it is not run; None if it is."""
        found = NOT_RUN.fullmatch(self.before)
        return found and found[1].strip()

    @property
    def status(self):
        """The exit status that it must end with."""
        found = STATUS.fullmatch(self.before)
        return int(found[1]) if found else 0

    @property
    def is_slow(self):
        """Whether it takes long, so that only `make test-all` runs it."""
        return self.before == "<!-- slow -->"

    @property
    def is_file(self):
        """Whether it is a file for the commands of its page; a Python file is one if its first line names it."""
        return self.language in FILES or (self.language == "python" and re.match(r"# [\w-]+\.py\n", self.text))

    @property
    def is_run(self):
        """Whether it is to be run."""
        return self.language in RUN and not self.is_file and self.reason is None

    @property
    def name(self):
        """The file that it is, as its first line says: `# mine.toml`."""
        return self.text.split("\n")[0].removeprefix("# ").split(":")[0]

    @property
    def script(self):
        """What bash is to run."""
        if self.language == "sh":
            return self.text
        if self.language == "console":
            return "".join(line[2:] for line in self.text.splitlines(keepends=True) if line.startswith("$ "))
        name, program = {"make": ("Makefile", "make"), "python": ("example.py", "python example.py")}[self.language]
        return f"cat > {name} <<'END'\n{self.text}END\n{program}\n"


def blocks_of(page, text):
    """The blocks of a page, in order."""
    found = []
    for match in BLOCK.finditer(text):
        before = text[: match.start()].split("\n")
        found.append(Block(page, len(before) + 1, match[1], match[2], before[-2] if len(before) > 1 else ""))
    return found


def prose(text):
    """A page without its code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "code", BLOCK.sub("", text))


def anchors(text):
    """The anchors that GitHub gives to the headings of a page."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return found


def broken_links(path):
    """The relative links of a page that lead to no file, or to no heading."""
    broken = []
    for link in LINK.findall(prose(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


BLOCKS = [block for path in PAGES for block in blocks_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))]


@pytest.fixture
def run(folder, tmp_path_factory, monkeypatch):
    """Run a block in an empty folder that holds the files of its page."""
    script = tmp_path_factory.mktemp("bin") / "bncli"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {TESTS / "driver.py"} "$@"\n')
    script.chmod(0o755)
    places = [str(script.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(places))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(ROOT)]))
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BNCLI_DATA_DIR"):  # of a `make test` that runs this one
        monkeypatch.delenv(name, raising=False)

    def call(block):
        for file in BLOCKS:
            if file.page == block.page and file.is_file:
                (folder / file.name).write_text(file.text)
        command = ["bash", "-e", "-c", block.script]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    return call


def test_there_are_pages_with_commands():
    assert {"README.md", "CONTRIBUTING.md", "docs/running.md"} <= {block.page for block in BLOCKS}
    assert sum(block.is_run for block in BLOCKS) > 20


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_is_of_a_kind_that_is_known(path):
    text = path.read_text(encoding="utf-8")
    found = blocks_of(path.name, text)
    assert {block.language for block in found} <= {*RUN, *FILES, *SHOWN}
    assert text.count("```") == 2 * len(found)  # none is indented, or left open


def marked(block):
    return pytest.param(block, marks=[pytest.mark.slow] if block.is_slow else [])


@pytest.mark.parametrize("block", [marked(b) for b in BLOCKS if b.is_run], ids=str)
def test_the_commands_of_a_block_run(run, block):
    assert block.script, "A console block needs a line that begins with '$ '."
    lacking = [name for name in OPTIONAL if re.search(rf"\b{name}\b", block.script) and not shutil.which(name)]
    if lacking:
        pytest.skip(f"needs {lacking[0]}")
    done = run(block)
    assert done.returncode == block.status, done.stderr
    assert "Traceback" not in done.stderr
    if not block.status:  # in a pipe, the status is that of the last command alone
        assert "Error: " not in done.stderr


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.before.startswith("<!-- not run")], ids=str)
def test_a_block_that_is_not_run_says_why(block):
    assert block.reason
    assert block.language in RUN


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.is_file], ids=str)
def test_a_file_has_a_name_and_a_command_that_takes_it(block):
    assert re.fullmatch(r"[\w-]+\.(toml|py)", block.name)
    commands = [other.script for other in BLOCKS if other.page == block.page and other.is_run]
    assert any(block.name in command for command in commands)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(path):
    assert broken_links(path) == []


def test_the_readme_is_short_and_leads_to_every_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text) <= README_LIMIT
    pages = {str(path.relative_to(ROOT)) for path in PAGES} - {"README.md", "CHANGELOG.md"}
    assert pages <= set(LINK.findall(text))


PAGE = """# A heading

```sh
bncli one
```

<!-- not run: takes hours -->
```console
$ bncli two | head -1
an output
$ bncli three
```
<!-- not run: -->
```sh
four
```
<!-- exit status 2 -->
```python
five
```
<!-- slow -->
```sh
six
```
"""


def test_blocks_are_found_with_their_comments():
    one, two, four, five, six = blocks_of("page.md", PAGE)
    assert (one.line, one.language, one.text, one.reason, one.status) == (4, "sh", "bncli one\n", None, 0)
    assert (two.reason, two.script) == ("takes hours", "bncli two | head -1\nbncli three\n")
    assert four.reason == ""
    assert (five.status, five.reason) == (2, None)
    assert (six.is_run, six.is_slow, one.is_slow) == (True, True, False)


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`: three\n[a](page.md#one-two-three) [b](#four) [c](none.md) `[d](e)` [f](https://g.h)\n"
    )
    assert broken_links(page) == ["#four", "none.md"]
