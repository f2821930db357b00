import pytest

from runner.job.documents import load_checked
from runner.job.load import check_job
from runner.report.diagnostics import diagnostic_document, render_diagnostic

ACCESS = "00D5g00000ABCDE!AQEAQKv0000000000000000000000000.abcdefgh"
REFRESH = "5Aep861TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrfkTSESvWeug"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHOSJ9.c2lnbmF0dXJl"
URL = "force://PlatformCLI::5Aep861abcdefgh@acme.my.salesforce.com"
HEX = "F" * 64


def shown(file, text):
    """Everything that is ever printed of a job's problems."""
    file.write_text(text, encoding="utf-8")
    job, found = check_job(file)
    texts = [f"{render_diagnostic(each)} {diagnostic_document(each)}" for each in found]
    return job, [each.code for each in found], "\n".join(texts)


@pytest.mark.parametrize("secret", [ACCESS, REFRESH, JWT, URL, HEX])
@pytest.mark.parametrize(
    "place",
    [
        "connection: {environment: live, token: SECRET}",
        "connection: {environment: live, token: {env: SECRET}}",
        "connection: {environment: live, client_id: SECRET}",
        "description: SECRET\nconnection: {environment: local}",
    ],
)
def test_a_secret_in_the_job_is_refused_and_not_repeated(secret, place, tmp_path):
    tasks = "tasks: [{name: a, query: SELECT Id FROM A}]"
    job, codes, text = shown(
        tmp_path / "job.yaml", f"version: 1\n{place.replace('SECRET', secret)}\n{tasks}\n"
    )
    assert job is None
    assert "job/secret-in-file" in codes
    assert secret not in text


def test_a_secret_is_not_repeated_by_a_syntax_error(tmp_path):
    job, codes, text = shown(tmp_path / "job.yaml", f"version: 1\ntoken: '{ACCESS}\n")
    assert (job, codes) == (None, ["yaml/unclosed-quote"])
    assert ACCESS not in text


def test_a_secret_as_a_key_or_in_a_message_is_hidden(tmp_path):
    head = "version: 1\nconnection: {environment: local}\n"
    _, _, text = shown(
        tmp_path / "job.yaml", f"{head}{ACCESS}: 1\ntasks: [{{name: {ACCESS}, query: x}}]\n"
    )
    assert ACCESS not in text


@pytest.mark.parametrize("key", ["password", "client_secret", "refresh-token", "Security_Token"])
def test_a_key_that_asks_for_a_secret_is_refused(key, tmp_path):
    head = "version: 1\ntasks: [{name: a, query: SELECT Id FROM A, to: a.csv}]\n"
    job, codes, text = shown(
        tmp_path / "job.yaml", f"{head}connection:\n  environment: local\n  {key}: hunter2\n"
    )
    assert job is None
    assert codes == ["job/secret-in-file"]
    assert "hunter2" not in text


def test_a_field_and_a_param_may_be_called_password(tmp_path):
    (tmp_path / "a.csv").write_text("password\n", encoding="utf-8")
    _, codes, _ = shown(
        tmp_path / "job.yaml",
        "version: 1\nconnection: {environment: local}\n"
        "params: {password: {type: string, default: x}}\n"
        "tasks:\n"
        "  - {name: a, create: User, from: a.csv, fields: {Password: password}}\n"
        "  - {name: b, query: 'SELECT Id FROM A WHERE B = :password', to: b.csv}\n",
    )
    assert codes == []


def test_the_apps_of_an_org_file_have_pretend_secrets(tmp_path):
    (tmp_path / "org.yaml").write_text(
        "version: 1\napps: [{client_id: a, client_secret: pretend}]\n", encoding="utf-8"
    )
    assert (
        load_checked(tmp_path / "org.yaml", "org").values["apps"][0]["client_secret"] == "pretend"
    )


@pytest.mark.parametrize("unit", ["{", "{{a", "${a", "{{a}}", "${a}"])
def test_many_placeholders_are_not_each_looked_for(tmp_path, unit):
    file = tmp_path / "job.yaml"
    name = unit * (200_000 // len(unit))
    file.write_text(f'version: 1\nconnection: {{environment: local}}\nname: "{name}"\ntasks: []\n')
    codes = [each.code for each in check_job(file)[1]]
    assert codes.count("job/placeholder") == (20 if "}" in unit else 0)
