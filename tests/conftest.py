"""What tests of every folder may ask for."""

from tests.servers import mariadb, postgresql  # noqa: F401 - fixtures are found by their names
