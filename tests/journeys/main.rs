//! Journeys of users, over the real binary.

mod bad_input;
mod budgets;
mod campaign;
mod claude_code;
mod control;
mod cost;
mod crashes;
mod daemons;
mod damage;
mod failures;
mod first_run;
mod going_back;
mod in_doubt;
mod limits;
mod locks;
mod notifications;
mod packaging;
mod preparing;
mod real_claude;
mod rehearsal;
mod reviews;
mod reviews_undo;
mod support;
mod trust;
mod verifying;
