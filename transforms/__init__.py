"""WHAT happens to data: table in, table out.

In: tables and things from `schemas`. Out: the same. Forbidden: logging, catching what it did not raise,
clocks, files, sockets, the environment, and changing what it was given.
"""
