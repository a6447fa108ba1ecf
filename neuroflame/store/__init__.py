"""The table on disk: what is finished is safe.

A sweep's directory holds only files that are written once and never changed. Compacting replaces many
fragments by one file, which is whole before the first of them goes::

    manifest.json               the sweep: written once, by whoever created the directory
    parts/<tile>.parquet        one fragment a tile: the rows of its points
    parts/packed-*.parquet      the rows of many tiles, put together by `SweepStore.compact`
    asks/<batch>.parquet        points that a search proposed, written before they are run
    records/<kind>-<utc>-*.json what happened: versions and devices of each run, warnings
    inputs/<digest>             files that the sweep starts from, so that it can be moved and resumed without them
    quarantine/                 fragments whose checksum failed, moved here to be computed again
    tmp/                        files being written; no reader ever looks here
    robust/<check>-<hash>/      sweeps of their own that check labels, each with all of the above
    hold.json, hold.lock        who runs the sweep, and how far it is: the only files that change

A file becomes visible whole or not at all, and the first writer of a name wins. Every Parquet file carries
the BLAKE2b digest of all its bytes, so a flipped bit or a cut tail is found, never read. Nothing in the
directory names its own location: it can be moved, copied and resumed elsewhere.

What is atomic where
--------------------
*Local paths and* ``file://`` (also NFS, Lustre and their kin): a file is written in ``tmp/``, flushed to the
disk with ``fsync``, and published with ``link(2)``, which is atomic and exclusive; then the directory is
flushed. So it survives ``kill -9`` and loss of power, and of any number of writers of a name exactly one is
told True. Where hard links do not exist (exFAT, some FUSE mounts, BeeGFS across directories) a claim file
created with ``O_EXCL`` takes their place; a claim left by a killed writer is broken after some seconds, and
two writers that break it in the same instant may then both be told True. The rows are the same, and stay
single.

*S3 and its kin* (``s3://``, with boto3 installed): an object appears by one PUT, which is atomic and durable,
and conditional (``If-None-Match: *``), so of any number of writers of a name exactly one is told True, as on a
disk. Not atomic: moving to ``quarantine/`` is a copy and a deletion, between which a reader may find the
damaged object in both places and tells so once more.

*Object stores without conditional PUT* (``gs://``, ``abfs://``, S3 without boto3, servers that do not know the
condition): atomic and durable likewise, but not exclusive: the writer looks first whether the name is taken,
and of two that look in the same instant the later one wins with the same rows. For the manifest, whose
content differs between writers, the creator reads it back and gives way if it is not its own.

*Other pyarrow filesystems* (HDFS, a filesystem object given by the caller): written under ``tmp/``, then
renamed, after looking whether the name is taken.

Who runs it
-----------
One process at a time (`SweepStore.hold`). *Processes of one machine, in a local directory:* the kernel decides
(`flock`), and the claim ends with its process, also by ``kill -9``. *Several machines, network file systems,
object stores:* the holder renews ``hold.json`` every 3 s (15 s in an object store), and one that is silent for
90 s counts as dead. A holder that is cut off for longer and comes back sees another's name in the record and
stops; until then both may run. That costs time, not results: fragments are written once, and a point has one
row. A search that learns stops where the other has asked before it.
"""

from neuroflame.store._export import FILES, placed, write_columns
from neuroflame.store._files import below
from neuroflame.store._format import StoreWarning
from neuroflame.store._given import read_parquet
from neuroflame.store._hold import HeldElsewhere, Hold, Holder
from neuroflame.store._labels import RELABEL
from neuroflame.store._robust import ROBUST
from neuroflame.store._sweep import SweepStore
from neuroflame.store._table import Table, open_table

__all__ = [
    "FILES",
    "RELABEL",
    "ROBUST",
    "HeldElsewhere",
    "Hold",
    "Holder",
    "StoreWarning",
    "SweepStore",
    "Table",
    "below",
    "open_table",
    "placed",
    "read_parquet",
    "write_columns",
]
