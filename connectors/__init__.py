"""WHERE data comes from and goes: every file, socket and database.

In: what to open, as things from `schemas`. Out: tables and things from `schemas`. Forbidden: renaming or
dropping data, importing `transforms` or `flows`, reading the environment.
"""
