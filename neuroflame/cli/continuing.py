"""The command `continue`: a fixed point of a network followed along a parameter, told, written and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuroflame.cli.telling import DONE
from neuroflame.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    import pandas as pd

_ENDINGS = (".csv", ".parquet")
_SHOWN = ("error", "alpha", "frequency", "kind")


def follow(arguments: argparse.Namespace, changes: Mapping[str, object]) -> int:
    """Follow the fixed point near which the network ends along a parameter; tell, write and draw the branch."""
    from neuroflame.network import Network
    from neuroflame.report import plot_branch
    from neuroflame.report.style import save
    from neuroflame.spec.network import load_network

    out = Path(arguments.out or f"{Path(arguments.network).stem}.{arguments.path}.csv")
    if not out.absolute().parent.is_dir():
        raise SpecError("there is no such folder", got=str(out.parent), path="--out")
    if out.suffix not in _ENDINGS:
        raise SpecError("must end in .csv or .parquet", got=str(out), path="--out")
    spec = load_network(arguments.network, changes)
    model = Network(spec, device="cpu", precision="double", graph=arguments.graph)
    table = model.continue_state(
        arguments.path, arguments.to, start=arguments.start, folds=arguments.folds
    ).table
    if out.suffix == ".csv":
        table.to_csv(out, index=False)
    else:
        table.to_parquet(out, index=False)
    picture = out.with_suffix(".png")
    save(plot_branch(table, arguments.path, title=f"{arguments.path} of {arguments.network}"), picture)
    print(_events(table, arguments.path))
    print(f"table   {out}")
    print(f"figure  {picture}")
    return DONE


def _events(table: pd.DataFrame, path: str) -> str:
    """Return the events of a branch, a line each."""
    shown = table.loc[table["event"] != "", ["event", path, *_SHOWN]]
    return shown.to_string(index=False, float_format=lambda value: f"{value:.6g}")
