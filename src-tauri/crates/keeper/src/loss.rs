//! What is known about a child whose keeper died without recording its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::processes::{self, ProcessId};
use crate::record::State;
use crate::spec::Spec;
use crate::sweep::{self, Stray, Suspect};
use crate::wire::Stream;

/// How much of the end of each spool goes into the evidence.
const LAST_BYTES: u64 = 4 * 1024;

/// The child may have begun; whether and how it ended nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// [`Spec::id`].
    pub id: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// The child, as it was; of an earlier boot if `rebooted`.
    pub child: ProcessId,
    /// The machine was started anew since: nothing of it can live.
    pub rebooted: bool,
    /// What of its tree still runs. [`crate::reap`] ends it.
    pub survivors: Vec<Stray>,
    /// The last bytes that reached `out`, at most 4 KiB.
    pub last_out: Vec<u8>,
    /// The last bytes that reached `err`, at most 4 KiB.
    pub last_err: Vec<u8>,
    /// The length of `out`.
    pub out_bytes: u64,
    /// The length of `err`.
    pub err_bytes: u64,
}

pub(crate) fn gather(dir: &Path, spec: &Spec, state: &State, child: ProcessId) -> Evidence {
    let rebooted = state.boot_id != processes::boot_id();
    let (last_out, out_bytes) = last_bytes(dir, Stream::Out).unwrap_or_default();
    let (last_err, err_bytes) = last_bytes(dir, Stream::Err).unwrap_or_default();
    let survivors = if rebooted {
        Vec::new()
    } else {
        sweep::strays(&[Suspect {
            id: &spec.id,
            keeper: state.keeper,
            child: Some(child),
        }])
        .into_iter()
        .map(|(_, stray)| stray)
        .collect()
    };
    Evidence {
        id: spec.id.clone(),
        started_at_ms: state.started_at_ms,
        child,
        rebooted,
        survivors,
        last_out,
        last_err,
        out_bytes,
        err_bytes,
    }
}

fn last_bytes(dir: &Path, stream: Stream) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(dir.join(stream.file()))?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(LAST_BYTES);
    let mut bytes = vec![0; usize::try_from(len - from).unwrap_or(0)];
    file.read_exact_at(&mut bytes, from)?;
    Ok((bytes, len))
}
