"""The JSON Schema of study files, with which editors complete and check them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bncli.claims.claim import EXPECTATIONS, Claim
from bncli.config import FIELDS
from bncli.study.study import DEFAULT_SEEDS
from bncli.values import Field

KINDS = {"text": "string", "whole": "integer", "number": "number", "flag": "boolean"}
"""The type of a field's values in JSON Schema."""

VALUE = {"type": ["string", "number", "boolean"]}


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a study file; everything that a study may have, with its help.

    >>> study_schema()["properties"]["run"]["properties"]["epochs"]["type"]
    'integer'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bncli study",
        "description": "Arms that differ in their normalization, trained from paired seeds at every value of the axes.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "description": "Name of the study and of its folder."},
            "question": {"type": "string", "description": "What the study asks: the title of its page."},
            "source": {"type": "string", "description": "Where the setting was published."},
            "seeds": {
                "description": f"How many seeds each condition has, or a list of them. By default {DEFAULT_SEEDS}.",
                "anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer"}}],
            },
            "arms": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Arms, the baseline first: none, batch:before, batch:after+center=false, ...",
            },
            "axes": {
                "type": "object",
                "additionalProperties": False,
                "description": "Settings to vary: a list of values each, or a range such as log:1e-3:1:4.",
                "properties": {name: _axis(info) for name, info in FIELDS.items()},
            },
            "run": {
                "type": "object",
                "additionalProperties": False,
                "description": "Settings that all runs share.",
                "properties": {name: _field(info) for name, info in FIELDS.items()},
            },
            "claims": {"type": "array", "items": _claim(), "description": "Published statements to check."},
        },
    }


def _field(info: Field) -> dict[str, Any]:
    """The schema of one value of a field; names may be written in any case, so that others than the known ones pass."""
    if info.choices:
        return {"description": info.help, "anyOf": [{"enum": [*info.choices, *dict(info.aliases)]}, {"type": "string"}]}
    limits = {
        "exclusiveMinimum" if info.open_low else "minimum": info.low,
        "exclusiveMaximum" if info.open_high else "maximum": info.high,
    }
    known = {name: value for name, value in limits.items() if math.isfinite(value)}
    return {"type": KINDS[info.kind], "description": info.help} | known


def _axis(info: Field) -> dict[str, Any]:
    """The schema of the values of an axis."""
    return {
        "description": info.help,
        "anyOf": [{"type": "array", "items": _field(info), "minItems": 1}, {"type": "string"}],
    }


def _claim() -> dict[str, Any]:
    """The schema of a claim."""
    kinds = {"str": "string", "float": "number", "int": "integer"}
    types = {field.name: kinds.get(str(field.type).removesuffix(" | None")) for field in dataclasses.fields(Claim)}
    table = {"type": "object", "additionalProperties": VALUE}
    properties: dict[str, Any] = {name: {"type": kind} if kind else table for name, kind in types.items()}
    properties["expect"] = {"enum": list(EXPECTATIONS)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "statement"],
        "properties": properties,
    }
