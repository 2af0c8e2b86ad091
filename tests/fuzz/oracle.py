"""What every call of bncli must come to, whatever it was given: `check` raises `Finding` for anything else.

1. It ends within `LIMIT` seconds, with the exit status 0, 1 or 2 (as a process also 120, 130 or 143).
2. No exception is unexpected: none but `SystemExit` leaves it, and no output holds a `Traceback` or an apology for one.
3. Status 2 has its reason on stderr in a line that begins with `Error: `; status 0 has no such line.
4. stderr has at most `MAX_LINES` lines that are no `ASIDE`, none of them longer than `MAX_LENGTH` characters.
5. No output holds a control character but newline and tab, or a mark that reverses the order of what follows.
6. No warning of Python reaches the user.
7. No page that it writes holds `MARKUP`, which only a name from outside can have brought in.
8. Nothing is created, changed or deleted but below the paths that the call may write to; no journal loses a line.
"""

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback
import unicodedata
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import typer

import bncli
from bncli.claims import check as claim_checks
from bncli.claims.check import Measured
from bncli.cli.app import TRACEBACK, main
from bncli.config import FIELDS

LIMIT = 60.0
"""Seconds. No call takes more than a few; machines that do other things at the same time may stand still for ten."""

MAX_LINES, MAX_LENGTH = 4, 4_000

STATUSES, SIGNALLED = (0, 1, 2), (120, 130, 143)

ASIDE = re.compile(r"Note: |Next: |Folder: |Report: |Wrote |Training on |\d[\d,]* runs?: |\d+/\d+ runs, ")
"""How a line of stderr begins that is a notice or tells of progress; each is one line, whatever it holds."""

MARKS = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Separators of lines, and marks that reverse the order of what follows."""

MARKUP = "<script>alert("
"""A name in `strategies.ODD_TEXTS` begins like this."""

PACKAGE = str(Path(bncli.__file__).parent)

HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python doesn't show by itself."""


class Finding(AssertionError):
    """bncli did what no input may lead to.

    Attributes:
        kind: What it did, in the same words for all inputs that lead to the same place in the code.
    """

    def __init__(self, kind, detail):
        super().__init__(f"{kind}\n{detail}")
        self.kind = kind


class Hang(BaseException):
    """Raised in a call that does not end in time; nothing in it catches this."""


@dataclass(frozen=True)
class Call:
    """A command line, and what it may do.

    Attributes:
        words: The words behind `bncli`.
        writes: Paths that it may create, change and delete, with all that is below them; relative to the working
            folder or not.
        is_binary: Whether stdout is no text.
        colours: Whether the caller asked for the control characters that are colours.
        terminal: Whether the standard streams are a terminal.
        drops: Whether it may drop lines of journals, as `--restart` does.
        is_heard: Whether stderr can be read line by line: it is not closed, nor broken to a terminal's width.
    """

    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    is_binary: bool = False
    terminal: bool = False
    colours: bool = False
    drops: bool = False
    is_heard: bool = True

    def __str__(self):
        return quoted(("bncli", *self.words))


def quoted(words):
    """The words as bash takes them, in characters that can be seen; long repeats are spelled as Python does."""

    def seen_as(character):
        if 32 <= ord(character) < 127 and character not in "\\'":
            return character
        return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))

    def quote(word):
        plain = shlex.quote(word) if word.isascii() and word.isprintable() else f"$'{''.join(map(seen_as, word))}'"
        return REPEAT.sub(lambda found: f"'\"$(python3 -c 'print(\"{found[1]}\"*{len(found[0])})')\"'", plain)

    return " ".join(map(quote, words))


REPEAT = re.compile(r"(\w)\1{99,}")


@dataclass
class Ended:
    """How a call ended: status (None without an end), what it wrote, what it raised, and the warnings it gave."""

    status: object
    out: str
    err: str
    raised: BaseException | None = None
    warned: list[str] = field(default_factory=list)


@contextmanager
def time_limit(seconds):
    """Raise `Hang` in the block when it takes longer."""

    def end(number, frame):
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def own_streams(words, *, terminal=False):
    """Put streams like those of a process in place of the standard ones; yield the bytes of stdout and stderr."""
    names = ("stdin", "stdout", "stderr")
    before, argv = [getattr(sys, name) for name in names], sys.argv
    buffers = [io.BytesIO() for _ in names]
    streams = [
        io.TextIOWrapper(buffer, "utf-8", errors=errors, write_through=True)
        for buffer, errors in zip(buffers, ("strict", "strict", "backslashreplace"), strict=True)
    ]
    for name, stream in zip(names, streams, strict=True):
        setattr(sys, name, stream)
        if terminal:
            stream.isatty = lambda: True
    sys.argv = ["bncli", *words]
    try:
        yield buffers[1:]
    finally:
        for stream in streams:
            stream.detach()
        for name, stream in zip(names, before, strict=True):
            setattr(sys, name, stream)
        sys.argv = argv


made_once = cache(typer.main.get_command)
"""The tree of commands, which Typer makes from their signatures anew for every call; that takes most of a call."""


def no_process(command, **options):
    """In place of `subprocess.run`: git and uname are not there, and nothing else may be started."""
    if command[0] in ("git", "uname"):
        raise FileNotFoundError(command[0])
    raise Finding(f"a process is started: {command[0]}", " ".join(command))


@contextmanager
def harmless():
    """No program is started in the block, nor TensorFlow; unexpected errors are raised, and warnings collected."""
    tempfile.tempdir = None  # $TMPDIR may have changed
    with (
        mock.patch.object(subprocess, "run", no_process),
        mock.patch.object(claim_checks, "run_check", return_value=Measured("as it should be", holds=True)),
        mock.patch.object(typer.main, "get_command", made_once),
        mock.patch.dict(os.environ, {TRACEBACK: "1"}),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("default")
        for category in HIDDEN:
            warnings.simplefilter("ignore", category)
        yield warned
    tempfile.tempdir = None


def run_here(words, trainer=None, command=main, limit=None, *, terminal=False):
    """Run a command in this process, for at most `limit` seconds (`LIMIT` if None)."""
    raised, status = None, None
    with harmless() as warned, own_streams(words, terminal=terminal) as streams:
        try:
            with time_limit(LIMIT if limit is None else limit):
                command(trainer)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except (Finding, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # what it is, is the question
            raised = error
        out, err = (decoded(stream.getvalue(), "utf-8") for stream in streams)
    return Ended(status, out, err, raised, [f"{w.category.__name__}: {w.message}" for w in warned])


def run_process(words, encoding="utf-8", limit=2 * LIMIT, program=(sys.executable, "-m", "bncli"), shell="", **options):
    """Run a command as a process of its own; `shell` is what bash reads behind the command, such as `<&-`."""
    bash = ["bash", "-c", f'"$@" {shell}', "bash"] if shell else []
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    process = subprocess.Popen([*bash, *program, *words], start_new_session=True, **streams)
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Ended(None, decoded(out, encoding), decoded(err, encoding), Hang())
    return Ended(process.returncode, decoded(out, encoding), decoded(err, encoding))


def decoded(content, encoding):
    return (content or b"").decode(encoding, errors="surrogateescape")


def seen(root):
    """Everything below a folder by path: type and permissions, and the content of files and links."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                content = content_of(path)
            found[path] = (mode, content)
    return found


def content_of(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError:
        return None


def check(call, ended, cwd, before, after, statuses=STATUSES):
    """Raise `Finding` unless the call ended as every call must."""
    __tracebackhide__ = True
    problem = next(problems(call, ended, cwd, before, after, statuses), None)
    if problem:
        kind, detail = problem
        shown = f"{call}\nexit {ended.status}\nstdout: {ended.out[-300:]!a}\nstderr: {ended.err[-1500:]!a}"
        raise Finding(kind, f"{detail}\n{shown}") from ended.raised


def problems(call, ended, cwd, before, after, statuses):
    """What is wrong with the end of a call: pairs of a kind and its details."""
    yield from wrong_end(ended, statuses)
    yield from wrong_output(call, ended)
    yield from ((f"a warning: {shape(text)}", text) for text in ended.warned)
    yield from wrong_surroundings(call, cwd, before, after)


def wrong_end(ended, statuses):
    if isinstance(ended.raised, Hang):
        yield f"no end within {LIMIT:g} s{place(ended.raised)}", ""
    elif ended.raised:
        yield f"{type(ended.raised).__name__}{place(ended.raised)}", str(ended.raised)[:1000]
    elif ended.status not in statuses or isinstance(ended.status, bool):
        yield f"exit status {shape(str(ended.status))[:80]}", ""


def wrong_output(call, ended):
    out = "" if call.is_binary else ended.out
    err = ended.err
    if call.colours:
        out, err = (re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (out, err))
    apology = re.search("^Error: bncli did not expect this: (.*)", err, re.MULTILINE)
    if apology:
        yield f"an unexpected error: {shape(apology[1])}", ""
    if re.search(r"^\s*Traceback \(most recent", out + err, re.MULTILINE):
        yield f"a traceback: {shape(err.strip().splitlines()[-1] if err.strip() else out)}", ""
    for name, text in (("stdout", out), ("stderr", err)):
        bad = next(filter(is_hostile, text), None)
        if bad:
            line = next(line for line in text.split("\n") if bad in line)
            yield f"a control character on {name}: {shape(line)}", f"{bad!a} in {line[:500]!a}"
    lines = [line for line in err.removesuffix("\n").split("\n") if not ASIDE.match(line)] if err else []
    if len(lines) > MAX_LINES and call.is_heard:
        yield f"more than {MAX_LINES} lines on stderr: {shape(lines[-1])}", f"{len(lines)} lines"
    longest = max(err.split("\n"), key=len)
    if len(longest) > MAX_LENGTH:
        yield (
            f"a line of more than {MAX_LENGTH} characters on stderr: {shape(longest)[:40]}",
            f"{len(longest)} characters",
        )
    says_error = bool(re.search(r"^Error: .", err, re.MULTILINE))
    if ended.status == 2 and call.is_heard and not says_error:
        yield f"exit 2 without a reason: {shape(err)}", ""
    if ended.status == 0 and says_error:
        yield f"exit 0 with an error: {shape(err)}", ""


def is_hostile(character):
    return (unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t") or character in MARKS


def wrong_surroundings(call, cwd, before, after):
    allowed = [path for text in call.writes for path in written_by(os.path.join(cwd, text))]
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path):
            continue
        what = "created" if path not in before else "deleted" if path not in after else "changed"
        if not any(path == own or path.startswith(own + os.sep) for own in allowed) and not leads_to(
            path, allowed, what
        ):
            yield f"{what} outside of what was given: {shape(os.path.basename(path))}", ascii(path)
        elif path.endswith(".html") and MARKUP.encode() in ((after.get(path) or (0, b""))[1] or b""):
            yield "markup of a name on a page", ascii(path)
        elif os.path.basename(path).startswith("runs") and path.endswith(".jsonl") and not call.drops:
            lost = set(complete_lines(before.get(path))) - set(complete_lines(after.get(path)))
            if lost:
                yield "lines of a journal are lost", f"{path!a}: {min(lost)[:200]}"


def written_by(path):
    """The path as it is spelled, and as the system reads it: with and without its links."""
    return {path, os.path.normpath(path), os.path.realpath(path)}


def leads_to(path, allowed, what):
    """Whether a folder was created on the way to an allowed path."""
    return what == "created" and any(own.startswith(path + os.sep) for own in allowed)


def complete_lines(entry):
    content = (entry or (0, None))[1]
    return content.split(b"\n")[:-1] if isinstance(content, bytes) else []


def place(error):
    """Where in bncli an exception came from: the innermost of its frames."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
    return f" in {os.path.relpath(frames[-1].filename, PACKAGE)}:{frames[-1].name}" if frames else ""


def shape(text):
    """A message without what differs between inputs: quoted parts, numbers, fields, what was received."""
    text = "".join("?" if is_hostile(character) and character != "\n" else character for character in text.strip())
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", REPEAT.sub(r"\1", text))[:400]
    text = re.sub(r"\b(?:Received|Allowed)\b.*", "", re.sub(rf"\b({'|'.join(FIELDS)})\b", "FIELD", text))
    return re.sub(r"\d[\d.,e+-]*", "N", ascii(re.sub(r"(FIELD=|Folder:|Report:).*", r"\1", text))[1:-1])[:100]
