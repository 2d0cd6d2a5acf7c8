-- What is to be told to the user's webhook. A row is written in the transaction of the event
-- it tells of, and only where somebody wants to be told (setting 'webhook'); it is waiting
-- until the other side has taken it. No projection: the journal cannot tell what was delivered.

CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    gseq     INTEGER NOT NULL UNIQUE, -- names the delivery, the same at every try
    event    TEXT    NOT NULL,        -- review.requested, run.completed, ...
    body     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    state    TEXT    NOT NULL,        -- waiting, delivered, given_up
    tries    INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    ended_at INTEGER,
    error    TEXT
) STRICT;
CREATE INDEX outbox_by_due ON outbox (due_at) WHERE state = 'waiting';
-- What became of reviews since somebody last looked.
CREATE INDEX review_by_end ON review (ended_at) WHERE ended_at IS NOT NULL;
-- What somebody who has not looked for a while wants to know (src/figures.rs asks in these words):
-- decided, interrupted, completed, failed, cancelled, applied, reopened, rolled back.
CREATE INDEX event_of_note ON event (gseq) WHERE kind IN (17, 30, 33, 34, 35, 36, 38, 'rolled_back');
