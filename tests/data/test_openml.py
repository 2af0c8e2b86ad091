"""Tables of openml.org: downloaded once, by a server that is faked, then read from the cache."""

import gzip
import hashlib
import io
import json
from email.message import Message
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

import pytest
from datafiles import error_text, load
from sklearn.datasets import _openml

from bncli.config import RunConfig
from bncli.data import datasets
from bncli.errors import DataError, InvalidConfig
from bncli.resolution import resolve

ARFF = """@relation pets
@attribute age numeric
@attribute 'home town' {Rome,Oslo}
@attribute kind {cat,dog}
@data
""" + "".join(f"{'?' if n % 5 == 0 else n},{('Oslo', 'Rome')[n % 2]},{('cat', 'dog')[n // 2 % 2]}\n" for n in range(24))


def feature(index, name, kind, *, is_target=False):
    flags = {"is_target": str(is_target).lower(), "is_ignore": "false", "is_row_identifier": "false"}
    return {"index": str(index), "name": name, "data_type": kind, "number_of_missing_values": "0", **flags}


def answers(status="active", *, has_target=True):
    """The answers of the server by path, for version 2 of the data set `pets`."""
    about = {"id": "7", "name": "pets", "version": "2", "status": status, "format": "ARFF", "file_id": "70"}
    about |= {"url": "https://www.openml.org/data/v1/download/70/pets.arff", "description": "Pets."}
    about |= {"md5_checksum": hashlib.md5(ARFF.encode()).hexdigest()}
    features = [feature(0, "age", "numeric"), feature(1, "home town", "nominal")]
    features.append(feature(2, "kind", "nominal", is_target=has_target))
    api = "/api/v1/json/data"
    return {
        f"{api}/list/data_name/pets/limit/2/data_version/2/status/deactivated": b"",
        f"{api}/list/data_name/pets/limit/2/data_version/2": {"data": {"dataset": [{"did": 7, "name": "pets"}]}},
        f"{api}/7": {"data_set_description": about},
        f"{api}/features/7": {"data_features": {"feature": features}},
        f"{api}/qualities/7": {"data_qualities": {"quality": []}},
        "/data/v1/download/70/pets.arff": ARFF.encode(),
    }


@pytest.fixture
def server(data_dirs, monkeypatch, tmp_path):
    """Answers by path; what else is asked for is not found. `server.calls` has the paths that were asked for."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))

    class Server(dict):
        def __call__(self, request, **options):
            path = urlparse(request.full_url).path
            self.calls.append(path)
            content = self.get(path)
            if content is None:
                raise HTTPError(request.full_url, 412, "Precondition Failed", Message(), io.BytesIO())
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            response = io.BytesIO(gzip.compress(body))
            response.info = lambda: {"Content-Encoding": "gzip"}
            return response

    server = Server()
    server.calls = []
    monkeypatch.setattr(_openml, "urlopen", server)
    return server


def test_a_table_is_prepared_as_files_are(server):
    server |= answers()
    data = load("openml:pets@2", scaling="none")
    assert data.feature_names == ("age", "home town=Oslo", "home town=Rome")
    assert data.class_names == ("cat", "dog")
    assert data.notices == (
        "'openml:pets@2': missing values are filled in: age (5, 12). See --impute.",
        "'openml:pets@2': categories become features (onehot): home town (2). See --encode.",
    )
    resolved, _ = resolve(RunConfig(dataset="openml:pets@2", drop="age"))
    assert (resolved.drop, resolved.encode, resolved.impute, resolved.data_seed) == ("age", "onehot", None, 0)
    assert load("openml:pets@2", label="home town").class_names == ("Oslo", "Rome")


def test_what_was_downloaded_is_read_without_a_network(server, tmp_path):
    server |= answers()
    fingerprint = load("openml:pets@2").fingerprint()
    n_calls = len(server.calls)
    datasets.forget()
    server.clear()
    assert load("openml:pets@2").fingerprint() == fingerprint
    assert len(server.calls) == n_calls
    assert (tmp_path / "sklearn" / "openml").is_dir()


def test_a_cache_in_the_data_folder_is_used(server, data_dirs, tmp_path):
    (data_dirs[0] / "openml").mkdir()
    server |= answers()
    load("openml:pets@2")
    assert list((data_dirs[0] / "openml").iterdir())
    assert not (tmp_path / "sklearn").exists()


HELP = (
    "'openml:pets@2' is not on this machine and could not be downloaded ({}). Run this command once with a network, or "
    "copy the folder openml of ~/scikit_learn_data from another machine, there or to $BNCLI_DATA_DIR."
)


def test_without_a_network(server, monkeypatch):
    def offline(request, **options):
        raise URLError(OSError("Name or service not known"))

    monkeypatch.setattr(_openml, "urlopen", offline)
    assert error_text(DataError, load, "openml:pets@2") == HELP.format("Name or service not known")


def test_a_data_set_that_does_not_exist(server):
    message = error_text(DataError, load, "openml:pets@2")
    assert message == HELP.format("Dataset pets with version 2 not found")


@pytest.mark.parametrize("name", ["openml:pets", "openml:", "openml:pets@new", "openml:a/../b@1", "openml:p\x1bets@1"])
def test_names_without_a_version(name):
    shown = repr(name)
    assert error_text(InvalidConfig, load, name) == (
        f"A data set of OpenML is named openml:NAME@VERSION, such as openml:adult@2. Received: {shown}. "
        "Its page on www.openml.org has both."
    )


def test_a_table_without_a_target_needs_a_label(server):
    server |= answers(has_target=False)
    assert error_text(DataError, load, "openml:pets@2") == (
        "'openml:pets@2' needs the name of the column with the classes or quantities. Columns: age, home town, kind. "
        "Try --label kind."
    )
    assert load("openml:pets@2", label="kind").class_names == ("cat", "dog")


def test_a_table_that_was_withdrawn_is_noticed(server):
    server |= answers(status="deactivated")
    first, *_ = load("openml:pets@2").notices
    assert first.startswith(
        "'openml:pets@2': Version 2 of dataset pets is inactive, meaning that issues have been found"
    )
