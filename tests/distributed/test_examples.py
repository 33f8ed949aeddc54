"""What docs/scale.md names: scripts that a shell can read, a manifest of what KubeRay knows, a command that is one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from albertkit.distributed.cluster import Cluster

PLACE = Path(__file__).parents[2] / "examples" / "scale"
SCRIPTS = sorted(PLACE.glob("*.sbatch"))
KNOWN = {
    "RayJob": {"apiVersion", "kind", "metadata", "spec"},
    "spec": {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec"},
    "rayClusterSpec": {"rayVersion", "headGroupSpec", "workerGroupSpecs"},
    "headGroupSpec": {"rayStartParams", "template"},
    "workerGroup": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
    "pod": {"containers", "volumes"},
    "container": {"name", "image", "ports", "resources", "volumeMounts"},
}
"""Fields of KubeRay's RayJob, ray.io/v1, that the manifest may use, by its API reference; of the pods those of
Kubernetes."""
KINDS = {
    **dict.fromkeys(("entrypoint", "rayVersion", "groupName"), str),
    **dict.fromkeys(("backoffLimit", "ttlSecondsAfterFinished", "replicas", "minReplicas", "maxReplicas"), int),
    **dict.fromkeys(("rayStartParams", "template", "rayClusterSpec", "headGroupSpec"), dict),
    "shutdownAfterJobFinishes": bool,
    "workerGroupSpecs": list,
}
"""What these fields hold by the same reference: with another kind the cluster refuses the manifest."""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_read_by_its_shell(script):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    subprocess.run([bash, "-n", script], check=True)
    checker = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which("shellcheck")
    if checker is None:
        pytest.skip("needs shellcheck")
    done = subprocess.run([checker, "--severity=warning", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_there_are_scripts_for_ray_and_for_torchrun():
    assert [path.stem for path in SCRIPTS] == ["predict_torch", "ray", "train_torchrun"]


def test_the_manifest_holds_what_kuberay_knows():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((PLACE / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", job["metadata"]["name"])
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    groups = cluster["workerGroupSpecs"]
    assert set(job) <= KNOWN["RayJob"]
    assert set(spec) <= KNOWN["spec"]
    assert set(cluster) <= KNOWN["rayClusterSpec"]
    assert set(cluster["headGroupSpec"]) <= KNOWN["headGroupSpec"]
    for group in groups:
        assert set(group) <= KNOWN["workerGroup"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *groups):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        assert set(pod) <= KNOWN["pod"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert set(container) <= KNOWN["container"]
            assert container["image"] == "albertkit:latest"
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_fields_of_the_manifest_are_of_their_kinds():
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((PLACE / "rayjob.yaml").read_text())["spec"]
    cluster = spec["rayClusterSpec"]
    for part in (spec, cluster, cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert {name: type(value) for name, value in part.items()} == {name: KINDS[name] for name in part}


def test_the_page_builds_the_image_of_the_manifest_with_its_ray():
    yaml = pytest.importorskip("yaml")
    cluster = yaml.safe_load((PLACE / "rayjob.yaml").read_text())["spec"]["rayClusterSpec"]
    page = (PLACE.parents[1] / "docs" / "scale.md").read_text()
    assert f'"ray[data,train]=={cluster["rayVersion"]}"' in page
    groups = (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    images = {one["image"] for group in groups for one in group["template"]["spec"]["containers"]}
    assert {f"docker build --tag {image.partition(':')[0]} --file" in page for image in images} == {True}


def test_the_versions_of_the_manifest_are_those_that_are_installed():
    yaml, ray = pytest.importorskip("yaml"), pytest.importorskip("ray")
    job = yaml.safe_load((PLACE / "rayjob.yaml").read_text())
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_the_command_of_the_manifest_is_one(monkeypatch):
    yaml, app = pytest.importorskip("yaml"), pytest.importorskip("albertkit.cli.app").app
    import click  # noqa: F401  # Typer's own or the installed one
    import typer

    words = yaml.safe_load((PLACE / "rayjob.yaml").read_text())["spec"]["entrypoint"].split()
    assert words[0] == "albertkit"
    command = typer.main.get_command(app)
    verb = command.get_command(None, words[1])
    known = {name for parameter in verb.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert Cluster(words[words.index("--address") + 1]).address == "auto"
