"""Files that are replaced in one step."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bncli.atomic import ORPHAN_SECONDS, check_replaceable, open_inside, replace_file
from bncli.errors import StoreError


def error_text(target, write):
    with pytest.raises(StoreError) as caught:
        replace_file(target, write)
    return str(caught.value)


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_no_other_file_is_left(tmp_path, durable):
    target = tmp_path / "new" / "a.txt"
    for text in ("old", "new"):
        replace_file(target, lambda path, text=text: path.write_text(text), durable=durable)
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["a.txt"]


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")

    def write(path):
        path.write_text("new")
        assert (path.parent, path.suffix) == (tmp_path, ".csv")
        assert target.read_text() == "old"

    replace_file(target, write)
    assert target.read_text() == "new"


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write(path):
        path.write_text("half of the ne")
        raise OSError("no space")

    assert error_text(target, write) == f"Can't write '{target}': no space."
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "full").mkdir(parents=True)
    below, folder = tmp_path / "file" / "x.csv", tmp_path / "folder"
    assert error_text(below, Path.touch) == f"Can't write '{below}': File exists."
    assert error_text(folder, Path.touch) == f"Can't write '{folder}': Is a directory."


def test_temporary_files_that_killed_processes_left_are_removed_after_a_day(tmp_path):
    young, old, other = (tmp_path / name for name in (".0123abcd.a.txt", ".89abcdef.a.txt", ".89abcdef.b.txt"))
    for path in (young, old, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - ORPHAN_SECONDS - 60,) * 2)
    replace_file(tmp_path / "a.txt", Path.touch)
    assert sorted(os.listdir(tmp_path)) == sorted([young.name, other.name, "a.txt"])


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444])
def test_a_file_keeps_its_permissions(tmp_path, mode):
    target = tmp_path / "a.txt"
    target.write_text("old")
    target.chmod(mode)
    seen = []

    def write(path):
        seen.append(permissions(path))
        path.write_text("new")

    replace_file(target, write)
    assert (target.read_text(), permissions(target)) == ("new", mode)
    assert seen == [0o600]


def test_a_new_file_has_the_permissions_of_the_users_umask(tmp_path):
    replace_file(tmp_path / "a.txt", lambda path: path.write_text("new"))
    (tmp_path / "b.txt").touch()
    assert permissions(tmp_path / "a.txt") == permissions(tmp_path / "b.txt")


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_names_is_replaced(tmp_path, exists):
    target, link = tmp_path / "there" / "a.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    if exists:
        target.parent.mkdir()
        target.write_text("old")
    replace_file(link, lambda path: path.write_text("new"))
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "link.txt", "there"]


def test_a_circle_of_links_is_an_error(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).symlink_to(tmp_path / other)
    assert error_text(tmp_path / "a", Path.touch) == f"Can't write '{tmp_path}/a': Too many levels of symbolic links."


def test_a_named_pipe_is_written_to(tmp_path):
    fifo, found = tmp_path / "pipe.csv", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: found.append(fifo.read_text()), daemon=True)
    reader.start()

    def write(path):
        assert path.suffix == ".csv"
        path.write_text("x" * 100_000)

    replace_file(fifo, write)
    reader.join(10)
    assert found == ["x" * 100_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe.csv"]


def test_a_device_is_written_to():
    """A pseudo-terminal: no code, however wrong, can replace a file of its folder, as root can in /dev."""
    master, slave = os.openpty()
    device = Path(os.ttyname(slave))
    try:
        replace_file(device, lambda path: path.write_text("result"))
        assert os.read(master, 100) == b"result"
        assert stat.S_ISCHR(device.stat().st_mode)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_a_link_to_standard_output_writes_there(tmp_path):
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    code = "import sys; from pathlib import Path; from bncli.atomic import replace_file"
    code += "; replace_file(Path(sys.argv[1]), lambda path: path.write_text('result'))"
    command = [sys.executable, "-c", code, str(tmp_path / "stdout")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "result", "")
    assert (tmp_path / "stdout").is_symlink()


def test_a_nul_in_a_path_is_an_error():
    assert (
        error_text(Path("a\0.csv"), Path.touch) == "Can't write 'a\\x00.csv', which is not a path: embedded null byte."
    )


def refusal(path, folder, what):
    return (
        f"'{path}' is {what}, and bncli reads, writes and deletes only files of its own in '{folder}'. "
        "Remove it, or try another folder."
    )


@pytest.mark.parametrize("what", ["file", "folder", "nothing"])
def test_a_link_inside_a_folder_of_bnclis_own_is_refused(tmp_path, what):
    folder, victim = tmp_path / "study", tmp_path / "victim"
    folder.mkdir()
    if what == "folder":
        victim.mkdir()
        (victim / "a.txt").write_text("mine")
        (folder / "figures").symlink_to(victim)
        target, link = folder / "figures" / "a.txt", folder / "figures"
    else:
        target = link = folder / "a.txt"
        link.symlink_to(victim)
        if what == "file":
            victim.write_text("mine")
    with pytest.raises(StoreError) as caught:
        replace_file(target, lambda path: path.write_text("new"), inside=folder)
    assert str(caught.value) == refusal(link, folder, "a link")
    assert what == "nothing" or target.read_text() == "mine"
    assert what != "nothing" or not victim.exists()


def test_only_regular_files_are_written_inside_a_folder_of_bnclis_own(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for path, target, what in (
        (tmp_path / "pipe", tmp_path / "pipe", "not a regular file"),
        (tmp_path / "file", tmp_path / "file" / "a.txt", "not a regular folder"),
    ):
        with pytest.raises(StoreError) as caught:
            replace_file(target, Path.touch, inside=tmp_path)
        assert str(caught.value) == refusal(path, tmp_path, what)


def test_the_folder_of_a_study_may_itself_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link" / "figures" / "a.txt", lambda path: path.write_text("new"), inside=tmp_path / "link")
    assert (tmp_path / "real" / "figures" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("what", ["link", "dangling", "pipe", "folder", "below a link"])
def test_only_regular_files_are_opened_inside_a_folder_of_bnclis_own(tmp_path, what):
    folder, victim = tmp_path / "study", tmp_path / "victim"
    folder.mkdir()
    victim.mkdir()
    (victim / "a.txt").write_text("mine")
    path = refused = folder / "a.txt"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "below a link":
        refused, path = folder / "figures", folder / "figures" / "a.txt"
        refused.symlink_to(victim)
    else:
        path.symlink_to(victim / ("a.txt" if what == "link" else "nothing"))
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        with pytest.raises(StoreError) as caught:
            open_inside(path, folder, flags)
        named = "not a regular file" if what in ("pipe", "folder") else "a link"
        assert str(caught.value) == refusal(refused, folder, named)
    assert {each.name: each.read_text() for each in victim.iterdir()} == {"a.txt": "mine"}


def test_what_is_exchanged_while_it_is_opened_is_refused_too(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    monkeypatch.setattr("bncli.atomic.refuse_links", lambda target, folder: None)
    with pytest.raises(StoreError) as caught:
        open_inside(tmp_path / "pipe", tmp_path)
    assert str(caught.value) == refusal(tmp_path / "pipe", tmp_path, "not a regular file")
    with pytest.raises(OSError, match=r"Too many levels of symbolic links"):
        open_inside(tmp_path / "link", tmp_path, os.O_RDWR | os.O_CREAT)
    assert not (tmp_path / "victim").exists()


def test_a_file_is_opened_and_made_inside_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    descriptor = open_inside(tmp_path / "link" / "a.txt", tmp_path / "link", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"new")
    os.close(descriptor)
    assert (tmp_path / "real" / "a.txt").read_text() == "new"
    with pytest.raises(FileNotFoundError):
        open_inside(tmp_path / "link" / "b.txt", tmp_path / "link")


def test_whether_a_file_can_be_replaced_is_known_without_a_trace(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    for name in ("file", "new", "deep/er/new"):
        check_replaceable(tmp_path / name)
    check_replaceable(Path(os.devnull))
    for name, reason in (("folder", "Is a directory"), ("file/below", "Not a directory")):
        with pytest.raises(StoreError) as caught:
            check_replaceable(tmp_path / name)
        assert str(caught.value) == f"Can't write '{tmp_path / name}': {reason}."
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anyway")
def test_a_folder_without_permission_is_known_before_any_work(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StoreError) as caught:
        check_replaceable(tmp_path / "locked" / "a.keras")
    assert str(caught.value) == f"Can't write '{tmp_path}/locked/a.keras': Permission denied."
