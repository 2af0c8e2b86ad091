"""Networks that a function builds: what it gets, how it is seeded, what is refused."""

import random
from pathlib import Path

import keras
import numpy as np
import pytest

from bncli.config import RunConfig
from bncli.errors import InvalidConfig
from bncli.networks.network import network_of
from bncli.networks.outputs import with_probabilities

RESIDUAL = """
import keras
from keras import layers

print("loaded")

def build(input_shape, n_outputs, norm, activation, use_bias=True, width=4):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(width, 3, padding="same", use_bias=use_bias)(inputs)
    x = layers.Activation(activation)(norm()(x))
    y = norm()(layers.Conv2D(width, 3, padding="same", use_bias=use_bias)(x))
    x = layers.Activation(activation)(layers.Add()([x, y]))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(n_outputs, activation="softmax")(x))

@keras.saving.register_keras_serializable()
class Net(keras.Model):
    def __init__(self, n_outputs, norm):
        super().__init__()
        self.hidden, self.norm, self.out = layers.Dense(5), norm(), layers.Dense(n_outputs)

    def call(self, inputs, training=False):
        return self.out(keras.ops.relu(self.norm(self.hidden(inputs), training=training)))
"""
SHAPE = (4, 4, 1)


@pytest.fixture(autouse=True)
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(RESIDUAL)


def build(model="nets.py", shape=SHAPE, n_classes=3, seed=0, **fields):
    return network_of(model).build(RunConfig(model=model, **fields), shape, n_classes, seed)


def of_body(body, **arguments):
    """The model of a function with this body."""
    Path("own.py").write_text(f"import keras\nfrom keras import layers\n\ndef build(input_shape, n_outputs):\n{body}\n")
    return build("own.py", **arguments)


DENSE = """
    layer = lambda units, name: layers.Dense(units, activation="relu", name=name)
    hidden = [layer(4, "d"), layer(1, "e")]
    return keras.Sequential([keras.Input(input_shape), *hidden, layers.Dense(n_outputs, activation="softmax")])
"""


@pytest.mark.parametrize(
    ("model", "norm", "where", "shape"),
    [
        ("nets.py:Net", "instance", "Net() in nets.py can't be built: layer 'group_normalization", "(5,)"),
        ("own.py", "instance", "build() in own.py can't be built: layer 'd_norm", "(4,)"),
        ("own.py", "layer", "build() in own.py can't be built: layer 'e_norm", "(1,)"),
        ("own.py", "group", "build() in own.py can't be built: layer 'e_norm", "(1,)"),
    ],
)
def test_norms_over_one_value_are_refused_as_in_specs(model, norm, where, shape):
    of_body(DENSE, norm="as-is", shape=(4,))
    with pytest.raises(InvalidConfig) as caught:
        network_of(model).check(RunConfig(model=model, norm=norm, placement="before"), (4,), 3)
    text = str(caught.value)
    assert text.startswith(where)
    assert text.endswith(f": norm {norm!r} over one value always outputs 0 (input shape {shape}): use batch.")


def test_norms_know_their_shapes_and_fit_their_groups_to_them():
    fields = RunConfig(model="nets.py", norm="group")
    assert network_of("nets.py").norm_shapes(fields, SHAPE, 3) == [(4, 4, 4)] * 2
    found = [
        layer.groups for layer in build(norm="group").layers if hasattr(layer, "groups") and hasattr(layer, "gamma")
    ]
    assert found == [1, 1]  # four channels


@pytest.mark.parametrize(
    ("norm", "layer", "n_params"),
    [
        ("none", "Identity", 40 + 148 + 195),
        ("batch", "BatchNormalization", 36 + 144 + 195 + 2 * 16),
        ("layer", "LayerNormalization", 40 + 148 + 195 + 2 * 8),
        ("group", "GroupNormalization", 40 + 148 + 195 + 2 * 8),
        ("rms", "RMSNormalization", 40 + 148 + 195 + 2 * 4),
    ],
)
def test_every_normalization_takes_its_places(norm, layer, n_params):
    model = build(norm=norm, activation="tanh")
    assert [type(each).__name__ for each in model.layers].count(layer) == 2
    assert model.count_params() == n_params
    assert [each.activation.__name__ for each in model.layers if type(each) is keras.layers.Activation] == ["tanh"] * 2


def test_a_bias_is_left_out_where_it_is_redundant_or_by_wish():
    def biases(**fields):
        return [each.use_bias for each in build(**fields).layers if isinstance(each, keras.layers.Conv2D)]

    assert biases(norm="batch") == biases(norm="layer", use_bias="false") == [False, False]
    assert biases(norm="batch", center=False) == biases(norm="layer") == biases(norm="none") == [True, True]
    assert biases(norm="batch", use_bias="true") == [True, True]


def test_initial_weights_depend_on_the_seed_alone_and_are_those_of_every_arm():
    arms = [build(norm=norm, use_bias="true", seed=3) for norm in ("none", "batch", "layer", "rms")]
    kernels = [[each.kernel.numpy() for each in arm.layers if hasattr(each, "kernel")] for arm in arms]
    for others in kernels[1:]:
        for kernel, other in zip(kernels[0], others, strict=True):
            np.testing.assert_array_equal(kernel, other)
    assert not np.allclose(build(seed=4).layers[1].kernel, kernels[0][0])


def test_the_global_generators_are_as_before():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    build()
    assert (random.random(), np.random.random()) == expected


def test_the_values_of_another_seed_are_those_of_its_model():
    fields = RunConfig(model="nets.py", norm="batch")
    model, other = build(norm="batch", seed=1), build(norm="batch", seed=2)
    values = network_of("nets.py").seeded_values(model, fields, SHAPE, 3, 2)
    assert set(values) == {id(variable) for variable in model.variables}
    for variable, expected in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(values[id(variable)], expected.value)


def test_what_the_file_prints_goes_to_stderr(capsys):
    Path("loud.py").write_text(RESIDUAL + "\n# loud\n")
    build("loud.py")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "loaded\n")


def test_a_subclassed_model_that_outputs_logits_gets_a_softmax():
    model = build("nets.py:Net", shape=(6,), norm="batch")
    rows = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
    np.testing.assert_allclose(model(rows).numpy().sum(axis=1), 1, atol=1e-6)
    inner = next(each for each in model.layers if type(each).__name__ == "Net")
    np.testing.assert_allclose(model(rows), keras.ops.softmax(inner(rows)), atol=1e-6)


@pytest.mark.parametrize(
    ("units", "activation", "end"),
    [(3, None, "softmax"), (3, "softmax", None), (1, None, "sigmoid"), (1, "sigmoid", None)],
)
def test_logits_become_probabilities_and_probabilities_stay(units, activation, end):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(units, activation=activation)(inputs))
    found = with_probabilities(model, (2,))
    assert (found is model) == (end is None)
    assert end is None or found.layers[-1].activation.__name__ == end


def test_a_file_imports_its_neighbours():
    Path("parts.py").write_text("WIDTH = 7\n")
    body = "    from parts import WIDTH\n    return keras.Sequential([layers.Dense(WIDTH), layers.Dense(n_outputs)])"
    assert of_body(body, shape=(2,)).count_params() == 2 * 7 + 7 + 7 * 3 + 3


def test_fields_that_the_function_does_not_ask_for_have_no_effect():
    network = network_of("nets.py")
    unused = network.unused_fields(RunConfig(norm="batch")) - {"keep_weights"}
    assert unused == {"kernel_initializer", "init_scale", "placement", "norm_input", "norm_output", "groups"}
    assert "groups" not in network.unused_fields(RunConfig(norm="group"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    return 3", "build() in own.py must return a keras.Model. Received: int."),
        (
            "    return keras.Sequential([layers.Flatten(), layers.Dense(5)])",
            "build() in own.py: the model's output for one row is of shape (5,). Allowed: (3,), one number per class. "
            "The parameter n_outputs is the number of classes, or 1 for a quantity.",
        ),
        (
            "    x = keras.Input(input_shape)\n    return keras.Model(x, {'a': layers.Dense(n_outputs)(x)})",
            "build() in own.py: the model's output for one row is a dict. Allowed: (3,), one number per class. "
            "The parameter n_outputs is the number of classes, or 1 for a quantity.",
        ),
        (
            "    x = keras.Input(input_shape)\n    return keras.Model(x, [x, x])",
            "build() in own.py: the model must have one input and one output. Received: inputs 1, outputs 2.",
        ),
        (
            "    return keras.Sequential([keras.Input((5,)), layers.Dense(n_outputs)])",
            "build() in own.py takes rows of shape (5,), but the data has shape (4, 4, 1).",
        ),
        (
            "    x = 1\n    return x + 'a'",
            "build() in own.py fails, line 6: TypeError: unsupported operand type(s) for +: 'int' and 'str'.",
        ),
        (
            "    return keras.Sequential([layers.Flatten(), layers.Dense(n_outputs, name='the end')])",
            "build() in own.py: TensorFlow can't train a layer named 'the end'. Use letters, digits and any of "
            "_ . / -.",
        ),
        ("    raise SystemExit(3)", "build() in own.py fails, line 5: SystemExit: 3."),
    ],
)
def test_what_a_function_may_not_do(body, message):
    with pytest.raises(InvalidConfig) as caught:
        of_body(body)
    assert str(caught.value) == message


def test_a_module_of_a_package_imports_its_neighbours_by_dots():
    Path("labs").mkdir()
    Path("labs/parts.py").write_text("WIDTH = 7\n")
    Path("labs/nets.py").write_text(RESIDUAL.replace("import keras", "import keras\nfrom .parts import WIDTH", 1))
    assert build("labs.nets:build").name == "functional"


def test_a_function_that_asks_for_norm_and_calls_none_is_refused():
    Path("own.py").write_text(
        "import keras\ndef build(input_shape, n_outputs, norm):\n    norm()\n"
        "    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(n_outputs)])\n"
    )
    assert build("own.py", norm="none").count_params() > 0
    with pytest.raises(InvalidConfig) as caught:
        build("own.py", norm="batch")
    assert str(caught.value) == (
        "build() in own.py asks for norm, but calls no layer that norm() returns, so that all arms would be the same "
        "network. Call norm()(x) where a normalization belongs, or leave the parameter out."
    )


def test_a_function_must_return_a_new_model_and_the_same_network_each_time():
    plain = "keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(len(MADE)), keras.layers.Dense(n_outputs)])"
    text = f"import keras\nMADE = []\ndef build(n_outputs):\n    MADE.append(1)\n    return {plain}\n"
    Path("own.py").write_text(text)
    fields = RunConfig(model="own.py", norm="as-is")
    with pytest.raises(InvalidConfig) as caught:
        network_of("own.py").seeded_values(build("own.py", norm="as-is"), fields, SHAPE, 3, 1)
    assert str(caught.value) == (
        "build() in own.py makes weights of other shapes when it is called again. It must build the same network each "
        "time, whatever was drawn or called before."
    )
    Path("own.py").write_text("import functools\n" + text.replace("def", "@functools.cache\ndef"))
    kept = build("own.py", norm="as-is")
    with pytest.raises(InvalidConfig) as caught:
        build("own.py", norm="as-is")
    assert kept
    assert str(caught.value) == (
        "build() in own.py returns a model that it returned before, with the weights that it has by now. It must build "
        "a new one each time."
    )


def test_two_classes_may_have_one_output():
    assert (
        of_body("    return keras.Sequential([layers.Flatten(), layers.Dense(1)])", n_classes=2).output_shape[-1] == 1
    )
    with pytest.raises(InvalidConfig, match=r"Allowed: \(2,\), one number per class, or \(1,\) for the second of two"):
        of_body("    return keras.Sequential([layers.Flatten(), layers.Dense(3)])", n_classes=2)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("depth", ""),
        ("lr", ""),
        ("nrom", " Did you mean 'norm'?"),
        ("num_classes", " Did you mean 'n_outputs'?"),
        ("norm_layer", " Did you mean 'norm'?"),
    ],
)
def test_a_parameter_that_nobody_knows_needs_another_name_or_a_default(name, meant):
    Path("own.py").write_text(f"def build(input_shape, {name}):\n    pass\n")
    with pytest.raises(InvalidConfig) as caught:
        build("own.py")
    start, _, rest = str(caught.value).partition(" Allowed: input_shape, n_outputs, norm, use_bias, dataset, ")
    assert start == f"build() in own.py asks for '{name}', which bncli can't give."
    assert rest.endswith(f", seed. Rename the parameter, or give it a default value.{meant}")


def test_a_function_with_the_parameter_norm_has_no_normalizations_of_its_own():
    with pytest.raises(InvalidConfig) as caught:
        build(norm="as-is")
    assert str(caught.value) == (
        "build() in nets.py has the parameter norm, and so no normalizations of its own for the arm as-is. Try none or "
        "batch."
    )


@pytest.mark.parametrize("call", ["norm(x)", "norm(axis=1)(x)"])
@pytest.mark.parametrize("arm", ["none", "batch"])
def test_norm_takes_no_arguments(call, arm):
    Path("own.py").write_text(f"def build(norm):\n    x = 0\n    return {call}\n")
    with pytest.raises(InvalidConfig) as caught:
        build("own.py", norm=arm)
    assert str(caught.value) == (
        "build() in own.py gives arguments to norm(), which takes none: it returns a layer, as the arm sets it. Call "
        "norm()(x)."
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            "input_shape, /, n_outputs",
            "build() in own.py has parameters before a /, but bncli gives them by name. Leave out the /.",
        ),
        (
            "**options",
            "build() in own.py has no parameter but **options, and bncli gives only what it names. Name those that it "
            "needs, such as input_shape and n_outputs.",
        ),
    ],
)
def test_parameters_are_given_by_name(parameters, message):
    Path("own.py").write_text(f"def build({parameters}):\n    pass\n")
    with pytest.raises(InvalidConfig) as caught:
        network_of("own.py")
    assert str(caught.value) == message


def test_a_file_that_changes_while_a_study_runs_fails_its_runs():
    fields = RunConfig(model="nets.py", model_digest=network_of("nets.py").digest)
    assert network_of("nets.py").build(fields, SHAPE, 3, 0)
    Path("nets.py").write_text(RESIDUAL.replace("width=4", "width=5"))
    with pytest.raises(InvalidConfig) as caught:
        network_of("nets.py").build(fields, SHAPE, 3, 0)
    assert str(caught.value) == "The file of build() in nets.py has changed since the study began. Restore it."


def test_all_arms_drop_the_same_units_whatever_order_the_layers_are_made_in():
    body = (
        "    drop, last, first = layers.Dropout(0.5), layers.Dense(n_outputs), layers.Dense(5, use_bias=False)\n"
        "    inputs = keras.Input(input_shape)\n"
        "    x = drop(layers.ReLU()(layers.BatchNormalization()(first(inputs))))\n"
        "    return keras.Model(inputs, last(x))"
    )

    def dropped_by(norm, seed):
        model = of_body(body, norm=norm, shape=(4,), seed=seed)
        return model.get_layer("dropout").seed_generator.state.numpy().tolist()

    assert dropped_by("as-is", 3) == dropped_by("none", 3) == dropped_by("layer", 3)
    assert dropped_by("none", 4) != dropped_by("none", 3)
