"""What all specifications share: frozen pydantic models whose fields carry a unit, a tag and a sentence."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, Strict, ValidationError
from pydantic_core import PydanticUndefined

from neuroflame.errors import SpecError

Real = Annotated[float, Strict(), AllowInfNan(False)]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]


def quantity(
    doc: str,
    *,
    default: Any = PydanticUndefined,
    unit: str = "",
    structural: bool = False,
    **constraints: Any,
) -> Any:
    """Return a pydantic field with its unit and whether it is structural.

    Parameters
    ----------
    doc : str
        What the field is, one sentence; shown in the reference and in errors.
    default : object, optional
        Without one the field must be given.
    unit : str
        SI unit; empty for pure numbers and names.
    structural : bool
        Whether a change alters the topology drawn or the number of steps, so that points with different
        values cannot share a tile.
    **constraints
        Passed on to `pydantic.Field` (``gt``, ``ge``, ``lt``, …).
    """
    extra: dict[str, Any] = {"unit": unit, "structural": structural}
    return Field(default, description=doc, json_schema_extra=extra, **constraints)


class Spec(BaseModel):
    """Base of all specifications: frozen, closed (an unknown key is an error), comparable and hashable by digest."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which `parse` makes an equal specification."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the content."""
        return hashlib.blake2b(canonical_json(self.to_dict()).encode(), digest_size=8).hexdigest()

    @classmethod
    def parse(cls, data: object, *, file: str | None = None) -> Self:
        """Validate plain data.

        Raises
        ------
        SpecError
            One line that names the file, the path, the rule, what was given, and the nearest valid key.
        """
        if not isinstance(data, Mapping):
            raise SpecError("must be a mapping of keys to values", got=data, file=file)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise explain(error, data, cls, file=file) from None

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in sorted(self.model_fields_set))
        return f"{type(self).__name__}({', '.join(shown)})"

    def __str__(self) -> str:
        return repr(self)


def canonical_json(data: object) -> str:
    """Return the one JSON text of plain data: keys sorted, no spaces, no NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the valid name that is most like the one given, None if none is alike."""
    pool = [str(other) for other in names]
    lowered = {other.lower(): other for other in reversed(pool)}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.55)
    return lowered[close[0]] if close else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return a remedy for a wrong name: the nearest valid one, or the list of all."""
    pool = sorted(str(other) for other in names)
    close = nearest(name, pool)
    if close:
        return f"did you mean {close!r}?"
    listed = ", ".join(pool[:12]) + (", …" if len(pool) > 12 else "")
    return f"valid names: {listed}" if pool else "none is allowed here"


def set_path(data: dict[str, Any], path: str, value: object) -> None:
    """Put a value at a dotted path of nested plain data, in place; a mapping is merged into what is there."""
    keys = path.split(".")
    if not all(keys):
        raise SpecError("must be names joined by single dots", got=path, path=path)
    node: Any = data
    for depth, key in enumerate(keys[:-1]):
        node = _child(node, key, ".".join(keys[: depth + 1]))
    _put(node, keys[-1], value, path)


def merge(data: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested plain data with changes put in: keys may be dotted paths, values may be mappings."""
    merged: dict[str, Any] = copy_plain(data)
    for path, value in changes.items():
        set_path(merged, str(path), copy_plain(value))
    return merged


def copy_plain(value: Any) -> Any:
    """Return plain data (dicts, lists, Python numbers) equal to the value; arrays become lists."""
    if isinstance(value, Mapping):
        return {str(key): copy_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _child(node: Any, key: str, path: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, key, path)]
    if not isinstance(node, dict):
        raise SpecError("is a plain value, it has nothing below it", path=path.rpartition(".")[0])
    return node.setdefault(key, {})


def _put(node: Any, key: str, value: object, path: str) -> None:
    if isinstance(node, list):
        index = _index(node, key, path)
        same = isinstance(value, Mapping) and not _other_variant(node[index], value)
        node[index] = merge(node[index], value) if same else value  # type: ignore[arg-type]
    elif not isinstance(node, dict):
        raise SpecError("is a plain value, it has nothing below it", path=path.rpartition(".")[0])
    elif (
        isinstance(value, Mapping)
        and isinstance(node.get(key), dict)
        and not _other_variant(node[key], value)
    ):
        node[key] = merge(node[key], value)
    else:
        node[key] = value


def _other_variant(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the new mapping is of another kind, so that the old one's keys do not apply to it."""
    return any(tag in new and old.get(tag) != new[tag] for tag in ("kind", "shape"))


def _index(node: list[Any], key: str, path: str) -> int:
    names = {item["name"]: i for i, item in enumerate(node) if isinstance(item, dict) and item.get("name")}
    if key in names:
        return names[key]
    if key.isdigit() and int(key) < len(node):
        return int(key)
    valid = [*names, *(str(i) for i in range(len(node)))]
    raise SpecError("there is no such entry", got=key, path=path, remedy=suggestion(key, valid))


_RULES = {
    "missing": "is required",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "finite_number": "must be finite",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "union_tag_not_found": "must have the key {discriminator}",
    "too_short": "must have at least {min_length} entries",
}


def explain(error: ValidationError, data: object, model: type[BaseModel], *, file: str | None) -> SpecError:
    """Turn pydantic's report into one line about its most telling fault."""
    faults = error.errors(include_url=False)
    deepest = max(len(_walk(data, fault)) for fault in faults)
    fault = next(
        (f for f in faults if f["type"] == "extra_forbidden"),
        next(f for f in faults if len(_walk(data, f)) == deepest),
    )
    kind, context = fault["type"], fault.get("ctx", {})
    path = _walk(data, fault)
    cause = context.get("error")
    if isinstance(cause, SpecError):
        inner = cause.path or ""
        where = ".".join([*path, inner]) if inner else ".".join(path)
        return SpecError(cause.rule, got=cause.got, remedy=cause.remedy, path=where or None, file=file)
    got, remedy = fault["input"], None
    if kind == "extra_forbidden":
        rule, got = "is not a known key", None
        remedy = suggestion(path[-1], _fields_at(model, fault["loc"][:-1]))
    elif kind == "literal_error":
        rule = f"must be one of {context['expected']}"
        remedy = _did_you_mean(got, context["expected"])
    elif kind == "union_tag_invalid":
        tag = context["discriminator"].strip("'")
        path, got = [*path, tag], context["tag"]
        rule = f"must be one of {context['expected_tags']}"
        remedy = _did_you_mean(got, context["expected_tags"])
    elif kind in _RULES:
        rule = _RULES[kind].format(**context)
        got = None if kind in {"missing", "union_tag_not_found"} else got
    else:
        rule = fault["msg"][0].lower() + fault["msg"][1:]
    return SpecError(rule, got=got, remedy=remedy, path=".".join(path) or None, file=file)


def _did_you_mean(got: object, expected: str) -> str | None:
    close = nearest(str(got), [part.strip(" '") for part in expected.replace(" or ", ",").split(",")])
    return f"did you mean {close!r}?" if close else None


def _walk(data: Any, fault: Mapping[str, Any]) -> list[str]:
    """Return the user's path: pydantic's location without the tags of unions that it puts in."""
    path: list[str] = []
    for depth, key in enumerate(fault["loc"]):
        absent = fault["type"] == "missing" and depth == len(fault["loc"]) - 1
        if isinstance(data, Mapping) and (key in data or absent):
            path.append(str(key))
            data = data.get(key)
        elif isinstance(data, list | tuple) and isinstance(key, int):
            path.append(str(key))
            data = data[key] if key < len(data) else None
    return path


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model that a location leads to."""
    found: Any = model
    for key in loc:
        if isinstance(found, type) and issubclass(found, BaseModel):
            by_alias = {info.alias or name: info for name, info in found.model_fields.items()}
            found = by_alias[str(key)].annotation if str(key) in by_alias else found
        options = [m for m in _models_in(found) if isinstance(key, int | str)]
        tagged = [m for m in options if str(key) in _tags(m)]
        if tagged:
            found = tagged[0]
    models = [found] if isinstance(found, type) and issubclass(found, BaseModel) else _models_in(found)
    return [info.alias or name for m in models for name, info in m.model_fields.items()]


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    for name in ("kind", "shape"):
        info = model.model_fields.get(name)
        if info is not None:
            return tuple(str(arg) for arg in getattr(info.annotation, "__args__", ()))
    return (model.__name__,)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in getattr(annotation, "__args__", ()) for m in _models_in(arg)]


def is_number(value: object) -> bool:
    """Whether the value is a finite real number and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
