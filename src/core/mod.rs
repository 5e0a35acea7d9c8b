//! Pure rules: no I/O, no clock.

pub mod anomaly;
pub mod codec;
pub mod copy_text;
pub mod counted;
pub mod ddl;
pub mod extras;
pub mod fingerprint;
pub mod format;
pub mod grants;
pub mod ident;
pub mod keys;
pub mod loaded;
pub mod managed;
pub mod manifest;
pub mod merge;
pub mod notify;
pub mod progress;
pub mod ranges;
pub mod restore_plan;
pub mod retention;
pub mod row_hash;
pub mod schedule;
pub mod segmenter;
pub mod size;
pub mod spreadsheet;
pub mod stored;
