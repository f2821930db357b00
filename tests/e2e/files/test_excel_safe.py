"""Result files that a spreadsheet may open."""


def test_a_run_writes_copies_without_formulas(bench, org):
    bench.write("a.csv", "Name,Active__c\n=cmd|x,true\nb,perhaps\n")
    job = bench.job("\n- name: load\n  create: Account\n  from: a.csv\n")
    ended = bench.run("run", job, "--excel-safe", "-o", "json")
    assert ended.code == 3, ended.err
    (copy,) = bench.state.rglob("succeeded.excel.csv")
    assert "'=cmd|x" in copy.read_text(encoding="utf-8-sig")
    assert "'" not in copy.with_name("succeeded.csv").read_text()
    assert org.rows("SELECT Name FROM Account") == [{"Name": "=cmd|x"}]
