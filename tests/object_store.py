"""An S3 server with a bucket, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

BUCKET = "states"


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """Serve the bucket until the block ends; the environment tells libraries where it is."""
    import s3fs  # noqa: PLC0415 - few tests have one
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    s3fs.S3FileSystem.clear_instance_cache()  # with the address of an earlier server
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        env = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        httpx.put(f"{env['AWS_ENDPOINT_URL']}/{BUCKET}").raise_for_status()
        yield env
    finally:
        server.stop()
