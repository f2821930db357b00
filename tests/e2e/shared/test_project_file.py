"""A project's file names the state of all its machines, and no place for tokens."""

TASK = "- {name: out, query: SELECT Id FROM Account, to: out.csv}"
TOKEN = "token: {state: acme, key: {env: KEY}}"


def test_the_state_of_a_project_is_that_of_all_its_machines(fleet, two, job, org):
    ada, bob = two
    for each in two:
        each.state = ""
        each.write("sfrunner.yaml", f"state: {fleet.state}\n")
    name = job(TASK)
    assert ada.run("run", name).code == 0
    listed = bob.run("history", "-o", "json").document["runs"]
    assert [each["exit_code"] for each in listed] == [0]
    told = bob.run("doctor")
    assert told.code == 0, told.out
    assert f"state: chosen by {bob.checkout}/sfrunner.yaml\n" in told.out

    stored = f"{{environment: local, url: '{org.url}', client_id: app, {TOKEN}}}"
    name = job(TASK, connection=stored)
    refused = ada.run("login", name)
    assert refused.code == 2
    assert f"a state that only {ada.checkout}/sfrunner.yaml names" in refused.err
    assert "set SFRUNNER_STATE" in refused.err
    assert ada.run("run", name).code == 2, "nor is one read"

    ada.write("sfrunner.yaml", "state: {env: CRM_STATE}\n")
    unset = ada.run("history")
    assert unset.code == 2
    assert "sfrunner.yaml:1:14" in unset.err
    ada.killer.env |= {"CRM_STATE": fleet.state, "KEY": "a passphrase of some length"}
    assert "There is no token acme in the state" in ada.run("run", name).err, "it may be there"
    assert "sfrunner.yaml, from CRM_STATE\n" in ada.run("doctor").out


def test_a_wrong_file_is_told_by_each_command(fleet, two, job):
    ada, _ = two
    ada.state = ""
    name = job(TASK)
    ada.write("sfrunner.yaml", "stat: .sfrunner\n")
    for words in (["run", name], ["history"], ["validate", name]):
        ended = ada.run(*words)
        assert ended.code == 2, words
        told = ended.out if words[0] == "validate" else ended.err
        assert "sfrunner.yaml:1:1" in told
        assert "did you mean `state`?" in told
    ada.state = str(ada.folder / "own")
    assert ada.run("history").code == 0, "it is not read where the user names the state"
