-- Decisions that can be undone (a new kind of event), and the history of reviews.

CREATE INDEX review_by_time ON review (requested_at, id);

DROP VIEW journal;

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
        WHEN 38 THEN 'review_reopened'
        ELSE e.kind END AS kind,
    e.op, e.at, e.payload, e.blob,
    CASE e.seq WHEN 1 THEN zeroblob(32)
        ELSE (SELECT p.hash FROM event p WHERE p.run = e.run AND p.seq = e.seq - 1) END AS prev_hash,
    e.hash
FROM event e;
