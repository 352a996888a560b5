"""What files for machines say: workflows, citation, recipe, groups of dependencies."""

import re
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import sklearn_ae

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: path.read_text() for path in (GITHUB / "workflows").glob("*.yml")}
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
RECIPE = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
# PyPI's name -> conda-forge's, where they differ
CONDA_NAMES = {"torch": "pytorch"}


def actions_of(text):
    """Match of each action that a workflow uses, None for one without a commit and a version."""
    return [PINNED.fullmatch(line) for line in re.findall(r"\buses: *(.*)", text)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_commit(name):
    actions = actions_of(WORKFLOWS[name])
    assert actions and None not in actions


@pytest.mark.parametrize(
    "line",
    [
        "uses: actions/checkout@v6",
        f"uses: actions/checkout@{'a' * 40}",
        f"uses: actions/checkout@{'a' * 39} # v6.0.2",
        "- uses: pypa/gh-action-pypi-publish@release/v1 # v1.13.0",
    ],
)
def test_rule_about_pinned_actions_sees_faults(line):
    assert actions_of(line) == [None]


def test_an_action_has_one_version():
    versions = defaultdict(set)
    for text in WORKFLOWS.values():
        for action in actions_of(text):
            versions[action["action"]].add((action["commit"], action["version"]))
    assert {action for action, found in versions.items() if len(found) > 1} == set()


def test_workflows_may_read_only_but_for_what_a_job_says():
    permissions = {name: yaml.safe_load(text)["permissions"] for name, text in WORKFLOWS.items()}
    assert permissions == {name: {"contents": "read"} for name in WORKFLOWS}


def test_every_supported_python_is_tested():
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    named = [match[1] for line in PROJECT["classifiers"] if (match := re.fullmatch(pattern, line))]
    matrix = yaml.safe_load(WORKFLOWS["tests"])["jobs"]["tests"]["strategy"]["matrix"]
    assert named == matrix["python-version"]
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert {row["os"] for row in matrix["include"]} == {"macos-latest", "windows-latest"}


def test_torch_has_rows_beside_the_pinned_one():
    (pin,) = re.findall(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    job = yaml.safe_load(WORKFLOWS["tests"])["jobs"]["torch"]
    versions = [Version(text) for text in job["strategy"]["matrix"]["torch"]]
    minors = [one.release[:2] for one in versions]
    assert len(versions) >= 2 and len({*minors, Version(pin).release[:2]}) == len(versions) + 1
    (requirement,) = [text for text in PROJECT["dependencies"] if text.startswith("torch")]
    assert all(one in Requirement(requirement).specifier for one in versions)
    assert job["env"] == {"TORCH": "${{ matrix.torch }}"}


def test_nightly_builds_are_tested_once_a_week():
    text = WORKFLOWS["nightly"]
    (minute, hour, *days), *more = (cron.split() for cron in re.findall(r'cron: "(.+)"', text))
    assert minute.isdigit() and hour.isdigit() and days[:2] == ["*", "*"] and days[2].isdigit()
    assert more == [] and "continue-on-error" not in text


def test_dependabot_keeps_actions_and_pins_but_not_the_oldest_versions():
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    by_kind = {update["package-ecosystem"]: update for update in updates}
    assert set(by_kind) == {"github-actions", "pip"}
    assert by_kind["pip"]["exclude-paths"] == ["constraints-oldest.txt"]
    for update in updates:
        assert update["schedule"] == {"interval": "monthly"} and len(update["groups"]) == 1


def printed_by_make(*arguments):
    """Commands that make would run, were nothing there."""
    command = ["make", "--dry-run", "--always-make", "PYTHON=python", "TORCH=", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_make_installs_the_pins():
    printed = printed_by_make("install")
    assert "-c constraints.txt -e '.[compare,excel]' --group test" in printed
    assert "TORCH" not in printed and "torch" not in printed


@needs_make
def test_make_takes_another_torch_in_an_environment_of_its_own():
    lines = printed_by_make("install", "TORCH=9.8.7").splitlines()
    assert (
        "sed 's/^torch==.*/torch==9.8.7/' constraints.txt >build/constraints-torch-9.8.7.txt"
        in (lines)
    )
    (line,) = [line for line in lines if "--group" in line]
    assert line.startswith(".venv-torch-9.8.7/")
    assert "-c build/constraints-torch-9.8.7.txt" in line


@needs_make
@pytest.mark.parametrize(("system", "folder"), [("Windows_NT", "Scripts"), ("", "bin")])
def test_make_finds_the_programs_of_an_environment(system, folder):
    printed = printed_by_make(f"OS={system}", "lint", "test-oldest", "test-nightly", "bench-peers")
    assert {*re.findall(r"\.venv[\w-]*/(\w+)/", printed)} == {folder}


@pytest.mark.parametrize(
    "name", ["Makefile", "pyproject.toml", ".readthedocs.yaml", "CONTRIBUTING.md"]
)
def test_groups_and_extras_that_are_installed_exist(name):
    text = (ROOT / name).read_text()
    groups = {*re.findall(r"--group (\w+)", text)}
    extras = {*",".join(re.findall(r"'\.\[([\w,]+)\]'", text)).split(",")}
    assert groups and groups <= set(PYPROJECT["dependency-groups"])
    assert extras <= set(PROJECT["optional-dependencies"])


def test_what_a_checkout_needs_is_no_extra():
    assert set(PYPROJECT["dependency-groups"]) == {"test", "docs", "bench"}
    assert set(PROJECT["optional-dependencies"]) == {"compare", "excel"}


def test_citation_is_of_this_version():
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software"
    assert CITATION["message"] and CITATION["title"].startswith("sklearn-ae")
    assert [author["name"] for author in CITATION["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]
    assert CITATION["version"] == sklearn_ae.__version__
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["keywords"] == PROJECT["keywords"]


def test_citation_has_the_date_of_the_changelog():
    pattern = rf"^## \[{re.escape(sklearn_ae.__version__)}\] - (.+)$"
    (date,) = re.findall(pattern, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert str(CITATION.get("date-released", "unreleased")) == date


def test_recipe_is_of_this_version():
    assert RECIPE["schema_version"] == 1
    assert RECIPE["context"]["version"] == sklearn_ae.__version__
    assert f">={RECIPE['context']['python_min']}" == PROJECT["requires-python"]
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert [RECIPE["about"]["license_file"]] == PROJECT["license-files"]


def conda_requirement(text):
    """A requirement of pip as conda writes it."""
    requirement = Requirement(text)
    name = CONDA_NAMES.get(requirement.name, requirement.name)
    return f"{name} {requirement.specifier}"


def test_recipe_requires_what_the_package_does():
    python, *run = RECIPE["requirements"]["run"]
    assert python == "python >=${{ python_min }}"
    assert sorted(run) == sorted(map(conda_requirement, PROJECT["dependencies"]))
    (backend,) = PYPROJECT["build-system"]["requires"]
    assert conda_requirement(backend) in RECIPE["requirements"]["host"]


def test_recipe_installs_the_command():
    commands = [f"{name} = {target}" for name, target in PROJECT["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == commands


def test_the_repository_has_one_address():
    source = PROJECT["urls"]["Source"]
    assert CITATION["repository-code"] == RECIPE["about"]["repository"] == source
    assert PROJECT["urls"]["Issues"] == f"{source}/issues"
    assert f"({source}/security/advisories/new)" in (ROOT / "SECURITY.md").read_text()
    assert CITATION["url"] == RECIPE["about"]["documentation"] == PROJECT["urls"]["Documentation"]
