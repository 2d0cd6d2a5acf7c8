-- The journal and its projections. `event` and `blob` are the truth; every other
-- table about runs is a fold of them, updated in the same transaction.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    key           INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    head_seq      INTEGER NOT NULL,
    head_hash     BLOB    NOT NULL CHECK (length(head_hash) = 32),
    title         TEXT    NOT NULL,
    project       TEXT    NOT NULL,
    backend       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    model         TEXT,
    answered_by   TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    causes        TEXT    NOT NULL,
    failure       TEXT,
    step          INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    requests      INTEGER NOT NULL,
    input         INTEGER NOT NULL,
    output        INTEGER NOT NULL,
    cache_read    INTEGER NOT NULL,
    cache_write   INTEGER NOT NULL,
    settled_nano  INTEGER NOT NULL,
    unsettled_nano INTEGER NOT NULL,
    unpriced      INTEGER NOT NULL,
    tool_calls    INTEGER NOT NULL,
    active_ms     INTEGER NOT NULL,
    priority      INTEGER NOT NULL,
    after         BLOB,
    open_reviews  INTEGER NOT NULL,
    workspace     TEXT,
    discarded     INTEGER NOT NULL,
    wake_at       INTEGER,
    created_at    INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX run_by_state ON run (state);

-- Blobs are never updated. `hash` is unique; the index holds a prefix of it only,
-- because a second copy of every hash would cost as much as a small blob.
CREATE TABLE blob (
    id       INTEGER PRIMARY KEY,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    codec    INTEGER NOT NULL, -- 0 as it is, 1 zstd, 2 zstd in a file
    raw_len  INTEGER NOT NULL,
    data     BLOB
) STRICT;
CREATE INDEX blob_by_hash ON blob (substr(hash, 1, 8));

CREATE TABLE event (
    gseq      INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL REFERENCES run (key),
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    op        INTEGER,
    at        INTEGER NOT NULL,
    payload   BLOB    NOT NULL,
    blob      INTEGER REFERENCES blob (id),
    prev_hash BLOB    NOT NULL CHECK (length(prev_hash) = 32),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE UNIQUE INDEX event_by_run ON event (run, seq);

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE snapshot (
    run  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    sum  BLOB    NOT NULL,
    data BLOB    NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT;

CREATE TABLE op (
    run         INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    class       TEXT    NOT NULL,
    mode        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    outcome     TEXT,
    call_id     TEXT,
    verdict     TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    summary     TEXT    NOT NULL,
    result_line TEXT,
    stop        TEXT,
    error_kind  TEXT,
    error       TEXT,
    review      BLOB,
    tries       INTEGER NOT NULL,
    intended_at INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost_nano   INTEGER,
    figure      TEXT,
    args        INTEGER NOT NULL,
    result      INTEGER,
    full        INTEGER,
    reasoning   TEXT,
    parameters  TEXT,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE review (
    id           BLOB    PRIMARY KEY CHECK (length(id) = 16),
    run          INTEGER NOT NULL,
    state        TEXT    NOT NULL, -- open, decided, used, withdrawn
    kind         TEXT    NOT NULL,
    subject      TEXT,
    requested_at INTEGER NOT NULL,
    snoozed_until INTEGER,
    ended_at     INTEGER,
    withdrawn    TEXT,
    body         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX review_by_state ON review (state, requested_at);
CREATE INDEX review_by_run ON review (run);

CREATE TABLE message (
    run     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    speaker TEXT    NOT NULL,
    op      INTEGER,
    call_id TEXT,
    text    INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    run      INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    snapshot TEXT    NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

-- One row a charge. `seq` is the event that carries the charge in full (raw usage,
-- parts, price book), so a row can be re-priced from the journal.
CREATE TABLE ledger (
    run         INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    op          INTEGER,
    backend     TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    figure      TEXT    NOT NULL,
    cost_nano   INTEGER,
    requests    INTEGER NOT NULL,
    input       INTEGER NOT NULL,
    output      INTEGER NOT NULL,
    cache_read  INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE backend (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pause (
    gate  TEXT PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was decided and done, one row an operation, for any reader of the file.
CREATE VIEW decision AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%fZ', o.intended_at / 1000.0, 'unixepoch') AS time,
    lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || substr(hex(r.id), 13, 4)
        || '-' || substr(hex(r.id), 17, 4) || '-' || substr(hex(r.id), 21)) AS run,
    o.step AS step,
    CASE o.kind WHEN 'model' THEN 'ask ' || o.name ELSE o.name END AS action,
    coalesce(o.reasoning, (SELECT m.reasoning FROM op m
        WHERE m.run = o.run AND m.id < o.id AND m.step = o.step AND m.kind = 'model'
        ORDER BY m.id DESC LIMIT 1)) AS reasoning,
    coalesce(o.parameters, o.summary) AS parameters,
    coalesce(o.error, o.result_line, o.state) AS result,
    CASE WHEN o.ended_at IS NOT NULL THEN o.ended_at - coalesce(o.started_at, o.intended_at) END AS duration_ms,
    o.input + o.output + o.cache_write AS tokens,
    CASE WHEN o.cost_nano IS NOT NULL THEN printf('%d.%09d', o.cost_nano / 1000000000, o.cost_nano % 1000000000) END AS cost_usd
FROM op o JOIN run r ON r.key = o.run;
