"""Files of other tools that somebody runs as a job: they are called what they are."""

import pytest

from runner.cli.job_files import job_files
from runner.errors import UsageError
from runner.job.load import check_job

FILES = {
    "process-conf.xml": (
        '<beans><bean id="a" class="com.salesforce.dataloader.process.ProcessRunner"/></beans>',
        "a configuration of Data Loader",
    ),
    "map.sdl": ("#Mapping values\ncustomer_no=ERP_Id__c\n", "a mapping of Data Loader"),
    "export.json": (
        '{"objects": [{"query": "SELECT Id FROM Account", "operation": "Upsert"}]}',
        "a configuration of SFDMU",
    ),
    "sets.json": (
        '{"objectSets": [{"objects": [{"query": "SELECT Id FROM Account"}]}]}',
        "a configuration of SFDMU",
    ),
    "plan.json": (
        '[{"sobject": "Account", "saveRefs": true, "files": ["Accounts.json"]}]',
        "a plan of trees of the Salesforce CLI",
    ),
    "Accounts.json": (
        '{"records": [{"attributes": {"type": "Account", "referenceId": "A1"}, "Name": "A"}]}',
        "a tree of records of the Salesforce CLI",
    ),
    "mapping.yml": (
        "Insert Accounts:\n  sf_object: Account\n  fields: [Name]\n",
        "a mapping of CumulusCI",
    ),
    "cumulusci.yml": (
        "minimum_cumulusci_version: '3'\ntasks: {load_dataset: {options: {}}}\n",
        "a project of CumulusCI",
    ),
    "dbt_project.yml": ("name: crm\nmodels: {}\n", "a project of dbt"),
    "sync.yml": ("model: ref('a')\ndestination: {type: salesforce}\n", "a sync of drt"),
    "accounts.csv": ("no,name\n1,A\n", "a file of rows"),
    "quoted.csv": ('"no","name"\n"1","A\n', "a file of rows"),
    "book.xlsx": ("PK\x03\x04", "a file of rows"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_tool_is_called_what_it_is(name, tmp_path):
    content, what = FILES[name]
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    (found,) = check_job(file)[1]
    assert (found.code, found.message) == ("job/other-kind", f"{name} is {what}, not a job")
    assert "{" not in found.help.replace("{database", "")


def test_a_command_in_its_hint_can_be_pasted(tmp_path):
    file = tmp_path / "a plan.json"
    file.write_text(FILES["plan.json"][0])
    (found,) = check_job(file)[1]
    assert f"`runner org load '{file}'`" in found.help


def test_no_file_of_another_tool_is_a_job_of_its_folder(tmp_path):
    for name, (content, _) in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="There is no job in") as caught:
        job_files([tmp_path])
    assert "`runner init` writes one" in caught.value.hint


@pytest.mark.parametrize(
    "content", ["{\n", "- a\n", "version: 1\nname: sf_object\ntasks: {model: x}\n", "objects: []\n"]
)
def test_other_mistakes_are_told_as_such(content, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(content)
    assert not any(" of " in each.message for each in check_job(file)[1] if "kind" in each.code)


def test_a_job_is_one_whatever_its_parameters_are_called(tmp_path):
    params = "  sf_object: {type: text, default: A}\n"
    job = f"params:\n{params}connection: org.yaml\ntasks:\n  - {{name: a, frm: a.csv}}\n"
    (tmp_path / "job.yaml").write_text(job)
    assert [each.name for each in job_files([tmp_path])] == ["job.yaml"]
    codes = {each.code for each in check_job(tmp_path / "job.yaml")[1]}
    assert codes
    assert "job/other-kind" not in codes


@pytest.mark.parametrize("name", ["accounts.csv", "map.sdl", "dbt_project.yml"])
def test_a_file_that_is_not_there_is_nothing_else(name, tmp_path):
    (found,) = check_job(tmp_path / name)[1]
    assert found.code == "yaml/no-file"
