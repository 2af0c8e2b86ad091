"""The grammar of specs."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncli.errors import InvalidConfig
from bncli.networks import models
from bncli.networks.layer import Window, Word
from bncli.networks.spec import has_placement, n_output_units, parse_spec, places_norms, spec_of, tiny_spec

OPTIONS = "Allowed: k1 to k15 (the kernel's size), s1 to s8 (the stride), same or valid (the padding)."


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
        (
            "{ dense8*600 }*2",
            "model '{ dense8*600 }*2' has 1200 layers. Allowed: at most 1000.",
        ),
        *(
            (f"conv8:{option}", f"'conv8:{option}' in model 'conv8:{option}': unknown option {option!r}. {OPTIONS}")
            for option in ("x3", "", "k", "k0", "k16", "s9", "k1_0", "k+3")
        ),
        (
            "conv8:smae",
            f"'conv8:smae' in model 'conv8:smae': unknown option 'smae'. {OPTIONS} Did you mean 'same'?",
        ),
        (
            "conv8:k3:same:k5",
            "'conv8:k3:same:k5' in model 'conv8:k3:same:k5': the kernel is given twice. Write either 3 or 5.",
        ),
        (
            "conv8:same:valid",
            "'conv8:same:valid' in model 'conv8:same:valid': the padding is given twice. Write either same or valid.",
        ),
        ("conv8 pool:s2", "'pool:s2' in model 'conv8 pool:s2': pool takes no options. Only conv does."),
        ("dense8:k3", "'dense8:k3' in model 'dense8:k3': dense takes no options. Only conv does."),
        ("conv8*2:same", "'conv8*2:same' in model 'conv8*2:same': write the repeat last, 'conv8:same*2'."),
        ("gru", "'gru' in model 'gru': gru must be followed by a whole number from 1 to 16384."),
        ("conv8 gap2", "'gap2' in model 'conv8 gap2': gap takes no number. Write gap."),
        (
            "{ dense8 { dense8 } }",
            "model '{ dense8 { dense8 } }': a block can't stand in a block. Close the first one with }.",
        ),
        ("dense8 } dense8", "model 'dense8 } dense8': '}' closes no block. Open one with {."),
        ("{ dense8", "model '{ dense8': a block is not closed. Write } behind its last word."),
        ("{ dense8 }*0", "'}*0' in model '{ dense8 }*0': repeat a block 1 to 1000 times. Received: 0."),
        ("{ dense8 }*x", "'}*x' in model '{ dense8 }*x': repeat a block 1 to 1000 times. Received: x."),
        (
            "dense8 { dropout0.2*2 }",
            "block '{ dropout0.2*2 }' in model 'dense8 { dropout0.2*2 }': a residual block needs a layer to learn. Add "
            "dense or conv.",
        ),
        (
            "{ }",
            "block '{ }' in model '{ }': a residual block needs a layer to learn. Add dense or conv.",
        ),
        (
            "{ dense8 gap }",
            "block '{ dense8 gap }' in model '{ dense8 gap }': gap can't stand in a residual block. Allowed: dense, "
            "conv, dropout, pool, avgpool, norm.",
        ),
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
        "spec of the words dense64, conv32, lstm32, gru32, dropout0.2, pool, avgpool, gap, flatten, norm and softmax, "
        "where dense64*3 repeats a word, conv32:k5:s2:same has options and { conv32:same*2 } is a residual block, a "
        "Python function as FILE.py:FUNCTION, or a .keras file. Did you mean 'dense'?"
    )


@pytest.mark.parametrize(
    ("model", "meant"),
    [("resnet", "resnet.py"), ("resnet:small", "resnet.py:small"), ("tuned", "tuned.keras"), ("resnet2", "resnet20")],
)
def test_a_file_whose_ending_is_left_out_is_suggested(model, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("resnet.py", "tuned.keras"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidConfig) as caught:
        parse_spec(model)
    assert str(caught.value).endswith(f", or a .keras file. Did you mean '{meant}'?")


@pytest.mark.parametrize(
    ("model", "hint"),
    [("h1.kera", " Did you mean 'h1.keras'?"), ("./nett.p", " Did you mean 'net.py'?"), ("no/such", "")],
)
def test_a_text_that_looks_like_a_file_is_told_how_files_end(model, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("h1.keras", "net.py"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidConfig) as caught:
        parse_spec(model)
    said = "the name of a Python file ends in .py, that of a saved model in .keras."
    assert str(caught.value) == f"model '{model}': {said}{hint}"


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


def test_options_are_the_window_of_a_convolution():
    windows = [word.window for word in parse_spec("conv8 conv8:k5:s2:same conv8:same:s2:k5 conv8:k3:s1:valid")]
    assert windows == [Window(3, 1, "valid"), Window(5, 2, "same"), Window(5, 2, "same"), Window()]
    assert " ".join(map(str, parse_spec("conv8:same:k3 conv8:s2:k1*2"))) == "conv8:same conv8:k1:s2 conv8:k1:s2"


@pytest.mark.parametrize("spec", ["{ conv4:same*2 }*2 gap", "{conv4:same*2}*2 gap", " {conv4:same conv4:same }*2  gap"])
def test_blocks_are_written_out_with_or_without_spaces(spec):
    block = "{ conv4:same conv4:same }"
    assert " ".join(map(str, parse_spec(spec))) == f"{block} {block} gap"


PADDED = st.builds(Window, st.integers(1, 15), st.integers(1, 8), st.sampled_from(["valid", "same"]))
PLAIN = st.sampled_from(["pool", "avgpool", "gap", "flatten", "norm", "softmax"]).map(Word)
SIZED = st.builds(Word, st.sampled_from(["dense", "lstm", "gru"]), st.integers(1, 99))
CONVS = st.builds(Word, st.just("conv"), st.integers(1, 99), PADDED)
DROPS = st.builds(Word, st.just("dropout"), st.integers(0, 99).map(lambda percent: percent / 100))
BLOCKS = st.lists(CONVS | DROPS, max_size=2).map(lambda more: [Word("{"), *more, Word("dense", 3), Word("}")])
ANY = st.one_of(PLAIN, SIZED, CONVS, DROPS).map(lambda word: [word]) | BLOCKS


@given(st.lists(ANY, min_size=1, max_size=6))
def test_what_is_printed_is_read_as_the_same_words(parts):
    words = (*(word for part in parts for word in part), Word("dense", 2))
    assert parse_spec(" ".join(map(str, words))) == words


def test_tiny_specs_keep_options_and_blocks():
    assert tiny_spec("conv32:k5:s2:same { conv32:same }*2 gap gru9 dense64") == (
        "conv8:k5:s2:same { conv8:same } { conv8:same } gap gru8 dense8"
    )
    assert parse_spec(tiny_spec("resnet20"))


@pytest.mark.parametrize(
    ("model", "placement", "has_effect"),
    [
        ("gru8", "before", False),
        ("gru8", "input", True),
        ("{ dense8 }", "after", True),
        ("{ dense8 norm }", "before", False),
    ],
)
def test_whether_a_placement_has_an_effect(model, placement, has_effect):
    assert has_placement(model, placement) is has_effect


def test_a_spec_places_norms_with_the_word_norm():
    assert places_norms("dense8 norm dense8")
    assert places_norms("mnist-cnn")
    assert places_norms("{ dense8 norm }")
    assert not places_norms("cnn")


@pytest.mark.parametrize(
    ("model", "n_classes", "units"), [("mlp", 2, 1), ("mlp", 3, 3), ("tanh-dropout", 2, 2), ("dense8 softmax", 3, 3)]
)
def test_two_classes_have_one_output_unit_unless_the_spec_ends_in_softmax(model, n_classes, units):
    assert n_output_units(model, n_classes) == units
