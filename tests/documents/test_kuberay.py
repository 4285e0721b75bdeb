"""The manifests for Kubernetes are whole: YAML of the kinds that KubeRay has, whose machines have token authentication and limits."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "examples" / "kuberay"


@pytest.mark.parametrize(("name", "kind"), [("cluster.yaml", "RayCluster"), ("job.yaml", "RayJob")])
def test_manifests_are_clusters_with_authentication_and_limits(name: str, kind: str) -> None:
    manifest: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", kind)
    spec = manifest["spec"]
    if kind == "RayJob":
        assert spec["entrypoint"].split()[-1] == "/home/ray/work.py"
        spec = spec["rayClusterSpec"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    docker = (FOLDER / "Dockerfile").read_text("utf-8")
    assert f"FROM rayproject/ray:{spec['rayVersion']}-" in docker
    assert "COPY work.py /home/ray/work.py" in docker
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]
        assert {"name": "RAY_worker_niceness", "value": "0"} in container["env"]
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_function_of_the_job_counts_primes() -> None:
    work = runpy.run_path(str(FOLDER / "work.py"))
    assert work["primes"](0) == 168
