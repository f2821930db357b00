#!/usr/bin/env bash
# A worker of distributed that closes waits for the task that it executes, unless the task has seceded.
#
# Input:    a worker of one thread, asked to close while its only task waits for an event; the task
#           has called secede() before, or has not.
# Expected: close() waits for the task either way: secede() gives up the place in the thread pool, so
#           that others may be executed, and is said to do no more.
# Seen:     without secede() it waits; with it the worker is closed while the task goes on. The
#           scheduler may then give the task to another worker, so that it is executed twice at once.
#           What has to be over by then can be waited for in an async teardown of a WorkerPlugin.
# Version:  distributed 2026.8.0, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q distributed==2026.8.0 dask==2026.8.0
cd "$folder"
cat > work.py <<'PYTHON'
import threading

from distributed import secede

started, may_end = threading.Event(), threading.Event()
ended = []


def wait_for_the_end(leaves):
    if leaves:
        secede()
    started.set()
    may_end.wait(60)
    ended.append(leaves)
PYTHON
cat > run.py <<'PYTHON'
import asyncio
import sys

import distributed
from distributed import Client, Scheduler, Worker

import work


async def closed_before_its_task(leaves):
    work.started.clear()
    work.may_end.clear()
    async with Scheduler(dashboard_address=None, host="127.0.0.1", port=0) as scheduler:
        worker = await Worker(scheduler.address, nthreads=1, host="127.0.0.1")
        async with Client(scheduler.address, asynchronous=True) as client:
            task = client.submit(work.wait_for_the_end, leaves, pure=False)
            await asyncio.to_thread(work.started.wait, 60)
            closing = asyncio.ensure_future(worker.close(timeout=60))
            await asyncio.wait([closing], timeout=10)
            before = closing.done() and leaves not in work.ended
            work.may_end.set()
            await closing
            del task
    return before


async def main():
    seen = {leaves: await closed_before_its_task(leaves) for leaves in (False, True)}
    print("distributed", distributed.__version__, "{seceded: closed before its task}:", seen)
    sys.exit(seen != {False: False, True: True})


asyncio.run(main())
PYTHON
venv/bin/python run.py 2>/dev/null
