-- Where each step of a run begins: the n-th entry of a run is its n-th step, so any
-- part of a long run is found without reading what came before it.
CREATE INDEX event_steps ON event (run, seq) WHERE kind = 1; -- step_started, src/codes.rs
