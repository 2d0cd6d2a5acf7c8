-- A rollback takes the conversation back: message numbers are given again, and what
-- they stood for before stays, told apart by its position in the journal.

CREATE TABLE message_by_place (
    run     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    speaker INTEGER NOT NULL,
    op      INTEGER,
    text    INTEGER NOT NULL,
    PRIMARY KEY (run, n, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO message_by_place (run, n, seq, speaker, op, text)
    SELECT run, n, seq, speaker, op, text FROM message;
DROP TABLE message;
ALTER TABLE message_by_place RENAME TO message;
