"""Plain data of a network out as a YAML file that reads well."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from neuroflame.spec.legacy.importing import LegacyImport


def to_yaml(imported: LegacyImport) -> str:
    """Return the text of a network file: what is not carried over as comments, then the values."""
    report = imported.report
    name = Path(report.file).name
    head = f"Imported from {name}, a file of the original NeuroFlame, version of {report.version}."
    comments = textwrap.wrap(head, 106)
    for note in report.cannot:
        comments += textwrap.wrap(f"Not carried over: {note.key}: {note.text}", 106, subsequent_indent="    ")
    return "".join(f"# {line}\n" for line in comments) + dump(imported.data)


def write(imported: LegacyImport, path: str | Path | None, *, replace: bool = False) -> None:
    """Write a network file, or print it where there is no path.

    Raises
    ------
    SpecError
        If the file is there already and is not to be replaced, or cannot be written.
    """
    text = to_yaml(imported)
    if path is None:
        sys.stdout.write(text)
        return
    try:
        with Path(path).open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SpecError("is there already", file=str(path), remedy="give another name, or --force") from None
    except OSError as error:
        raise SpecError(f"cannot be written: {error.strerror}", file=str(path)) from None


def dump(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML: one line a value, or an entry of what holds mappings."""
    return "".join(_entry(key, value) for key, value in data.items())


def _entry(key: str, value: Any) -> str:
    if isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values()):
        return f"{key}:\n" + "".join(f"  {name}: {_flow(item)}\n" for name, item in value.items())
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return f"{key}:\n" + "".join(f"  - {_flow(item)}\n" for item in value)
    return f"{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()
