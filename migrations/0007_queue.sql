-- How often each rule decided about a call: one row a rule, project and day. Counted when the
-- intent is recorded, from this version on; what was decided before is not in it, so no check
-- compares it with the journal.
CREATE TABLE rule_use (
    rule_id  TEXT    NOT NULL, -- whole, such as 'balanced:beyond'
    project  TEXT    NOT NULL, -- absolute path
    day      INTEGER NOT NULL, -- since 1970, UTC
    calls    INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    PRIMARY KEY (rule_id, project, day)
) STRICT, WITHOUT ROWID;
