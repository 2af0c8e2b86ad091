"""Keras objects as the Python code that makes them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

from bncli.errors import InvalidConfig

MODULES = ("layers", "initializers", "regularizers", "constraints", "optimizers", "optimizers.schedules")
"""The modules of Keras whose classes can be written down."""

NOT_WRITTEN = ("name", "dtype", "trainable", "build_config", "input_shape")
"""Settings that stand in a config but not in a program."""

SIZES = ("kernel_size", "pool_size", "strides", "dilation_rate")
"""Settings of one number for every direction."""


class Writer:
    """Writes Keras objects as code, and notes what has to be imported.

    Args:
        seeds: Texts for whole numbers that are seeds.
        dtype: The dtype policy that layers have without saying so.

    Attributes:
        modules: The modules of Keras that the code names.
    """

    def __init__(self, seeds: Mapping[int, str], dtype: str = "float32") -> None:
        self.modules: set[str] = set()
        self._seeds, self._dtype = seeds, dtype

    def write(self, thing: Any, **more: Any) -> str:
        """Return the code that makes a Keras object like this one.

        Args:
            thing: A layer, an initializer, an optimizer, ...
            **more: Other arguments to write, such as `name`.

        Raises:
            InvalidConfig: Its class is not one of Keras' own.
        """
        config = {key: value for key, value in thing.get_config().items() if key not in NOT_WRITTEN} | more
        if getattr(getattr(thing, "dtype_policy", None), "name", self._dtype) != self._dtype:
            more["dtype"] = thing.dtype_policy.name
        parameters = list(inspect.signature(type(thing).__init__).parameters.values())[1:]
        words = []
        for parameter in parameters:
            if parameter.name in config and not _is_default(parameter, config):
                value = config[parameter.name]
                is_size = parameter.name in SIZES and isinstance(value, list | tuple) and len(set(value)) == 1
                text = self.value(value[0] if is_size else value)
                is_needed = parameter.default is parameter.empty
                words.append(text if is_needed else f"{parameter.name}={text}")
        words += [f"{name}={self.value(value)}" for name, value in more.items() if name not in _names(parameters)]
        return f"{self._class(type(thing))}({', '.join(words)})"

    def value(self, value: Any) -> str:
        """Return the code of a setting."""
        import keras
        import numpy as np

        if isinstance(value, dict) and {"class_name", "config"} <= set(value):
            return self.write(keras.saving.deserialize_keras_object(value))
        if isinstance(value, Mapping):  # Keras' own kind of dict can't be looked up among the seeds
            return f"{{{', '.join(f'{self.value(key)}: {self.value(each)}' for key, each in value.items())}}}"
        if isinstance(value, list | tuple):
            return repr(tuple(value))
        if isinstance(value, float):  # Keras keeps it as a float32
            return repr(float(str(np.float32(value))))
        if isinstance(value, str):
            return json.dumps(value)
        return repr(value) if isinstance(value, bool) else self._seeds.get(value, repr(value))

    def _class(self, found: type) -> str:
        import keras

        for module in MODULES:
            place: Any = keras
            for part in module.split("."):
                place = getattr(place, part)
            if getattr(place, found.__name__, None) is found:
                self.modules.add(module.partition(".")[0])
                return f"{module}.{found.__name__}"
        raise InvalidConfig(f"{found.__name__} is no class of plain Keras, so that no script can be written.")


def _is_default(parameter: inspect.Parameter, config: dict[str, Any]) -> bool:
    """Whether a setting is what Keras takes without it."""
    value, default = config[parameter.name], parameter.default
    if parameter.name in ("activation", "data_format") and default is None:
        return value in (None, "linear", "channels_last")
    if parameter.name == "strides" and default is None:
        return bool(value == config.get("pool_size"))
    if isinstance(value, dict) and isinstance(default, str):
        return _spelled(value) == default
    if isinstance(value, list | tuple) and isinstance(default, int):
        return set(value) == {default}
    return bool(value == default)


def _spelled(value: dict[str, Any]) -> str | None:
    """The short name of a serialized object with Keras' own settings: `glorot_uniform`."""
    import keras

    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", value["class_name"]).lower()
    try:
        plain = keras.initializers.get(name)
    except ValueError:
        return None
    return name if plain.get_config() == value["config"] else None


def _names(parameters: list[inspect.Parameter]) -> set[str]:
    return {parameter.name for parameter in parameters}
