"""The Salesforce CLI signs in to the local org with a key: `sf org login jwt`.

Its assertion has `exp` in milliseconds, which Salesforce takes.
"""

import json
import os
import subprocess
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SETTINGS = {
    "SF_DISABLE_TELEMETRY": "true",
    "SF_DISABLE_AUTOUPDATE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
}
USER = "admin@local.example"
APP = """\
version: 1
apps:
  - client_id: signer
    users_preauthorized: true
    certificate: |
{certificate}
"""


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def org_file(key):
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return APP.format(certificate=textwrap.indent(pem, " " * 6))


@pytest.mark.slow
def test_org_login_jwt(installed, org, key, tmp_path):
    node = installed("node_modules/node/bin/node")
    script = installed("node_modules/@salesforce/cli/bin/run.js")
    file = tmp_path / "app.key"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    words = f"org login jwt --client-id signer --username {USER} --json --jwt-key-file"
    login = subprocess.run(
        [node, script, *words.split(), file, "--instance-url", org.url],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **SETTINGS},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=120,
        check=False,
    )
    assert login.returncode == 0, login.stdout
    assert json.loads(login.stdout)["result"]["username"] == USER
