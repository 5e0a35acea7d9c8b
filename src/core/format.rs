//! `format.json`: what a store is, and the keys that follow from it.

use crate::core::manifest::{Codec, FORMAT_VERSION, too_new};
use crate::error::{Code, Error, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Written once, when a store is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Format {
    pub format_version: u32,
    pub store_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub tool_version: String,
    /// What new backups use unless told otherwise.
    pub codec: Codec,
    /// Public keys that stored objects are encrypted for; empty in format 1.
    pub recipients: Vec<String>,
    pub segment_key: SegmentKeySource,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Where the key of the segments' ids comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SegmentKeySource {
    /// From `STORE_KEY`, which never lies in the store; `check` tells a wrong one.
    Secret { check: String },
    /// From the store's id: whoever reads the store can test guesses of rows. Fine for one's own disk.
    StoreId,
}

/// What a writer needs beside the store itself.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKeys {
    /// Key of the BLAKE3 that makes segment ids.
    pub segment_key: [u8; 32],
    /// Seed of the row hashes; follows from the segment key, so that sums tell nothing without it.
    pub row_seed: u64,
}

const SECRET: &str = "rovodev format 1: segment key from STORE_KEY";
const STORE_ID: &str = "rovodev format 1: segment key from the store id";
const CHECK: &str = "rovodev format 1: check of STORE_KEY";
const ROW_SEED: &str = "rovodev format 1: row hash seed";
/// A random key of 32 bytes has 64 hex digits; anything shorter than this may be guessed.
const SHORTEST_KEY: usize = 32;

impl Format {
    pub fn new(
        store_id: Uuid,
        created_at: DateTime<Utc>,
        codec: Codec,
        store_key: Option<&str>,
    ) -> Result<Self> {
        let segment_key = match store_key {
            Some(secret) => SegmentKeySource::Secret {
                check: check(&from_secret(store_id, secret)?),
            },
            None => SegmentKeySource::StoreId,
        };
        Ok(Self {
            format_version: FORMAT_VERSION,
            store_id,
            created_at,
            tool_version: env!("CARGO_PKG_VERSION").to_string(),
            codec,
            recipients: Vec::new(),
            segment_key,
            unknown: Map::new(),
        })
    }

    /// Reads `format.json`, refusing a newer version before anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = |e| {
            Error::new(Code::ObjectDamaged, "format.json cannot be read")
                .hint("Fetch it again from a copy of the store.")
                .source(e)
        };
        let value: Value = serde_json::from_slice(bytes).map_err(damaged)?;
        match value.get("formatVersion").and_then(Value::as_u64) {
            Some(v) if v > u64::from(FORMAT_VERSION) => Err(too_new(v)),
            _ => serde_json::from_value(value).map_err(damaged),
        }
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| {
            Error::new(Code::Internal, "format.json could not be written").source(e)
        })?;
        text.push(b'\n');
        Ok(text)
    }

    /// The keys of this store, or [`Code::StoreKeyMismatch`] where `store_key` is not the one it was made with.
    pub fn keys(&self, store_key: Option<&str>) -> Result<StoreKeys> {
        let segment_key = match (&self.segment_key, store_key) {
            (SegmentKeySource::StoreId, None) => {
                blake3::derive_key(STORE_ID, self.store_id.as_bytes())
            }
            (SegmentKeySource::Secret { check: told }, Some(secret)) => {
                let key = from_secret(self.store_id, secret)?;
                if check(&key) != *told {
                    return Err(
                        mismatch("STORE_KEY is not the key that this store was made with")
                            .hint("Set the STORE_KEY that `rovodev init` made for this store, from the copy that was kept of it; reading and restoring work without."),
                    );
                }
                key
            }
            (SegmentKeySource::Secret { .. }, None) => {
                return Err(mismatch("this store was made with a STORE_KEY, and none is set")
                    .hint("Set the STORE_KEY of this store; only reading and restoring work without it."));
            }
            (SegmentKeySource::StoreId, Some(_)) => {
                return Err(
                    mismatch("STORE_KEY is set, but this store was made without one").hint(
                        "Unset STORE_KEY, or back up into a new store, which then uses the key.",
                    ),
                );
            }
        };
        let seed = blake3::derive_key(ROW_SEED, &segment_key);
        let [a, b, c, d, e, f, g, h, ..] = seed;
        Ok(StoreKeys {
            segment_key,
            row_seed: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        })
    }
}

fn mismatch(text: &str) -> Error {
    Error::new(Code::StoreKeyMismatch, text)
}

/// 64 hex digits are 32 bytes; any other text counts as its own bytes.
fn from_secret(store_id: Uuid, secret: &str) -> Result<[u8; 32]> {
    let secret = secret.trim();
    if secret.len() < SHORTEST_KEY {
        return Err(Error::new(
            Code::Config,
            format!("STORE_KEY has fewer than {SHORTEST_KEY} characters"),
        )
        .hint("Use 64 random hex digits, as `rovodev init` makes them."));
    }
    let mut hasher = blake3::Hasher::new_derive_key(SECRET);
    hasher.update(store_id.as_bytes());
    match blake3::Hash::from_hex(secret) {
        Ok(bytes) => hasher.update(bytes.as_bytes()),
        Err(_) => hasher.update(secret.as_bytes()),
    };
    Ok(*hasher.finalize().as_bytes())
}

fn check(key: &[u8; 32]) -> String {
    let derived = blake3::Hash::from_bytes(blake3::derive_key(CHECK, key));
    derived.to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn format(key: Option<&str>) -> Format {
        Format::new(Uuid::nil(), DateTime::UNIX_EPOCH, Codec::Zstd, key).unwrap()
    }

    #[test]
    fn keys_fit_only_their_store() {
        let (open, keyed) = (format(None), format(Some(HEX)));
        assert!(open.keys(None).unwrap() != keyed.keys(Some(HEX)).unwrap());
        assert!(keyed.keys(Some(&HEX.to_uppercase())).unwrap() == keyed.keys(Some(HEX)).unwrap());
        let other = "x".repeat(40);
        for (store, key) in [
            (&open, Some(HEX)),
            (&keyed, None),
            (&keyed, Some(other.as_str())),
        ] {
            assert_eq!(store.keys(key).err().unwrap().code, Code::StoreKeyMismatch);
        }
        assert_eq!(keyed.keys(Some("short")).err().unwrap().code, Code::Config);
    }

    #[test]
    fn json_round_trips_and_newer_versions_are_refused() {
        let mut one = format(Some(HEX));
        one.unknown.insert("later".into(), Value::Bool(true));
        let json = one.to_json().unwrap();
        assert_eq!(Format::parse(&json).unwrap(), one);
        assert!(!String::from_utf8_lossy(&json).contains(&HEX[..32]));
        let newer = String::from_utf8(json)
            .unwrap()
            .replace("\"formatVersion\": 1", "\"formatVersion\": 2");
        assert_eq!(
            Format::parse(newer.as_bytes()).unwrap_err().code,
            Code::FormatTooNew
        );
        assert_eq!(Format::parse(b"{}").unwrap_err().code, Code::ObjectDamaged);
    }

    /// Other values would orphan every stored segment.
    #[test]
    fn derivation_is_part_of_the_format() {
        let keys = format(None).keys(None).unwrap();
        insta::assert_snapshot!(blake3::Hash::from_bytes(keys.segment_key).to_hex().as_str(), @"9434ad0d60380855919e9d31df1ae0e41fd66165f50e9330ec783f17f8999531");
        insta::assert_snapshot!(keys.row_seed, @"10663103342586274576");
        let keys = format(Some(HEX)).keys(Some(HEX)).unwrap();
        insta::assert_snapshot!(blake3::Hash::from_bytes(keys.segment_key).to_hex().as_str(), @"1d7b84bdd805ad2e25e072f0c8c00661dc98b391454fb2b6b6b082bc7dd4dbd4");
    }
}
