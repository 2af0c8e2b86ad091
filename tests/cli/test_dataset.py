"""`bncli dataset`."""

import json


def test_dataset_lists_and_describes(bncli):
    names = [row["name"] for row in json.loads(bncli("dataset", "--format", "json")[1])]
    facts = json.loads(bncli("dataset", "circles", "--format", "json")[1])
    assert "digits" in names
    assert (facts["training_rows"], facts["n_classes"], facts["input_shape"]) == (500, 2, "2")
    assert "0.504" in bncli("dataset", "circles")[1]


def test_dataset_notes_settings_without_effect(bncli):
    status, _, err = bncli("dataset", "digits", "--set", "noise=0.5")
    assert (status, err) == (0, "Note: noise=0.5 has no effect on digits and is ignored.\n")
