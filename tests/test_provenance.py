"""Where and with what a study ran."""

import json
import subprocess
import sys

from bncli import provenance


def git(*arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_the_facts_are_json_and_name_every_version(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bncli", "train", "-m", "dense8 dense4"])
    facts = provenance.collect()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["command"] == "bncli train -m 'dense8 dense4'"
    assert all(facts["versions"][name] for name in ("python", "bncli", "keras", "tensorflow", "numpy", "scikit-learn"))
    assert facts["host"]["cores"] >= 1


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
