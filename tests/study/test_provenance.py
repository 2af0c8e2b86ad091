"""The facts on host, versions and settings that a study's folder stores."""

import json
import subprocess
import sys
from types import SimpleNamespace

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
    monkeypatch.delitem(sys.modules, "bncli.engines.backend", raising=False)
    assert provenance.collect()["devices"] is None
    backend = SimpleNamespace(devices=lambda: ["CPU:0", "GPU:0"])
    monkeypatch.setitem(sys.modules, "bncli.engines.backend", backend)
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
