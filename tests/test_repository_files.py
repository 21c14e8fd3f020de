"""CITATION.cff, CI, pre-commit and Docker agree with the rest of the repository."""

import os
import re
import tomllib

import pytest
import yaml

from tests.scripts import ROOT, run
from tests.test_structure import LAYERS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name):
    return (ROOT / name).read_text()


def read_yaml(name):
    """What a file of YAML holds, every value as text: `on` is no truth value then."""
    return yaml.load(read(name), Loader=yaml.BaseLoader)


def supported_pythons():
    """The oldest and the newest minor version, as pyproject.toml names them."""
    least, end = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]
    ).groups()
    return int(least), int(end) - 1


def test_the_makefile_supports_the_pythons_of_the_project():
    oldest, newest = supported_pythons()
    assert f"(3, {oldest}) <= sys.version_info[:2] <= (3, {newest})" in read("Makefile")


def test_ci_runs_what_a_change_must_pass_on_the_oldest_and_newest_python():
    workflow = read_yaml(".github/workflows/ci.yml")
    assert set(workflow["on"]) == {"push", "pull_request"}
    (job,) = workflow["jobs"].values()
    oldest, newest = supported_pythons()
    assert job["strategy"]["matrix"]["python"] == [f"3.{oldest}", f"3.{newest}"]
    *_, setup, last = job["steps"]
    assert setup["with"]["cache"] == "pip"
    assert list(ROOT.glob(setup["with"]["cache-dependency-path"]))
    assert os.access(ROOT / last["run"], os.X_OK)
    assert 30 <= int(job["timeout-minutes"]) <= 180


def test_pre_commit_runs_the_ruff_of_the_requirements():
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    (ruff,) = re.findall(r"^ruff.*$", read("requirements-dev.txt"), re.MULTILINE)
    commands = []
    for hook in repository["hooks"]:
        assert hook["additional_dependencies"] == [ruff]
        commands.append(hook["entry"].removesuffix(" --force-exclude"))
    assert commands == ["ruff check", "ruff format"]
    for command in commands:
        assert f"$(BIN)/{command} " in read("Makefile")


def test_the_citation_says_what_the_project_and_the_readme_say():
    citation = read_yaml("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["version"], citation["license"]) == (
        *(PROJECT["name"], PROJECT["version"], PROJECT["license"]),
    )
    readme = " ".join(read("README.md").split())
    for reference in citation["references"]:
        names = [
            f"{a['family-names']}, {a['given-names']}" for a in reference["authors"]
        ]
        where = reference.get("journal") or reference["collection-title"]
        for said in (f"title = {{{reference['title']}}}", f"{{{where}}}"):
            assert said in readme
        assert f"author = {{{' and '.join(names)}}}" in readme
        assert f"year = {{{reference['year']}}}" in readme
    assert len(citation["references"]) == readme.count(" title = {")
    assert citation["references"][1]["url"].endswith("1809.04789")
    assert "arXiv 1809.04789" in readme


def test_the_image_has_a_supported_python_all_that_runs_and_no_root():
    text = read("Dockerfile")
    minor = int(re.search(r"^FROM python:3\.(\d+)-slim$", text, re.MULTILINE)[1])
    oldest, newest = supported_pythons()
    assert oldest <= minor <= newest
    named = re.findall(r"REQUIREMENTS=(\S+)", text)
    assert sorted(set(named)) == ["requirements-gpu.txt", "requirements.txt"]
    assert all((ROOT / name).is_file() for name in named)
    lines = [line for line in text.splitlines() if not line.startswith(("#", " "))]
    assert lines.index("USER eusr") < lines.index(
        'ENTRYPOINT ["python", "/app/test.py"]'
    )
    ignored = read(".dockerignore").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert ignored[1] == "*"
    assert kept >= set().union(*LAYERS) | {"pretrained", "*.py", "requirements*.txt"}
    assert all(list(ROOT.glob(pattern)) for pattern in kept)


@pytest.mark.parametrize(
    ("script", "now"),
    re.findall(
        r"^- `(\w+/\w+\.py)`: use `([^`]+)`", read("CHANGELOG.md"), re.MULTILINE
    ),
)
def test_the_name_of_a_removed_script_says_where_to_go(script, now):
    done = run(script)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {script} is gone: ") and now in line
