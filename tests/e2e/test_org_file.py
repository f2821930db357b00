"""The org that a run starts for itself: seeded once, or refused with the reason."""

CONNECTION = "{environment: local, org_file: org.yaml}"
QUERY = "- {name: all, query: SELECT Name FROM Account, to: out.csv}"
SEEDED = "version: 1\nseed: {Account: seed.csv}\n"


def test_an_empty_org_starts_with_its_seeds_and_is_not_seeded_again(bench):
    bench.write("org.yaml", SEEDED)
    bench.write("seed.csv", "Name\nAcme\n")
    job = bench.job(QUERY, connection=CONNECTION)
    for _ in range(2):
        ended = bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.err
        assert ended.task("all")["counts"]["read"] == 1


def test_a_seed_that_the_org_refuses_ends_the_run_with_its_line(bench):
    bench.write("org.yaml", SEEDED)
    bench.write("seed.csv", "Name,Nam\nAcme,x\n")
    ended = bench.run("run", bench.job(QUERY, connection=CONNECTION))
    assert ended.code == 1
    assert "seed.csv:1: Account has no field 'Nam'" in ended.err


def test_an_org_that_cannot_be_ends_the_command_with_where_and_why(bench):
    field = "{type: lookup, to: Nix__c}"
    text = f"version: 1\nobjects: {{Account: {{fields: {{To__c: {field}}}}}}}\n"
    ended = bench.run("org", "serve", "--port", "0", "--org-file", bench.write("org.yaml", text))
    assert ended.code == 2
    assert "org.yaml:2:" in ended.err
    assert "no sObject Nix__c in this org" in ended.err
