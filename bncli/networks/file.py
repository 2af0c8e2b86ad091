"""Networks that are read from a `.keras` file: their layers, without their weights."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bncli.errors import InvalidConfig, first_line, shown
from bncli.networks import norms
from bncli.networks.calls import read_graph
from bncli.networks.copying import carry_state
from bncli.networks.layout import NetworkFields
from bncli.networks.outputs import check_fits, check_one_each
from bncli.networks.own import NORMS, OwnNetwork
from bncli.networks.reference import check_regular
from bncli.values import plain_text

if TYPE_CHECKING:
    import keras

SAFE_KERAS = (3, 13, 1)
"""The first version of Keras in which no known way is left for a `.keras` file to run code that is in it."""

_UNKNOWN = re.compile(r"Could not locate class '([^']*)'")
"""What Keras says of a class that is not registered."""


class FileNetwork(OwnNetwork):
    """The network in a `.keras` file; its arms are made by rewriting.

    Args:
        path: The file, as the user typed it.
        digest: The hash of its contents.
    """

    def __init__(self, path: str, digest: str) -> None:
        super().__init__()
        self.path, self.label, self.digest = Path(path).expanduser(), f"model {shown(path)}", digest
        config = self._config()
        self.has_norms = any(name in config for name in NORMS)
        self._model: keras.Model | None = None

    def make(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
        """Return the model of the file, if it takes rows of this shape."""
        model = self._loaded()
        check_fits(model, self.label, input_shape)
        return model

    def _loaded(self) -> keras.Model:
        """Load the model, once. No code in the file is run: Keras' safe mode refuses it."""
        if self._model is None:
            _check_version()
            import keras

            if file_digest(str(self.path)) != self.digest:
                raise InvalidConfig(f"The file of {self.label} has changed while bncli was running.")
            self._model = keras.models.load_model(self.path, compile=False, safe_mode=True)
        return self._model

    def original(self) -> keras.Model:
        """Return the model as it is in the file. It is loaded once: leave it as it is.

        Raises:
            InvalidConfig: The file can't be loaded.
        """
        with self._user_code():
            return self._loaded()

    def shapes(self) -> tuple[tuple[int, ...], int]:
        """Return the shape of one row that the model takes, and the number of classes that it tells apart.

        Raises:
            InvalidConfig: The file can't be loaded, or the model takes rows of any size.
        """
        model = self.original()
        check_one_each(model, self.label)
        given, made = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
        if not isinstance(given, tuple) or not isinstance(made, tuple) or None in given[1:] or made[-1] is None:
            raise InvalidConfig(f"{self.label} does not say which rows it takes. Name a data set.")
        return given[1:], max(2, made[-1])

    def check(self, fields: NetworkFields, input_shape: tuple[int, ...], n_classes: int) -> None:
        """Build the network once.

        Raises:
            InvalidConfig: As `own.OwnNetwork.check`; also if statistics are to be kept, but not the weights.
        """
        if fields.norm in (norms.FROZEN, norms.RECALIBRATED) and not fields.keep_weights:
            raise InvalidConfig(
                f"Arm {fields.norm} starts from the weights of {self.label}, which are not kept. Try --keep-weights."
            )
        super().check(fields, input_shape, n_classes)

    def drawn(self, model: keras.Model, fields: NetworkFields) -> keras.Model:
        """Return a copy with new initial weights, or with the file's own if they are to be kept.

        What preprocessing layers have learned of data is kept in any case.
        """
        import keras

        copy = keras.models.clone_model(model)
        layers = read_graph(copy).layers
        for name, layer in read_graph(model).layers.items():
            carry_state(layer, layers[name])
        if fields.keep_weights:
            copy.set_weights(model.get_weights())
        return copy

    def told(self, error: BaseException) -> str:
        """Say why Keras can't load the file."""
        import keras

        unknown = _UNKNOWN.search(str(error))
        if unknown:
            return (
                f"{self.label} has a layer of the class {shown(unknown[1])}, which Keras does not have. Give a Python "
                "function that loads or builds the model, as FILE.py:FUNCTION."
            )
        if "`Lambda` layer" in str(error):
            return (
                f"{self.label} has a Lambda layer, whose Python code is not run. Give a Python function that builds "
                "the model, as FILE.py:FUNCTION."
            )
        newer = self._newer_version()
        update = f" Keras {newer} saved it, and this is {keras.__version__}: try to update Keras." if newer else ""
        return f"{self.label} can't be loaded: {type(error).__name__}: {first_line(error)}.{update}"

    def _newer_version(self) -> str:
        """The version of Keras that saved the file, if it is newer than this one; else an empty text."""
        import keras

        try:
            with zipfile.ZipFile(self.path) as archive:
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            return ""
        return plain_text(version) if _numbers(version) > _numbers(keras.__version__) else ""

    def _config(self) -> str:
        """The text of the model's config."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return json.dumps(json.loads(archive.read("config.json")))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InvalidConfig(
                f"{self.label} is not a model that Keras 3 saved ({type(error).__name__}: {first_line(error)})."
            ) from error


def file_digest(path: str) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of a file's contents.

    Raises:
        InvalidConfig: It can't be read.
    """
    place = Path(path).expanduser()
    try:
        check_regular(place)
        facts = place.stat()
        return _digest(place, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidConfig(f"model {shown(path)} can't be read ({reason}). Give the path of a .keras file.") from error


@lru_cache(maxsize=32)
def _digest(path: Path, *facts: int) -> str:
    """The hash of a file that has not been written since its facts were taken: every run of a study asks for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _check_version() -> None:
    import keras

    if _numbers(keras.__version__) < SAFE_KERAS:
        raise InvalidConfig(
            f"Keras {keras.__version__} can be made to run code that is in a .keras file. Update it to "
            f"{'.'.join(map(str, SAFE_KERAS))} or later."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdecimal())
