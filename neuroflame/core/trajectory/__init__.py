"""Trajectory executors: one program a point or block of points holds its state for the whole run."""
