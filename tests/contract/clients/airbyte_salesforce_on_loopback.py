"""Airbyte's source for Salesforce with its login host taken to ORG_URL; the arguments are its own.

Run by the Python that the source is installed in. From the login on it uses the instance URL that
the org gives, which may be plain http.
"""

import os

import requests.adapters
from source_salesforce.run import run

LOGIN = "https://login.salesforce.com"
send = requests.adapters.HTTPAdapter.send


def send_to_the_local_org(adapter, request, **options):
    request.url = request.url.replace(LOGIN, os.environ["ORG_URL"], 1)
    return send(adapter, request, **options)


requests.adapters.HTTPAdapter.send = send_to_the_local_org
run()
