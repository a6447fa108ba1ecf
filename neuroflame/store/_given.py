"""Tables that others wrote."""

from __future__ import annotations

from typing import Any

from neuroflame.errors import StoreError


def read_parquet(path: str) -> dict[str, list[Any]]:
    """Return the columns of a Parquet file by name, leaving out those that hold series.

    Raises
    ------
    StoreError
        If it is no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        found: dict[str, list[Any]] = file.read(columns=names).select(names).to_pydict()
        return found
    except (pa.ArrowException, OSError) as error:
        raise StoreError("is no Parquet file that can be read", file=path) from error
