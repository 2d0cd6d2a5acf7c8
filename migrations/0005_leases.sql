-- Who may change a folder. A token is given once and never again, so that it says for
-- ever whether its holder still has the lease.

CREATE TABLE lease (
    token    INTEGER PRIMARY KEY AUTOINCREMENT,
    scope    TEXT NOT NULL,
    run      BLOB NOT NULL,
    purpose  TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    beat_at  INTEGER NOT NULL
) STRICT;
