"""Values that a JSON schema allows at its edges, and values just beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
LONG = 100_000  # characters: what has no limit of its own is cut by the body's


def resolved(schema: Schema, components: Schema) -> Schema:
    """Return a schema, or the one that it refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return components[name] if name else schema


def allowed(schema: Schema, components: Schema) -> Iterator[Any]:
    """Yield values that a schema allows, those at its edges among them."""
    schema = resolved(schema, components)
    if "enum" in schema:
        yield from schema["enum"]
        return
    for alternative in schema.get("anyOf", []):
        yield from allowed(alternative, components)
    kind = schema.get("type")
    if kind == "null":
        yield None
    elif kind == "boolean":
        yield from (True, False)
    elif kind in ("integer", "number"):
        yield schema.get("minimum", -(2**62))
        yield schema.get("maximum", 2**62)
    elif kind == "string":
        yield "a" * max(1, schema.get("minLength", 1))
        yield "a" * schema.get("maxLength", 300)
    elif kind == "array":
        items = [*allowed(schema.get("items", {"type": "string"}), components)]
        for count in (schema.get("minItems", 0), min(schema.get("maxItems", 3), 100)):
            yield [items[place % len(items)] for place in range(count)]
    elif kind == "object":
        yield from objects(schema, components)


def objects(schema: Schema, components: Schema) -> Iterator[Any]:
    """Yield objects: of the required properties, and with each other one in turn."""
    properties = schema.get("properties", {})
    needed = {
        name: next(iter(allowed(properties[name], components)))
        for name in schema.get("required", [])
    }
    yield needed
    for name, inner in properties.items():
        for value in allowed(inner, components):
            yield {**needed, name: value}


def forbidden(schema: Schema, components: Schema) -> Iterator[Any]:
    """Yield values that a schema does not allow, just beyond its edges."""
    schema = resolved(schema, components)
    alternatives = schema.get("anyOf", [schema])
    kinds = {resolved(each, components).get("type") for each in alternatives}
    if "enum" in schema or None in kinds:
        if "enum" in schema:
            yield "none of these"
        return
    examples = {"string": "a", "integer": 3, "boolean": True, "array": [[]], "object": {"z": []}}
    for kind, value in examples.items():
        if kind not in kinds and not (kind == "integer" and "number" in kinds):
            yield value
    for each in (resolved(alternative, components) for alternative in alternatives):
        if "minimum" in each:
            yield each["minimum"] - 1
        if "maximum" in each:
            yield each["maximum"] + 1
        if each.get("minLength"):
            yield ""
        if "maxLength" in each:
            yield "a" * (each["maxLength"] + 1)
        if "maxItems" in each:
            yield ["a"] * (each["maxItems"] + 1)
        if each.get("minItems"):
            yield []
