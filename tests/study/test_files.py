"""Study files and the presets that ship."""

import json
import os
import tempfile
import time
import tomllib
from pathlib import Path

import pytest

from bncli.errors import BncliError, shown
from bncli.study.files import load_study, presets, study_from_dict, to_toml


def message(call, *arguments, **more):
    with pytest.raises(BncliError) as caught:
        call(*arguments, **more)
    return str(caught.value)


TOO_MANY = "The study has {} runs. Allowed: at most 1,000,000. Try fewer seeds, arms or values, or several studies."


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_question_with_a_baseline(name):
    study = load_study(name)
    assert study.name == name
    assert study.question.endswith("?")
    assert study.source
    assert study.arms[0].label == "none"
    assert len(study.arms) >= 2
    assert study == study_from_dict(study.to_dict())


@pytest.mark.parametrize("name", presets())
def test_every_preset_plans(name, request):
    study = load_study(name)
    if study.base.dataset == "mnist":
        request.getfixturevalue("mnist")
    plan = study.plan()
    facts = ("Channel groups of norm group: ", "The classes of 'imbalanced' are imbalanced: ")
    dropped = [notice for notice in plan.notices if not notice.startswith(facts)]
    assert all(notice.startswith("Dropped ") for notice in dropped)  # an axis that the baseline does not feel
    assert dropped or len({config.run_id for config, _ in plan.runs}) == study.n_runs


def test_the_published_studies_keep_the_published_settings():
    flagship, published = load_study("lr-activation"), load_study("lr-activation-mnist")
    assert [name for name, _ in flagship.axes] == [name for name, _ in published.axes] == ["activation", "lr"]
    assert dict(published.axes)["lr"] == (0.001, 0.01)
    assert (published.base.epochs, published.base.batch_size, published.base.shuffle) == (3, 32, False)
    assert published.base.norm_output
    circles = load_study("circles-placement").base
    assert (circles.optimizer, circles.lr, circles.momentum, circles.epochs) == ("sgd", 0.01, 0.9, 100)
    digits = dict(flagship.axes)["lr"]
    assert digits[1] == pytest.approx(10 * digits[0])


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_study_file_of_ones_own(folder):
    path = write(
        folder,
        'question = "Why?"\nseeds = [3, 5]\narms = ["none", "rms"]\n[run]\nlr = 1\n[axes]\nbatch_size = "log:8:32:3"\n',
    )
    study = load_study(path)
    assert (study.name, study.question, study.seeds) == ("mine", "Why?", (3, 5))
    assert study.axes == (("batch_size", (8, 16, 32)),)
    assert study.base.lr == 1.0
    assert [arm.label for arm in study.arms] == ["none", "rms"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seeds = 0", "seeds must be a whole number from 1 or a list of seeds. Received: 0."),
        ("seeds = [1, 'x']", "seeds must be a whole number from 1 or a list of seeds. Received: [1, 'x']."),
        (
            "sed = 1",
            "Unknown key 'sed'. Allowed: name, question, source, seeds, arms, axes, run, claims. Did you mean 'seeds'?",
        ),
        ("arms = 'none'", 'arms must be a list, e.g. ["none", "batch"]. Received: \'none\'.'),
        ("[run]\nlr = 'x'", "lr must be a number above 0 and up to 1000000. Received: 'x'."),
        ("seeds = true", "seeds must be a whole number from 1 or a list of seeds. Received: True."),
        ("seeds = -1", "seeds must be a whole number from 1 or a list of seeds. Received: -1."),
        ("seeds = 2000000", TOO_MANY.format("2,000,000")),
        ("seeds = 9223372036854775807", TOO_MANY.format("over 10^15")),
        ("seeds = [99999999999]", "seed must be a whole number from 0 to 2147483647. Received: 99999999999."),
        ("seeds = 10000\n[axes]\nlr = 'lin:1:2:40'", TOO_MANY.format("1,200,000")),
        ("[axes]\nlr = 'lin:1:2:40'\nepochs = 'lin:1:1000:1000'\nmomentum='lin:0:0.5:9'", TOO_MANY.format("3,240,000")),
        ("arms = [3]", 'arms must be a list, e.g. ["none", "batch"]. Received: [3].'),
        ("arms = [['none']]", 'arms must be a list, e.g. ["none", "batch"]. Received: [[\'none\']].'),
        ("[run]\nmodel = '" + "a" * 500 + "'", None),
        ("[axes]\nlr = 3", "The axis lr must be a list or a range. Received: 3."),
        ("[axes]\nlr = [0.1, 'x']", "lr must be a number above 0 and up to 1000000. Received: 'x'."),
        ("[axes]\nseed = [1]", "seed can't be an axis. Try --seeds N for the seeds 0 to N-1."),
    ],
)
def test_bad_study_files_are_refused_with_their_name(folder, text, expected):
    path = write(folder, text)
    found = message(load_study, path)
    assert found == f"In study {path!r}: {expected}" if expected else len(found) < 1000


HUGE = "f" * 5000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"seeds = {'9' * 5000}", "Exceeds the limit (4300 digits) for integer string conversion"),
        (f"seeds = 0x{HUGE}", "<int too large to show> is out of the range of TOML's whole numbers"),
        (f"[run]\nepochs = 0x{HUGE}", "<int too large to show> is out of the range of TOML's whole numbers"),
        ("[axes]\nlr = [1, 9223372036854775808]", "9223372036854775808 is out of the range of TOML's whole numbers"),
        (f"seeds = {'[' * 5000}{']' * 5000}", "it is nested too deeply."),
        ("# " + "x" * 1_000_000, "it is larger than 1,000,000 bytes."),
        ("a = '\udcff'", "'utf-8' codec can't decode byte 0xff in position 5: invalid start byte."),
    ],
)
def test_numbers_nesting_and_sizes_that_toml_does_not_know_are_refused(folder, text, reason):
    (folder / "s.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert message(load_study, "s.toml").startswith(f"'s.toml' can't be read as TOML: {reason}")


def test_a_study_that_is_too_large_is_refused_at_once(folder):
    path = write(folder, "seeds = 99999\n[axes]\nlr = 'lin:1:2:99999'\nmomentum = 'lin:0:0.5:99999'")
    started = time.process_time()
    assert message(load_study, path) == f"In study {path!r}: {TOO_MANY.format('over 10^15')}"
    assert time.process_time() - started < 5


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_may_not_be_read_is_said(monkeypatch):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        monkeypatch.chdir(place)
        Path("locked").mkdir(mode=0o700)
        for path in (Path("mine.toml"), Path("locked/mine.toml")):
            path.touch(mode=0o600)
        os.seteuid(65534)
        try:
            messages = [message(load_study, name) for name in ("mine.toml", "locked/mine.toml")]
        finally:
            os.seteuid(0)
    assert messages == [
        "'mine.toml' can't be read as TOML: [Errno 13] Permission denied: 'mine.toml'.",
        "Can't look for 'locked/mine.toml': Permission denied.",
    ]


def test_a_file_that_is_not_toml_and_an_unknown_name_are_refused(folder):
    path = write(folder, "a = = 1")
    assert message(load_study, path).startswith(f"{path!r} can't be read as TOML: ")
    known = ", ".join(presets())
    assert message(load_study, "lr-activaton") == (
        f"Unknown preset 'lr-activaton'. Allowed: {known}, or the path of a .toml file. Did you mean 'lr-activation'?"
    )
    assert message(load_study, "a" * 300).startswith(f"Unknown preset '{'a' * 98}...{'a' * 97}'. Allowed: ")
    assert message(load_study, "a\0b").startswith(r"Unknown preset 'a\x00b'. Allowed: ")
    assert message(load_study, "a" * 300 + ".toml").endswith(": File name too long.")
    assert message(load_study, "no.toml") == f"No study file 'no.toml'. Allowed: {known}, or the path of a .toml file."


BAD_NAMES = [
    "../../X",
    "/abs",
    "a/b",
    "a\\b",
    "..",
    ".hidden",
    "",
    " ",
    "x" * 101,
    "a\0b",
    "a\nb",
    "a\x1b[2J",
    "a\u202eb",
    "中" * 99,
    "x" * 300,
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=map(ascii, BAD_NAMES))
def test_a_name_that_can_not_name_a_folder_is_refused(folder, name):
    path = write(folder, f"name = {json.dumps(name)}")
    assert message(load_study, path) == (
        f"In study {path!r}: name must be 1 to 100 printable characters without / and \\, and may not begin with a dot "
        f"or a space, because it names a folder. Received: {shown(name)}."
    )


@pytest.mark.parametrize("name", ["lr-activation", "BN: before or after?", "Größe 2", "x" * 100, "a.b"])
def test_other_names_are_names(folder, name):
    assert load_study(write(folder, f"name = {json.dumps(name)}")).name == name


def test_the_name_of_a_file_is_a_name_too(folder):
    (folder / ".toml.toml").write_text("")
    assert message(load_study, ".toml.toml").endswith(" because it names a folder. Received: '.toml'.")


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, f"seeds = {'9' * 5_000}"], ids=["deep", "long"])
def test_toml_that_no_parser_can_hold_is_refused(folder, text):
    path = write(folder, text)
    assert message(load_study, path).startswith(f"{path!r} can't be read as TOML: ")


@pytest.mark.parametrize("name", presets())
def test_a_study_as_a_file_is_the_same_study(name):
    study = load_study(name)
    again = study_from_dict(tomllib.loads(to_toml(study)))
    assert again.to_dict() == {key: value for key, value in study.to_dict().items() if key != "claims"}


def test_hostile_text_in_a_file_stays_text():
    text = 'a "quote" \\ \n\x7f # ] é \U0001f600'
    study = study_from_dict({"question": text, "arms": ["none"]})
    assert tomllib.loads(to_toml(study))["question"] == text
