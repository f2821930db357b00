"""The wire: requests, responses, routing, the server."""
