"""The manifests for Kubernetes in the docs, against its schemas and the one of Dask's operator.

Their libraries come with the extra `test-kubernetes`, as the schemas are a hundred megabytes.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/run-on-dask.md"
VERSIONS = ("1.28", "1.37")
kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="the extra test-kubernetes is not installed"
)
dask_kubernetes = pytest.importorskip(
    "dask_kubernetes", reason="the extra test-kubernetes is not installed"
)


@pytest.fixture(scope="module")
def manifests():
    blocks = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    return {each["kind"]: each for each in found}


def valid(manifest):
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schedule_is_a_cron_job(manifests):
    valid(manifests["CronJob"])
    wrong = json.loads(json.dumps(manifests["CronJob"]))
    wrong["spec"]["jobTemplate"]["spec"]["backOffLimit"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        valid(wrong)


def test_the_cluster_is_one_of_the_operator(manifests):
    charts = Path(dask_kubernetes.__file__).parent / "operator/deployment/helm"
    (file,) = charts.rglob("crds/daskcluster.yaml")
    resource = yaml.safe_load(file.read_text(encoding="utf-8"))
    (version,) = resource["spec"]["versions"]
    cluster = manifests["DaskCluster"]
    assert cluster["apiVersion"] == f"{resource['spec']['group']}/{version['name']}"
    schema = Draft202012Validator(version["schema"]["openAPIV3Schema"])
    assert [each.message for each in schema.iter_errors(cluster)] == []


@pytest.mark.parametrize("part", ["worker", "scheduler"])
def test_the_operator_is_given_pods_and_a_service(manifests, part):
    spec = manifests["DaskCluster"]["spec"]
    named = {"apiVersion": "v1", "metadata": {"name": part}}
    valid({**named, "kind": "Pod", "spec": spec[part]["spec"]})
    valid({**named, "kind": "Service", "spec": spec["scheduler"]["service"]})
