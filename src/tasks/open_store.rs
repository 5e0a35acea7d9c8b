//! A store that is ready for backups.

use crate::ports::store::Store;

/// A store and the keys of its segments.
#[derive(Clone, Debug)]
pub struct OpenedStore {
    pub store: Store,
    pub segment_key: [u8; 32],
    pub row_seed: u64,
}
