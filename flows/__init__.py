"""WHEN things happen, and in what order: the command line, Prefect, the environment, the clock.

In: a job file's path and options. Out: exit codes, `run.json`, a report. Forbidden: computing and parsing.
"""
