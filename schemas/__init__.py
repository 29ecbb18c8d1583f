"""WHAT data looks like: the job file, the API's payloads, replies and codes, fates, errors.

In: nothing. Out: frozen dataclasses and structs, tables of rules. Forbidden: importing any of our other
rooms, reading a file, a clock or the environment.
"""
