"""tap-salesforce with its fixed login host taken to ORG_URL; the arguments are the tap's own.

Run by the Python that the tap is installed in. From the login on it uses the instance URL that the
org gives, which may be plain http.
"""

import os

import requests.adapters
import tap_salesforce
import tap_salesforce.salesforce.bulk

LOGIN = "https://login.salesforce.com"
send = requests.adapters.HTTPAdapter.send


def send_to_the_local_org(adapter, request, **options):
    request.url = request.url.replace(LOGIN, os.environ["ORG_URL"], 1)
    return send(adapter, request, **options)


requests.adapters.HTTPAdapter.send = send_to_the_local_org
# It looks at a batch every twenty seconds.
tap_salesforce.salesforce.bulk.BATCH_STATUS_POLLING_SLEEP = 0.05
tap_salesforce.main()
