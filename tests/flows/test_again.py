"""When Prefect runs a flow run again, the load that it began goes on; another flow run's is left alone."""

import os

import pytest

from flows.hands import Silent, pool
from flows.load import run
from flows.resume import of_caller
from flows.settings import Home

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def stopped(desk):
    """A desk whose flow run "flow-1" began a load that its canary stopped."""
    desk.source(60)
    desk.write("customers.csv", (desk.folder / "customers.csv").read_text().replace("C-", "X-"))
    home = Home(desk.home)
    with pool("threads") as workers:
        begun = run(desk.folder / desk.job(), home, workers, Silent(), os.environ, caller="flow-1")
    assert begun.state == "stopped"
    return home, begun


def test_the_same_flow_run_goes_on_with_its_load(stopped):
    home, begun = stopped
    again = of_caller(home, "flow-1", Silent(), os.environ, approved=False)
    assert (again.run, again.state, again.totals.rows) == (begun.run, "done", {"refused": 60})


def test_another_flow_run_begins_its_own(stopped):
    home, _ = stopped
    assert of_caller(home, "flow-2", Silent(), os.environ, approved=False) is None


def test_a_load_that_came_to_its_end_is_not_gone_on_with(stopped):
    home, _ = stopped
    of_caller(home, "flow-1", Silent(), os.environ, approved=False)
    assert of_caller(home, "flow-1", Silent(), os.environ, approved=False) is None
