"""Implementations of exercises, given from a later lab on; FROM in each file is the number of that lab.

The sandbox of a lab contains the files given by then, without implementations of the lab's own exercises.
"""
