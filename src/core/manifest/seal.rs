//! A manifest's bytes: JSON that carries the BLAKE3 of itself.

use super::Manifest;
use crate::error::{Code, Error, Result};
use serde_json::Value;

/// The newest format that this version reads, and the one it writes.
pub const FORMAT_VERSION: u32 = 1;

const HASH: &str = "manifestHash";

/// Serialises a manifest with its own hash.
pub fn seal(manifest: &Manifest) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(manifest)
        .map_err(|e| Error::new(Code::Internal, "the manifest could not be written").source(e))?;
    let hash = hash(&value)?;
    value[HASH] = Value::String(hash);
    canonical(&value)
}

/// Reads a manifest, refusing a newer format before anything else and any altered byte after.
pub fn open(bytes: &[u8]) -> Result<Manifest> {
    let damaged = |why: &str| {
        Error::new(
            Code::ManifestDamaged,
            format!("the manifest is damaged: {why}"),
        )
        .hint("Use another backup, or fetch this manifest again from a copy of the store.")
    };
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|e| damaged("it is not whole JSON").source(e))?;
    let version = value.get("formatVersion").and_then(Value::as_u64);
    match version {
        Some(v) if v > u64::from(FORMAT_VERSION) => return Err(too_new(v)),
        Some(v) if v > 0 => {}
        _ => return Err(damaged("it names no format version")),
    }
    let object = value
        .as_object_mut()
        .ok_or_else(|| damaged("it is no object"))?;
    let Some(Value::String(told)) = object.remove(HASH) else {
        return Err(damaged("it carries no hash of itself"));
    };
    if hash(&value)? != told {
        return Err(damaged("its content does not fit its hash"));
    }
    serde_json::from_value(value).map_err(|e| damaged("a field is missing or wrong").source(e))
}

pub(crate) fn too_new(version: u64) -> Error {
    Error::new(
        Code::FormatTooNew,
        format!("written in format {version}; this version reads up to {FORMAT_VERSION}"),
    )
    .hint("Update rovodev.")
}

/// `serde_json` keeps object keys sorted, so equal values have equal bytes.
fn canonical(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|e| Error::new(Code::Internal, "the manifest could not be written").source(e))
}

fn hash(value: &Value) -> Result<String> {
    Ok(blake3::hash(&canonical(value)?).to_hex().to_string())
}
