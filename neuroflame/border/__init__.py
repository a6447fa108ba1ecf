"""Borders between labels in a parameter space: shared by the search that finds them and by who reads tables.

Depends on `neuroflame.conditions`, `neuroflame.errors`, numpy and scipy alone.
"""

from neuroflame.border.find import Border, border_of_rows, find_border
from neuroflame.border.flat import separable
from neuroflame.border.labels import LABELLED, Labelling
from neuroflame.border.mesh import Edges, Mesh, longest_edge
from neuroflame.border.scales import Scale, scale_of, scales_of
from neuroflame.border.sides import sides
from neuroflame.border.sites import Sites, gather
from neuroflame.border.table import Table, border_frame, border_of_table

__all__ = [
    "LABELLED",
    "Border",
    "Edges",
    "Labelling",
    "Mesh",
    "Scale",
    "Sites",
    "Table",
    "border_frame",
    "border_of_rows",
    "border_of_table",
    "find_border",
    "gather",
    "longest_edge",
    "scale_of",
    "scales_of",
    "separable",
    "sides",
]
