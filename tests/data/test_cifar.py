"""CIFAR-10 and CIFAR-100: found, downloaded or refused. The files here are tiny ones in the same format."""

import hashlib
import io
import tarfile
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
from datafiles import cifar_files, error_text, load, write_cifar

from bncli.data import cifar, datasets
from bncli.errors import DataError, StoreError

pytestmark = pytest.mark.usefixtures("data_dirs")


@pytest.fixture
def own(data_dirs):
    return data_dirs[0]


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("place", [".", "below"])
@pytest.mark.parametrize("packed", [True, False])
def test_images_and_classes_are_read(own, name, place, packed):
    write_cifar(own / (name if place == "below" else "."), name, packed=packed)
    data = load(name, scaling="none")
    n_classes = 10 if name == "cifar10" else 100
    assert (data.input_shape, data.n_classes) == ((32, 32, 3), n_classes)
    assert data.class_names[:2] == ("class 0", "class 1")
    assert data.y_val.tolist() == list(range(n_classes))
    assert data.y_train.tolist() == list(range(n_classes)) * (10 if name == "cifar10" else 2)
    first = np.frombuffer(cifar_files(name)[cifar.PUBLISHED[name].test], "uint8")[-3072:].reshape(3, 1024)
    np.testing.assert_array_equal(data.x_val[-1].reshape(1024, 3), first.T)
    assert load(name).x_train.max() == 1


def test_an_archive_that_is_not_the_published_one_is_noticed(own, monkeypatch):
    path = write_cifar(own, "cifar10")
    (notice,) = load("cifar10").notices
    assert notice == (
        f"'{path}' is not the published archive of cifar10 (its SHA-256 differs), so results can't be compared with "
        "published figures."
    )
    published = cifar.PUBLISHED["cifar10"]._replace(digest=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(cifar.PUBLISHED, "cifar10", published)
    assert load("cifar10", train_rows=":20").notices == (notice,)  # as it was read
    datasets.forget()
    assert load("cifar10").notices == ()


def test_an_archive_is_downloaded_once(data_dirs, monkeypatch, tmp_path):
    path = write_cifar(tmp_path, "cifar100")
    calls = []

    def urlopen(url, timeout):
        calls.append(url)
        return io.BytesIO(path.read_bytes())

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(cifar.PUBLISHED, "cifar100", cifar.PUBLISHED["cifar100"]._replace(digest=digest))
    assert load("cifar100").n_classes == 100
    assert load("cifar100", scaling="none").n_classes == 100
    assert calls == ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"]
    assert [path.name for path in data_dirs[1].iterdir()] == ["cifar-100-binary.tar.gz"]


HELP = (
    "cifar10 is not on this machine and could not be downloaded ({}). Three ways to get it: put cifar-10-binary.tar.gz "
    "(https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz) into $BNCLI_DATA_DIR; unpack it there, which gives the "
    "folder cifar-10-batches-bin; or run this command once with a network."
)


def test_without_a_network(data_dirs, monkeypatch):
    def urlopen(url, timeout):
        raise URLError(OSError("Name or service not known"))

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert error_text(DataError, load, "cifar10") == HELP.format("Name or service not known")
    assert list(data_dirs[1].iterdir()) == []


def test_another_download_is_not_kept(data_dirs, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"<html>"))
    reason = "what the server sent is not the published archive: its SHA-256 differs"
    assert error_text(DataError, load, "cifar10") == HELP.format(reason)
    assert list(data_dirs[1].iterdir()) == []


def test_a_cache_that_can_not_be_written(data_dirs):
    data_dirs[1].parent.write_text("a file")
    assert error_text(StoreError, load, "cifar10").startswith("Can't write ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_batch.bin": b"short"}, "test_batch.bin must contain records of 3073 bytes. Received: 5 bytes."),
        ({"data_batch_2.bin": b""}, "data_batch_2.bin must contain records of 3073 bytes. Received: 0 bytes."),
        ({"data_batch_1.bin": b"\x0a" * 3073}, "data_batch_1.bin must contain the classes 0 to 9. Received: 10."),
    ],
)
def test_damaged_files(own, changes, message):
    path = write_cifar(own, "cifar10", changes=changes)
    assert error_text(DataError, load, "cifar10") == f"'{path}': {message} Remove it, so that it is downloaded again."


def test_missing_files(own):
    path = write_cifar(own, "cifar10", packed=False)
    (path / "data_batch_3.bin").unlink()
    assert error_text(DataError, load, "cifar10") == (
        f"'{path}' lacks files of cifar10: data_batch_3.bin. Remove it, so that it is downloaded again."
    )


def test_what_is_no_archive(own):
    (own / "cifar-10-binary.tar.gz").write_bytes(b"junk")
    message = error_text(DataError, load, "cifar10")
    assert message.startswith(f"'{own}/cifar-10-binary.tar.gz' can't be read as an archive of CIFAR: ")
    assert message.endswith(" Remove it, so that it is downloaded again.")


def test_links_in_an_archive_are_not_followed(own):
    with tarfile.open(own / "cifar-10-binary.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "lacks files of cifar10: " in error_text(DataError, load, "cifar10")


@pytest.mark.parametrize("names", [b"one\ntwo\n", b"", b"same\n" * 10])
def test_names_that_do_not_fit_are_numbers(own, names):
    write_cifar(own, "cifar10", changes={"batches.meta.txt": names})
    assert load("cifar10").class_names == tuple("0123456789")
