"""Keras objects as code: what is written makes an equal object."""

import keras
import pytest
from keras import initializers, layers, optimizers, regularizers  # noqa: F401  # the code names them

from bncli.report.script.code import Writer

SEEDS = {5: "int('5')"}
OBJECTS = {
    "layers.Dense(3)": layers.Dense(3),
    'layers.Dense(3, activation="relu", use_bias=False)': layers.Dense(3, "relu", use_bias=False),
    "layers.Dense(3, kernel_initializer=initializers.HeNormal(seed=int('5')))": layers.Dense(
        3, kernel_initializer=keras.initializers.HeNormal(5)
    ),
    'layers.Conv2D(8, 3, strides=2, padding="same")': layers.Conv2D(8, 3, 2, padding="same"),
    "layers.Conv2D(8, (3, 5))": layers.Conv2D(8, (3, 5)),
    "layers.MaxPooling2D()": layers.MaxPooling2D(2),
    "layers.MaxPooling2D(pool_size=3, strides=2)": layers.MaxPooling2D(3, 2),
    "layers.BatchNormalization(momentum=0.9)": layers.BatchNormalization(momentum=0.9),
    'layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 0.5, "rmax": 2.0})': layers.BatchNormalization(
        renorm=True, renorm_clipping={"rmin": 0.5, "rmax": 2.0}
    ),
    "layers.Reshape((8, 8))": layers.Reshape((8, 8)),
    "layers.Reshape((8,))": layers.Reshape((8,)),
    "layers.Flatten()": layers.Flatten(),
    "layers.LSTM(4, return_sequences=True)": layers.LSTM(4, return_sequences=True),
    "layers.Dropout(0.2, seed=int('5'))": layers.Dropout(0.2, seed=5),
    "layers.Dense(3, kernel_regularizer=regularizers.L2(l2=0.001))": layers.Dense(
        3, kernel_regularizer=keras.regularizers.L2(1e-3)
    ),
    "optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)": keras.optimizers.SGD(0.1, 0.9, True),
    "optimizers.Adam(learning_rate=0.01)": keras.optimizers.Adam(0.01),
    "optimizers.AdamW(learning_rate=optimizers.schedules.CosineDecay(0.1, 100), clipnorm=1.0)": keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.1, 100), clipnorm=1.0
    ),
}


@pytest.mark.parametrize("code", OBJECTS)
def test_the_code_is_short_and_makes_an_equal_object(code):
    thing = OBJECTS[code]
    written = Writer(SEEDS).write(thing)
    assert written == code
    made = eval(written)  # what the writer wrote
    assert {**made.get_config(), "name": ""} == {**thing.get_config(), "name": ""}


def test_the_modules_that_the_code_names_are_noted():
    writer = Writer({})
    writer.write(layers.Dense(3, kernel_initializer=keras.initializers.HeNormal(5)))
    assert writer.modules == {"layers", "initializers"}
