"""Borders between labels in a parameter space: shared by the search that finds them and by who reads tables.

Depends on `neuroflame.conditions`, `neuroflame.errors`, numpy and scipy alone.
"""

from neuroflame.border.find import Border, find_border
from neuroflame.border.flat import separable
from neuroflame.border.labels import LABELLED, Labelling
from neuroflame.border.mesh import MOST_PLACES, Edges, Mesh, longest_edge
from neuroflame.border.regions import Regions, find_regions
from neuroflame.border.regions_of_table import places_frame, regions_frame, regions_of_table
from neuroflame.border.scales import Scale, scale_of, scales_of
from neuroflame.border.sides import sides
from neuroflame.border.sites import Sites, gather
from neuroflame.border.table import Table, border_frame, border_of_table, unfollowed
from neuroflame.border.tips import open_tips

__all__ = [
    "LABELLED",
    "MOST_PLACES",
    "Border",
    "Edges",
    "Labelling",
    "Mesh",
    "Regions",
    "Scale",
    "Sites",
    "Table",
    "border_frame",
    "border_of_table",
    "find_border",
    "find_regions",
    "gather",
    "longest_edge",
    "open_tips",
    "places_frame",
    "regions_frame",
    "regions_of_table",
    "scale_of",
    "scales_of",
    "separable",
    "sides",
    "unfollowed",
]
