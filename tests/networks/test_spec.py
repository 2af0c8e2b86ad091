"""The grammar of specs."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import InvalidConfig
from bncli.networks import models
from bncli.networks.spec import n_output_units, parse_spec, places_norms, spec_of


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("dense", "'dense' in model 'dense': dense must be followed by a whole number from 1 to 16384."),
        ("dense0", "'dense0' in model 'dense0': dense must be followed by a whole number from 1 to 16384."),
        ("dense6.5", "'dense6.5' in model 'dense6.5': dense must be followed by a whole number from 1 to 16384."),
        ("dense8 pool2", "'pool2' in model 'dense8 pool2': pool takes no number. Write pool."),
        ("dense8*0", "'dense8*0' in model 'dense8*0': repeat a word 1 to 1000 times. Received: 0."),
        ("flatten", "model 'flatten' has no layer with weights. Add one, such as dense64, conv32 or lstm32."),
        (
            "lstm8 dropout1",
            "'dropout1' in model 'lstm8 dropout1': dropout must be followed by a number from 0 to 0.99.",
        ),
        (
            f"dense8*{'9' * 5000}",
            f"'dense8*{'9' * 91}...{'9' * 97}' in model 'dense8*{'9' * 91}...{'9' * 97}': repeat a word 1 to 1000 "
            f"times. Received: {'9' * 98}...{'9' * 97}.",
        ),
        (
            f"dense{'9' * 5000}",
            f"'dense{'9' * 93}...{'9' * 97}' in model 'dense{'9' * 93}...{'9' * 97}': dense must be followed by a "
            "whole number from 1 to 16384.",
        ),
        ("dense8*600 dense8*600", "model 'dense8*600 dense8*600' has 1200 layers. Allowed: at most 1000."),
    ],
)
def test_parse_spec_rejects_invalid_words(spec, reason):
    with pytest.raises(InvalidConfig) as caught:
        parse_spec(spec)
    assert str(caught.value) == reason


def test_an_unknown_word_gets_a_suggestion():
    with pytest.raises(InvalidConfig) as caught:
        parse_spec("dens64")
    assert str(caught.value) == (
        f"Unknown layer 'dens64' in model 'dens64'. Allowed: the name of a model ({', '.join(models.REGISTRY)}), or a "
        "spec of the words dense64, conv32, lstm32, dropout0.2, pool, flatten, norm and softmax, where dense64*3 "
        "repeats a word, or a Python function as FILE.py:FUNCTION. Did you mean 'dense'?"
    )


@given(st.text(max_size=30))
def test_any_text_is_a_spec_or_a_clear_error(text):
    try:
        assert parse_spec(text)
    except InvalidConfig as error:
        assert repr(text) in str(error) or "model" in str(error)


def test_a_spec_of_very_many_layers_is_refused_before_it_is_written_out():
    tracemalloc.start()
    with pytest.raises(InvalidConfig, match=r"^model 'dense8\*1000 .* has 20000000 layers\. Allowed: at most 1000\.$"):
        parse_spec("dense8*1000 " * 20_000)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_a_name_is_replaced_by_its_spec():
    assert [spec_of(name) for name in ("mlp", "dense64*2")] == ["dense64*2", "dense64*2"]
    assert parse_spec("mlp") == parse_spec("dense64 dense64")


def test_words_are_printed_as_they_are_written():
    assert " ".join(map(str, parse_spec("conv32 pool dropout0.2 flatten dense128*2 softmax"))) == (
        "conv32 pool dropout0.2 flatten dense128 dense128 softmax"
    )


def test_a_spec_places_norms_with_the_word_norm():
    assert places_norms("dense8 norm dense8")
    assert places_norms("mnist-cnn")
    assert not places_norms("cnn")


@pytest.mark.parametrize(
    ("model", "n_classes", "units"), [("mlp", 2, 1), ("mlp", 3, 3), ("tanh-dropout", 2, 2), ("dense8 softmax", 3, 3)]
)
def test_two_classes_have_one_output_unit_unless_the_spec_ends_in_softmax(model, n_classes, units):
    assert n_output_units(model, n_classes) == units
