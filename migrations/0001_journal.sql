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

-- Contents, named by hash. `hash` is unique; the index holds a prefix of it only,
-- because a second copy of every hash would cost as much as a small blob. `words`
-- is what the `decision` view shows: the model's own words in an answer, the
-- beginning of arguments. What stands there, or in the contents with the ids in
-- `bases` (the arguments an answer asks with), is not stored again in `data`.
CREATE TABLE blob (
    id       INTEGER PRIMARY KEY,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    codec    INTEGER NOT NULL, -- src/blobs.rs
    raw_len  INTEGER NOT NULL,
    words    TEXT,
    bases    TEXT,
    data     BLOB
) STRICT;
CREATE INDEX blob_by_hash ON blob (substr(hash, 1, 8));

CREATE TABLE event (
    gseq      INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL REFERENCES run (key),
    seq       INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    kind      ANY     NOT NULL, -- a code (src/codes.rs); a word that has none stands itself
    op        INTEGER,
    at        INTEGER NOT NULL,
    payload   BLOB    NOT NULL, -- src/payload.rs
    blob      INTEGER REFERENCES blob (id),
    blob2     INTEGER REFERENCES blob (id),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32) -- covers the hash before it
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

-- Words of closed sets are codes here (src/codes.rs).
CREATE TABLE op (
    run         INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    class       INTEGER NOT NULL,
    mode        INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    outcome     INTEGER,
    call_id     TEXT,
    verdict     INTEGER NOT NULL,
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
    figure      INTEGER,
    args        INTEGER NOT NULL,
    result      INTEGER,
    full        INTEGER,
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
    speaker INTEGER NOT NULL,
    op      INTEGER,
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
    figure      INTEGER NOT NULL,
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
    CASE o.kind WHEN 0 THEN 'ask ' || o.name ELSE o.name END AS action,
    (SELECT b.words FROM op m JOIN blob b ON b.id = m.result
        WHERE m.run = o.run AND m.id <= o.id AND m.step = o.step AND m.kind = 0
        ORDER BY m.id DESC LIMIT 1) AS reasoning,
    coalesce(CASE WHEN o.kind <> 0 THEN (SELECT b.words FROM blob b WHERE b.id = o.args) END, o.summary)
        AS parameters,
    coalesce(o.error, o.result_line, CASE o.state
        WHEN 0 THEN 'finished'
        WHEN 1 THEN 'started'
        WHEN 2 THEN 'intended'
        WHEN 3 THEN 'failed'
        WHEN 4 THEN 'in_doubt'
        WHEN 5 THEN 'skipped'
        ELSE o.state END) AS result,
    CASE WHEN o.ended_at IS NOT NULL THEN o.ended_at - coalesce(o.started_at, o.intended_at) END AS duration_ms,
    o.input + o.output + o.cache_write AS tokens,
    CASE WHEN o.cost_nano IS NOT NULL THEN printf('%d.%09d', o.cost_nano / 1000000000, o.cost_nano % 1000000000) END AS cost_usd
FROM op o JOIN run r ON r.key = o.run;

-- The journal with its words, and with the hash each event follows: the one of
-- the event before it, so that it needs no column of its own.
CREATE VIEW journal AS
SELECT e.run, e.seq, e.gseq, e.epoch, CASE e.kind
        WHEN 0 THEN 'run_created'
        WHEN 1 THEN 'step_started'
        WHEN 2 THEN 'op_intended'
        WHEN 3 THEN 'op_started'
        WHEN 4 THEN 'op_finished'
        WHEN 5 THEN 'checkpoint_taken'
        WHEN 6 THEN 'message_added'
        WHEN 7 THEN 'op_retried'
        WHEN 8 THEN 'op_failed'
        WHEN 9 THEN 'op_settled'
        WHEN 10 THEN 'queued'
        WHEN 11 THEN 'started'
        WHEN 12 THEN 'backend_switched'
        WHEN 13 THEN 'workspace_ready'
        WHEN 14 THEN 'noted'
        WHEN 15 THEN 'charged'
        WHEN 16 THEN 'review_requested'
        WHEN 17 THEN 'review_decided'
        WHEN 18 THEN 'review_used'
        WHEN 19 THEN 'review_snoozed'
        WHEN 20 THEN 'review_withdrawn'
        WHEN 21 THEN 'wait_began'
        WHEN 22 THEN 'wait_ended'
        WHEN 23 THEN 'budget_warned'
        WHEN 24 THEN 'budget_changed'
        WHEN 25 THEN 'plan_changed'
        WHEN 26 THEN 'session_bound'
        WHEN 27 THEN 'verify_started'
        WHEN 28 THEN 'verify_ended'
        WHEN 29 THEN 'paused'
        WHEN 30 THEN 'interrupted'
        WHEN 31 THEN 'briefed'
        WHEN 32 THEN 'suspended'
        WHEN 33 THEN 'completed'
        WHEN 34 THEN 'failed'
        WHEN 35 THEN 'cancelled'
        WHEN 36 THEN 'applied'
        WHEN 37 THEN 'discarded'
        ELSE e.kind END AS kind,
    e.op, e.at, e.payload, e.blob,
    CASE e.seq WHEN 1 THEN zeroblob(32)
        ELSE (SELECT p.hash FROM event p WHERE p.run = e.run AND p.seq = e.seq - 1) END AS prev_hash,
    e.hash
FROM event e;
