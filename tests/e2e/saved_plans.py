"""Plans that tests save and apply."""

ACCOUNTS = "SELECT Id, ERP_Id__c, Name, Phone, Score__c, SystemModstamp FROM Account ORDER BY Name"
SIMPLE = "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}"


def planned(bench, job, *options):
    ended = bench.run("plan", job, "--save", "saved.plan", "-o", "json", *options)
    assert ended.code == 0, ended.err
    return ended.document
