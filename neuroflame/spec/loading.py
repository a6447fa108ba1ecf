"""YAML files in, plain data out. YAML 1.2 scalars: ``1e-3`` is a number, ``on`` and ``no`` are text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from neuroflame.errors import SpecError


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2 and no silent double keys."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith((":bool", ":float", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.I), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$", re.I),
    list("-+.0123456789"),
)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    seen: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in seen:
            raise SpecError("stands twice", path=key, remedy=f"see line {key_node.start_mark.line + 1}")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_yaml(text: str, *, file: str | None = None) -> Any:
    """Return the plain data that a YAML text holds.

    Raises
    ------
    SpecError
        If the text is not YAML, or a key stands twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except SpecError as error:
        raise error.located(file=file) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise SpecError(f"is not valid YAML{where}: {problem}", file=file) from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises
    ------
    SpecError
        If the file cannot be read, is not YAML, or is not a mapping.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError("there is no such file", file=name, remedy="check the path") from None
    except IsADirectoryError:
        raise SpecError("is a directory, not a file", file=name, remedy="give a .yml file") from None
    except UnicodeDecodeError:
        raise SpecError("is not a text file", file=name, remedy="give a .yml file in UTF-8") from None
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", file=name) from None
    data = parse_yaml(text, file=name)
    if not isinstance(data, Mapping):
        shown = "nothing" if data is None else type(data).__name__
        raise SpecError("must hold a mapping of keys to values", got=shown, file=name)
    return dict(data)


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``PATH=VALUE`` from the command line; the value is read as YAML.

    Raises
    ------
    SpecError
        If there is no ``=``, no path, or the value is not YAML.
    """
    path, separator, value = text.partition("=")
    path = path.strip()
    if not separator or not path:
        raise SpecError("must be PATH=VALUE", got=text, remedy="for example --set J.EE=8")
    return path, parse_yaml(value, file=f"--set {path}")
