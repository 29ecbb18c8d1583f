"""What tests of every folder may ask for."""

from tests.servers import mariadb, postgresql  # noqa: F401
