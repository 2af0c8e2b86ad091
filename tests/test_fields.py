"""Fields as a user types them."""

import pytest

from bncli.errors import InvalidConfig, UnknownName
from bncli.fields import field_name, parse_value


def test_parse_value_converts_text_to_the_type_of_the_field():
    texts = {"lr": "1e-3", "epochs": "7", "center": "False", "weight_decay": "none", "model": "dense8 dense4"}
    values = [parse_value(name, text) for name, text in texts.items()]
    assert values == [0.001, 7, False, None, "dense8 dense4"]


def test_parse_value_names_the_field():
    with pytest.raises(InvalidConfig, match=r"^center must be true or false\. Received: 'yes'\.$"):
        parse_value("center", "yes")
    with pytest.raises(UnknownName, match=r"^Unknown field 'lrr'\. Allowed: .* Did you mean 'lr'\?$"):
        parse_value("lrr", "1")


@pytest.mark.parametrize(("typed", "name"), [("LR", "lr"), (" learning_rate ", "lr"), ("data", "dataset"), ("x", "x")])
def test_names_that_mean_a_field(typed, name):
    assert field_name(typed) == name
