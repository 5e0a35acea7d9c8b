//! Can a store be used at all? Asked by `init` and `status`.

use super::{Put, Store, attempt};
use crate::core::keys;
use crate::error::{Code, During, Error, Result};
use bytes::Bytes;
use std::time::Duration;
use uuid::Uuid;

/// What a store will be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Also writes a small object, reads it back and deletes it.
    Write,
}

const PROBE: Bytes = Bytes::from_static(b"rovodev was here and may be deleted\n");

impl Store {
    /// Whether the store answers at all, within `limit` and with few tries: one that is down is told soon.
    pub async fn reach(&self, limit: Duration) -> Result<()> {
        attempt::quick(limit, || self.list_once(keys::FORMAT))
            .await
            .during(format!("asking {}", self.describe()))
            .map(drop)
    }

    /// Fails with the code that says why the store cannot be used.
    pub async fn probe(&self, access: Access) -> Result<()> {
        self.list(keys::FORMAT).await?;
        if access == Access::Read {
            return Ok(());
        }
        let key = format!("{}{}", keys::PROBES, Uuid::new_v4());
        let outcome = self.write_and_read_back(&key).await;
        let deleted = self.delete(&[key]).await;
        outcome.and(deleted)
    }

    async fn write_and_read_back(&self, key: &str) -> Result<()> {
        let first = self.put_new(key, PROBE).await?;
        let whole = self.get(key).await? == PROBE;
        let second = self.put_new(key, Bytes::from_static(b"another")).await?;
        let kept = self.get(key).await? == PROBE;
        if first == Put::Written && whole && second == Put::Existed && kept {
            return Ok(());
        }
        Err(Error::new(
            Code::StoreError,
            format!(
                "{} does not keep what was written: {}",
                self.describe(),
                if whole {
                    "it overwrites objects although asked not to (If-None-Match)"
                } else {
                    "an object read back differs"
                }
            ),
        )
        .hint("Use a store with S3's conditional writes, or a directory."))
    }
}
