//! Where runs live: the journal, the blobs it refers to, and the rows folded
//! from it. Nothing outside this crate knows how they are kept.
//!
//! A write is acknowledged only after it is durable. Everything about runs other
//! than events and blobs is a projection, updated in the same transaction as the
//! events it follows from, and [`doctor`] checks that it does.

mod anchor;
mod append;
mod backup;
mod blobs;
mod chain;
mod checkpoints;
mod codes;
mod connect;
mod contents;
mod decisions;
mod doctor;
mod error;
mod figures;
mod held;
mod inspect;
mod journal;
mod leases;
mod ledger;
mod listing;
mod messages;
mod open;
mod ops;
mod orphans;
mod outbox;
mod ownership;
mod pack;
mod payload;
mod projection;
mod reading;
mod reviews;
mod rule_use;
mod runs;
mod salvage;
mod script;
mod series;
mod settings;
mod snapshots;
mod steps;
mod store;
mod writer;

pub use append::{Append, Appended};
pub use backup::{BackupInfo, check_backup, restore, restore_owned};
pub use doctor::{Check, Report, doctor};
pub use error::{AppendError, BackupError, OpenError, ReadError, WriteError};
pub use figures::{MadeDecision, RuleUse};
pub use held::HeldCall;
pub use journal::Stored;
pub use leases::{Lease, LeasePurpose, LeaseToken, LeaseWish, Taken, overlaps};
pub use ledger::{GroupBy, LedgerFilter, LedgerRow, LedgerTotals};
pub use listing::{Beat, ProjectRow};
pub use ops::OpRow;
pub use outbox::{OutboxState, Outgoing, Told, WEBHOOK};
pub use ownership::{OwnedBy, Ownership};
pub use reviews::{PutOff, ReviewFilter, ReviewOrder, ReviewRow, ReviewStatus, Snoozed};
pub use rule_use::{RuleCount, RuleCounts};
pub use runs::{PastRun, RunFilter, RunRow};
pub use salvage::{DamagedCopy, copy_damaged};
pub use series::{CacheReads, DaySum};
pub use settings::{BackendRow, PauseRow};
pub use steps::{StepRow, StepRows};
pub use store::{Broken, Store, StoreConfig};
