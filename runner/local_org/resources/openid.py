"""OpenID Connect's discovery: `/.well-known/openid-configuration` and `/id/keys`.

Knows what the sign-in of this org supports. The key signs nothing, for the org has no id_token.
"""

from __future__ import annotations

import json

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.apps import KNOWN_SCOPES
from runner.local_org.org import Org

_ENDPOINTS = {
    "authorization_endpoint": "/services/oauth2/authorize",
    "token_endpoint": "/services/oauth2/token",
    "revocation_endpoint": "/services/oauth2/revoke",
    "userinfo_endpoint": "/services/oauth2/userinfo",
    "jwks_uri": "/id/keys",
    "introspection_endpoint": "/services/oauth2/introspect",
}


class SigningKey:
    """The org's public key, new in each server."""

    def __init__(self, _org: Org) -> None:
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
        from jwt.algorithms import RSAAlgorithm

        private = generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
        self.jwk = {
            "kty": "RSA",
            "n": public["n"],
            "e": public["e"],
            "alg": "RS256",
            "use": "sig",
            "kid": "1",
        }


def _configuration(_org: Org, request: Request) -> Response:
    endpoints = {name: request.base_url + path for name, path in _ENDPOINTS.items()}
    return Response.of_json(
        {
            "issuer": request.base_url,
            **endpoints,
            "scopes_supported": sorted(KNOWN_SCOPES),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


def _keys(org: Org, _request: Request) -> Response:
    return Response.of_json({"keys": [org.part(SigningKey).jwk]})


ROUTES = tuple(
    Route("GET", path, endpoint, versioned=False, signed_in=False)
    for path, endpoint in (
        (r"/\.well-known/openid-configuration", _configuration),
        ("/id/keys", _keys),
    )
)
