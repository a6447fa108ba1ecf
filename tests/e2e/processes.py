"""Processes that tests look at and kill: only those that they started themselves."""

import psutil


def processes(*words):
    """Return the processes that we started, directly or not, whose command has one of the words in it."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join([child.name(), *child.cmdline()[:1]])
        except psutil.Error:
            continue
        if any(word in command for word in words):
            found.append(child)
    return found


def actors():
    return processes("Trainable")
