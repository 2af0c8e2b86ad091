"""The facts on host, versions and settings that a study's folder stores."""

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from bncli import process
from bncli.study import provenance


def git(*arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_the_facts_are_json_and_name_every_version(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bncli", "train", "-m", "dense8 dense4"])
    facts = provenance.collect()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["command"] == "bncli train -m 'dense8 dense4'"
    assert all(facts["versions"][name] for name in ("python", "bncli", "keras", "tensorflow", "numpy", "scikit-learn"))
    assert facts["host"]["cores"] >= facts["host"]["usable_cores"] >= 1
    assert facts["host"]["usable_cores"] == process.usable_cores()
    assert facts["host"]["cpu"]


def test_settings_that_change_the_arithmetic_are_kept(monkeypatch):
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    settings = provenance.collect()["settings"]
    assert (settings["TF_DETERMINISTIC_OPS"], settings["TF_NUM_INTRAOP_THREADS"]) == ("1", None)


def test_processor_and_cards_are_read_from_the_kernel_s_files(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast CPU 9\nmodel name\t: other\n")
    for place, text in (("0000:01", "Model: \t\tCard A\nIRQ: 5\n"), ("0000:02", "IRQ: 6\n")):
        (tmp_path / "gpus" / place).mkdir(parents=True)
        (tmp_path / "gpus" / place / "information").write_text(text)
    monkeypatch.setattr(provenance, "_CPU_FILE", tmp_path / "cpuinfo")
    monkeypatch.setattr(provenance, "_GPU_FILES", tmp_path / "gpus")
    host = provenance.collect()["host"]
    assert (host["cpu"], host["gpus"]) == ("Fast CPU 9", ["Card A", "0000:02"])
    monkeypatch.setattr(provenance, "_CPU_FILE", tmp_path / "nothing")
    monkeypatch.setattr(provenance, "_GPU_FILES", tmp_path / "nothing")
    host = provenance.collect()["host"]
    assert host["cpu"]
    assert host["gpus"] == []


def test_devices_are_known_once_tensorflow_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "bncli.backend", raising=False)
    assert provenance.collect()["devices"] is None
    backend = SimpleNamespace(devices=lambda: ["CPU:0", "GPU:0"])
    monkeypatch.setitem(sys.modules, "bncli.backend", backend)
    assert provenance.collect()["devices"] == ["CPU:0", "GPU:0"]


def test_the_git_commit_and_whether_it_is_dirty(folder):
    assert provenance.collect()["git"] is None
    git("init", "-q")
    (folder / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    clean = provenance.collect()["git"]
    (folder / "a").write_text("2")
    dirty = provenance.collect()["git"]
    assert len(clean["commit"]) == 40
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
    assert clean["commit"] == dirty["commit"]


# Settings that make git run a program. Each is tested to run it where nothing is done about it.

HOOK = """#!/bin/sh
echo ran >> {ran}
cat
"""


@pytest.fixture
def ran(folder):
    """A repository with a changed file; the file in which `program` leaves a trace."""
    git("init", "-q")
    (folder / "a").write_text("1")
    (folder / ".gitattributes").write_text("a filter=x=y\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    ran = folder / "ran"
    program = folder / "program"
    program.write_text(HOOK.format(ran=ran))
    program.chmod(0o755)
    (folder / "a").write_text("2")
    return ran


def configure(folder, key):
    if key == "post-index-change":
        (folder / "program").rename(folder / ".git" / "hooks" / key)
    else:
        git("config", key, str(folder / "program"))


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.x=y.clean", "filter.x=y.process", "post-index-change"])
def test_a_repository_can_not_make_git_run_its_programs(folder, ran, key):
    configure(folder, key)
    assert provenance.collect()["git"]["dirty"] is True
    assert not ran.exists()
    subprocess.run(["git", "status"], capture_output=True, check=False)
    assert ran.exists()


def test_a_submodule_can_not_make_git_run_its_programs(folder, ran):
    git("init", "-q", "inner")
    (folder / "inner" / "b").write_text("1")
    git("-C", "inner", "add", "b")
    git("-C", "inner", "commit", "-q", "-m", "first")
    git("add", "inner")
    git("commit", "-q", "-m", "second")
    git("-C", "inner", "config", "core.fsmonitor", str(folder / "program"))
    assert provenance.collect()["git"]["dirty"] is True
    assert not ran.exists()
    subprocess.run(["git", "status"], capture_output=True, check=False)
    assert ran.exists()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_of_changed_files_may_have_any_encoding(folder, monkeypatch, locale):
    monkeypatch.setenv("LC_ALL", locale)
    git("init", "-q")
    git("config", "core.quotePath", "false")
    names = ["zo\u00eb", os.fsdecode(b"caf\xe9")]
    for name in names:
        (folder / name).write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    for name in names:
        (folder / name).write_text("2")
    assert provenance.collect()["git"]["dirty"] is True


def test_the_commit_is_that_of_the_working_folder_whatever_git_dir_says(folder, monkeypatch):
    for name in ("one", "other"):
        git("init", "-q", name)
        git("-C", name, "commit", "-q", "--allow-empty", "-m", name)
    monkeypatch.chdir("one")
    expected = provenance.collect()["git"]
    monkeypatch.setenv("GIT_DIR", str(folder / "other" / ".git"))
    assert provenance.collect()["git"] == expected


def test_a_git_that_hangs_is_left_alone(folder, monkeypatch):
    git("init", "-q")
    (folder / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "_GIT_SECONDS", 0.2)
    started = time.monotonic()
    assert provenance.collect()["git"] is None
    assert time.monotonic() - started < 5
