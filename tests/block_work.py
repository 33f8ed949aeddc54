"""Functions of blocks for tests of an ordered map: workers import this module."""

from albertkit.errors import InputError


def make_negator():
    return negate


def negate(number):
    if number == 3:
        raise InputError("Not three.")
    return -number
