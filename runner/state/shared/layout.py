"""The tables of a shared state in PostgreSQL, by version.

As in `ledger_file`, with what one machine leaves to its operating system: locks and tokens.
"""

from __future__ import annotations

LAYOUTS = (
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY,
        rowid BIGINT GENERATED ALWAYS AS IDENTITY,
        job TEXT NOT NULL,
        job_file TEXT NOT NULL,
        job_sha256 TEXT NOT NULL,
        started TEXT NOT NULL,
        finished TEXT,
        org_id TEXT,
        instance_url TEXT,
        username TEXT,
        api_version TEXT,
        folder TEXT,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        began TEXT,
        exit_code INTEGER,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'aborted')),
        asked TEXT NOT NULL,
        verb TEXT NOT NULL,
        target TEXT NOT NULL,
        selective INTEGER NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0,
        after TEXT,
        problems TEXT NOT NULL DEFAULT '[]',
        message TEXT,
        hint TEXT
    );
    CREATE INDEX runs_by_time ON runs (started);
    CREATE INDEX runs_by_job ON runs (job_file, target, started);
    CREATE TABLE tasks (
        run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
        name TEXT NOT NULL,
        rowid BIGINT GENERATED ALWAYS AS IDENTITY,
        position BIGINT NOT NULL,
        verb TEXT NOT NULL,
        sobject TEXT NOT NULL,
        status TEXT,
        counts TEXT,
        api TEXT,
        api_calls BIGINT,
        seconds DOUBLE PRECISION,
        message TEXT,
        code TEXT,
        hint TEXT,
        exit_code INTEGER,
        results TEXT,
        target TEXT,
        bulk_job_ids TEXT,
        top_errors TEXT,
        plan TEXT,
        settled INTEGER NOT NULL DEFAULT 0,
        notes TEXT NOT NULL DEFAULT '[]',
        problems TEXT NOT NULL DEFAULT '[]',
        PRIMARY KEY (run_id, name)
    );
    CREATE TABLE parts (
        run_id TEXT NOT NULL,
        task TEXT NOT NULL,
        part BIGINT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        first_row BIGINT,
        last_row BIGINT,
        rows BIGINT,
        bytes BIGINT,
        sha256 TEXT,
        file TEXT,
        state TEXT NOT NULL,
        bulk_job_id TEXT,
        results TEXT,
        began TEXT,
        updated TEXT NOT NULL,
        PRIMARY KEY (run_id, task, part, attempt),
        FOREIGN KEY (run_id, task) REFERENCES tasks (run_id, name) ON DELETE CASCADE
    );
    CREATE INDEX parts_by_bulk_job ON parts (bulk_job_id);
    CREATE TABLE watermarks (
        job TEXT NOT NULL,
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        query_sha256 TEXT NOT NULL,
        field TEXT NOT NULL,
        until TEXT NOT NULL,
        known_from TEXT NOT NULL,
        full_at TEXT NOT NULL,
        run_id TEXT NOT NULL,
        PRIMARY KEY (job_file, task, org_id)
    );
    CREATE TABLE delivered (
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        id TEXT NOT NULL,
        stamp TEXT NOT NULL,
        PRIMARY KEY (job_file, task, org_id, id, stamp)
    );
    CREATE TABLE mirrors (
        number INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        UNIQUE (job_file, task, org_id)
    );
    CREATE TABLE managed (
        mirror INTEGER NOT NULL REFERENCES mirrors,
        id TEXT NOT NULL,
        deleted TEXT,
        PRIMARY KEY (mirror, id)
    );
    CREATE TABLE notifications (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id TEXT REFERENCES runs ON DELETE CASCADE,
        job_file TEXT NOT NULL,
        target TEXT,
        event TEXT NOT NULL,
        recipient TEXT NOT NULL,
        message TEXT NOT NULL,
        created TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
        tried TEXT,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT
    );
    CREATE INDEX notifications_by_run ON notifications (run_id);
    CREATE TABLE locks (
        name TEXT PRIMARY KEY,
        fence BIGINT NOT NULL,
        run_id TEXT,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        began TEXT,
        since TEXT NOT NULL,
        expires TIMESTAMPTZ NOT NULL
    );
    CREATE INDEX locks_by_run ON locks (run_id);
    CREATE TABLE files (
        run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        size BIGINT NOT NULL,
        PRIMARY KEY (run_id, path)
    );
    CREATE TABLE tokens (
        name TEXT PRIMARY KEY,
        sealed TEXT NOT NULL,
        updated TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    """,
)
"""One step a version: a state of version n needs the steps after n. Never change a step."""
