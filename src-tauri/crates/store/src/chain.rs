//! The hash chain that ties each event of a run to all before it.

use domain::RunId;

/// A BLAKE3 hash.
pub(crate) type Hash = [u8; 32];

/// What the first event of a run follows.
pub(crate) const START: Hash = [0; 32];

/// An event's fields as they are stored, in the order they are hashed.
pub(crate) struct Link<'a> {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) epoch: i64,
    pub(crate) kind: &'a str,
    pub(crate) op: Option<u32>,
    pub(crate) at: i64,
    pub(crate) payload: &'a str,
    pub(crate) blob: Option<&'a [u8]>,
}

impl Link<'_> {
    /// The hash of this event after the one with hash `prev`. Lengths precede
    /// texts, so that no two events have the same bytes.
    pub(crate) fn after(&self, prev: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        let mut text = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        text(prev);
        text(self.run.0.as_bytes());
        text(&self.seq.to_le_bytes());
        text(&self.epoch.to_le_bytes());
        text(self.kind.as_bytes());
        text(&self.op.unwrap_or(0).to_le_bytes());
        text(&self.at.to_le_bytes());
        text(self.payload.as_bytes());
        text(self.blob.unwrap_or_default());
        *hasher.finalize().as_bytes()
    }
}

/// The 32 bytes a blob's name stands for.
pub(crate) fn name_bytes(name: &domain::BlobRef) -> Option<Hash> {
    blake3::Hash::from_hex(&name.0).ok().map(|h| *h.as_bytes())
}

/// A stored column as a hash.
pub(crate) fn to_hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}
