"""jsforce (npm `@jsforce/jsforce-node`): what it does in Node, against the local org."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("jsforce_scenarios.cjs")
SCENARIOS = re.findall(r"^  async (\w+)\(\)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="session")
def node(installed):
    """Node, with jsforce beside it; asked for before an org is started for nothing."""
    installed("node_modules/@jsforce/jsforce-node")
    return installed("node_modules/node/bin/node")


@pytest.fixture(scope="module")
def wrong(node, org):
    """What went wrong in which scenario: one process runs them all, since it starts slowly."""
    told = {"NODE_PATH": str(node.parents[2]), "ORG_URL": org.url, "ORG_TOKEN": org.token}
    run = subprocess.run(
        [node, SCRIPT, *SCENARIOS],
        env={"PATH": os.environ["PATH"], **told},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_jsforce(scenario, wrong):
    assert scenario not in wrong, wrong[scenario]
