//! A manifest's bytes: JSON that carries the BLAKE3 of itself.

use super::{Manifest, sound};
use crate::error::{Code, Error, Result};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

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
    let manifest = serde_json::from_value(value)
        .map_err(|e| damaged("a field is missing or wrong").source(e))?;
    sound::check(&manifest).map_err(|why| damaged(&why))?;
    Ok(manifest)
}

pub(crate) fn too_new(version: u64) -> Error {
    Error::new(
        Code::FormatTooNew,
        format!("written in format {version}; this version reads up to {FORMAT_VERSION}"),
    )
    .hint("Update rovodev.")
}

/// Keys sorted at every depth: equal values have equal bytes, whatever map `serde_json` was built with.
fn canonical(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(&Sorted(value))
        .map_err(|e| Error::new(Code::Internal, "the manifest could not be written").source(e))
}

struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key, Sorted(value)))
                .collect::<BTreeMap<_, _>>()
                .serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            other => other.serialize(serializer),
        }
    }
}

fn hash(value: &Value) -> Result<String> {
    Ok(blake3::hash(&canonical(value)?).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::manifest::{
        BackupType, Codec, Schema, SchemaStatus, Selection, Totals, Trigger,
    };
    use proptest::prelude::*;
    use serde_json::json;

    fn manifest() -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            id: uuid::Uuid::nil(),
            name: "backup_2025-12-22_14-30-00".into(),
            tenant: "default".into(),
            kind: BackupType::Full,
            trigger: Trigger::Manual,
            parent: None,
            started_at: chrono::DateTime::UNIX_EPOCH,
            finished_at: chrono::DateTime::UNIX_EPOCH,
            tool_version: "0".into(),
            codec: Codec::Zstd,
            source: None,
            selection: Selection::default(),
            schema: Schema {
                status: SchemaStatus::Missing,
                reason: Some("none".into()),
                pg_dump_version: None,
                pre_data: None,
                post_data: None,
                extras: None,
                unknown: serde_json::Map::new(),
            },
            tables: Vec::new(),
            sequences: Vec::new(),
            materialized_views: Vec::new(),
            foreign_tables: Vec::new(),
            config: Vec::new(),
            warnings: Vec::new(),
            left_out: Vec::new(),
            totals: Totals::default(),
            unknown: serde_json::Map::new(),
        }
    }

    #[test]
    fn opens_what_it_sealed_and_keeps_unknown_fields() {
        let mut told = manifest();
        told.unknown
            .insert("fromTheFuture".into(), json!({"a": [1, null]}));
        let bytes = seal(&told).unwrap();
        assert_eq!(open(&bytes).unwrap(), told);
        assert_eq!(seal(&open(&bytes).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn a_newer_format_is_refused_by_its_version() {
        let error = open(br#"{"formatVersion": 2, "whatever": true}"#).unwrap_err();
        assert_eq!(error.code, Code::FormatTooNew);
        assert!(
            error.message.contains("format 2") && error.message.contains("up to 1"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_altered_byte_is_noticed(place: prop::sample::Index, flip in 1u8..) {
            let mut bytes = seal(&manifest()).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            prop_assert!(open(&bytes).is_err());
        }

        #[test]
        fn a_truncated_manifest_is_damaged(length: prop::sample::Index) {
            let bytes = seal(&manifest()).unwrap();
            let code = open(&bytes[..length.index(bytes.len())]).unwrap_err().code;
            prop_assert_eq!(code, Code::ManifestDamaged);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes: Vec<u8>) {
            prop_assert!(open(&bytes).is_err());
        }
    }
}
