"""HTTP: requests, responses, their log, and the server."""
