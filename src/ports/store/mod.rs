//! Where backups lie: a closed set of object stores behind one interface.
//!
//! Keys are relative to the store's prefix. Objects are immutable: [`Store::put_new`] writes once.
//! Every call has a time limit and is tried again where its error says `retry`.

mod attempt;
mod dir;
mod key;
mod probe;
mod s3;
mod settings;
mod unreliable;

pub use dir::Dir;
pub use probe::Access;
pub use s3::S3;
pub use settings::{DEFAULT_REGION, S3Settings};
pub use unreliable::{Fault, Op, Rule, Unreliable, When};

use crate::core::stored::Stored;
use crate::error::{During, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A closed set of object stores; cheap to clone.
#[derive(Clone, Debug)]
pub enum Store {
    Dir(Dir),
    S3(S3),
    /// Another store with faults, for tests.
    Unreliable(Unreliable),
}

/// What lies under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    pub bytes: u64,
    pub modified: DateTime<Utc>,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Written,
    /// An object was there before; it was left as it is.
    Existed,
}

impl Store {
    /// `s3://bucket[/prefix]`, or the path of a directory. Reaches for nothing yet.
    pub fn open(location: &str, s3: &S3Settings) -> Result<Self> {
        match location.strip_prefix("s3://") {
            Some(place) => S3::new(place, s3).map(Self::S3),
            None => Dir::new(location).map(Self::Dir),
        }
    }

    /// Makes the folder of a directory store. A bucket must exist.
    pub async fn create(&self) -> Result<()> {
        match self {
            Self::Dir(dir) => dir.create().await,
            Self::S3(_) => Ok(()),
            Self::Unreliable(faulty) => Box::pin(faulty.inner().create()).await,
        }
    }

    /// Makes the folder, or the bucket.
    pub async fn make_bucket(&self) -> Result<()> {
        match self {
            Self::Dir(dir) => dir.create().await,
            Self::S3(s3) => s3.make_bucket().await,
            Self::Unreliable(faulty) => Box::pin(faulty.inner().make_bucket()).await,
        }
    }

    /// Whether there is anything to look into: a directory has to be made first. A bucket tells when it is asked.
    pub async fn is_there(&self) -> Result<bool> {
        match self {
            Self::Dir(dir) => dir.is_there().await.during(self.describe()),
            Self::S3(_) => Ok(true),
            Self::Unreliable(faulty) => Box::pin(faulty.inner().is_there()).await,
        }
    }

    /// Whether [`Store::create`] could make the folder, shown by making another beside it and removing it.
    pub async fn could_be_made(&self) -> Result<()> {
        match self {
            Self::Dir(dir) => dir.could_be_made().await,
            Self::S3(_) => Ok(()),
            Self::Unreliable(faulty) => Box::pin(faulty.inner().could_be_made()).await,
        }
    }

    /// Where it is, for people; holds no secret.
    pub fn describe(&self) -> String {
        match self {
            Self::Dir(dir) => dir.describe(),
            Self::S3(s3) => s3.describe(),
            Self::Unreliable(faulty) => faulty.inner().describe(),
        }
    }

    /// Writes an object unless one is there. It is whole under its key or not there at all.
    ///
    /// A directory flushes the data of every object at once, but the folder entries of segments only
    /// together with the next object that is no segment: whoever sees a manifest after a power cut has
    /// its segments too. Where an earlier try's answer was lost, its object is recognised by its bytes
    /// and reported as [`Put::Written`].
    pub async fn put_new(&self, key: &str, body: Bytes) -> Result<Put> {
        key::check(key)?;
        let tried = AtomicBool::new(false);
        let call = async || {
            let again = tried.swap(true, Ordering::Relaxed);
            let put = self.put_new_once(key, body.clone()).await?;
            if again && put == Put::Existed && self.holds_once(key, &body).await? {
                return Ok(Put::Written);
            }
            Ok(put)
        };
        let limit = attempt::limit(body.len());
        attempt::repeated(limit, call)
            .await
            .during(self.doing("writing", key))
    }

    /// Writes an object whatever is there. Only leases and repairs change what is stored.
    pub async fn put_replace(&self, key: &str, body: Bytes) -> Result<()> {
        key::check(key)?;
        let limit = attempt::limit(body.len());
        attempt::repeated(limit, || self.put_replace_once(key, body.clone()))
            .await
            .during(self.doing("writing", key))
    }

    /// Writes an object while it is made, whatever is there, in constant memory; returns its bytes. It is whole under
    /// its key or not there at all. `expected` bytes size the parts. Each part is tried again by itself.
    pub async fn put_stream(
        &self,
        key: &str,
        body: BoxStream<'_, Result<Bytes>>,
        expected: u64,
    ) -> Result<u64> {
        key::check(key)?;
        let written = match self {
            Self::Dir(dir) => dir.put_stream(key, body).await,
            Self::S3(s3) => Box::pin(s3.put_stream(key, body, expected)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.put_stream(key, body, expected)).await,
        };
        written.during(self.doing("writing", key))
    }

    /// Drops what killed writers of [`Store::put_stream`] left below `prefix`.
    pub async fn abandon(&self, prefix: &str) -> Result<()> {
        match self {
            // Its unnamed files are swept by the next writer.
            Self::Dir(_) => Ok(()),
            Self::S3(s3) => Box::pin(s3.abandon(prefix)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.inner().abandon(prefix)).await,
        }
        .during(self.doing("dropping unfinished uploads below", prefix))
    }

    /// A link by which anybody reads one object for a while, as a file of that name; `None` where the store has no
    /// such links. Reaches for nothing.
    pub async fn link(
        &self,
        key: &str,
        file_name: &str,
        media_type: &str,
        lasts: Duration,
    ) -> Result<Option<String>> {
        key::check(key)?;
        match self {
            Self::Dir(_) => Ok(None),
            Self::S3(s3) => s3.link(key, file_name, media_type, lasts).await.map(Some),
            Self::Unreliable(faulty) => {
                Box::pin(faulty.inner().link(key, file_name, media_type, lasts)).await
            }
        }
    }

    /// Whether [`Store::link`] can make one.
    pub fn has_links(&self) -> bool {
        match self {
            Self::Dir(_) => false,
            Self::S3(_) => true,
            Self::Unreliable(faulty) => faulty.inner().has_links(),
        }
    }

    /// The whole object; [`crate::error::Code::ObjectMissing`] where there is none.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        key::check(key)?;
        attempt::repeated(attempt::UNKNOWN_SIZE, || self.get_once(key))
            .await
            .during(self.doing("reading", key))
    }

    /// Whether the object is there and holds exactly `body`. S3 compares length and CRC32 without a download.
    pub async fn holds(&self, key: &str, body: &Bytes) -> Result<bool> {
        key::check(key)?;
        attempt::repeated(attempt::UNKNOWN_SIZE, || self.holds_once(key, body))
            .await
            .during(self.doing("comparing", key))
    }

    /// Whether the object is there and still what was written. A directory is read; S3 compares length and CRC32
    /// without a download where both are known.
    pub async fn keeps(&self, key: &str, written: &Stored) -> Result<bool> {
        key::check(key)?;
        attempt::repeated(attempt::UNKNOWN_SIZE, || self.keeps_once(key, written))
            .await
            .during(self.doing("comparing", key))
    }

    /// Size and age of an object; `None` where there is none.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        key::check(key)?;
        attempt::repeated(attempt::limit(0), || self.head_once(key))
            .await
            .during(self.doing("looking for", key))
    }

    /// Every object whose key starts with `prefix`, in order of the keys.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        key::check_prefix(prefix)?;
        attempt::repeated(attempt::UNKNOWN_SIZE, || self.list_once(prefix))
            .await
            .during(self.doing("listing", prefix))
    }

    /// Names of the folders directly below `prefix`, which is empty or ends in `/`, in order; what is in them is not
    /// looked at. In a directory, one whose objects were just deleted may still be told.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        key::check_folder(prefix)?;
        attempt::repeated(attempt::UNKNOWN_SIZE, || self.folders_once(prefix))
            .await
            .during(self.doing("listing", prefix))
    }

    /// Deletes objects; one that is not there is fine.
    pub async fn delete(&self, keys: &[String]) -> Result<()> {
        keys.iter().try_for_each(|k| key::check(k))?;
        for batch in keys.chunks(s3::DELETE_BATCH) {
            attempt::repeated(attempt::limit(0), || self.delete_once(batch))
                .await
                .during(format!("deleting from {}", self.describe()))?;
        }
        Ok(())
    }

    fn doing(&self, verb: &str, key: &str) -> String {
        format!("{verb} {key} in {}", self.describe())
    }
}

/// One try each. Boxed: the futures of the S3 client are deep, and every use case holds one.
impl Store {
    async fn put_new_once(&self, key: &str, body: Bytes) -> Result<Put> {
        match self {
            Self::Dir(dir) => dir.put_new(key, body).await,
            Self::S3(s3) => Box::pin(s3.put_new(key, body)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.put_new(key, body)).await,
        }
    }

    async fn put_replace_once(&self, key: &str, body: Bytes) -> Result<()> {
        match self {
            Self::Dir(dir) => dir.put_replace(key, body).await,
            Self::S3(s3) => Box::pin(s3.put_replace(key, body)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.put_replace(key, body)).await,
        }
    }

    async fn get_once(&self, key: &str) -> Result<Bytes> {
        match self {
            Self::Dir(dir) => dir.get(key).await,
            Self::S3(s3) => Box::pin(s3.get(key)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.get(key)).await,
        }
    }

    async fn holds_once(&self, key: &str, body: &Bytes) -> Result<bool> {
        match self {
            Self::Dir(dir) => dir.holds(key, body).await,
            Self::S3(s3) => Box::pin(s3.holds(key, body)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.holds(key, body)).await,
        }
    }

    async fn keeps_once(&self, key: &str, written: &Stored) -> Result<bool> {
        match self {
            Self::Dir(dir) => dir.keeps(key, written).await,
            Self::S3(s3) => Box::pin(s3.keeps(key, written)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.keeps(key, written)).await,
        }
    }

    async fn head_once(&self, key: &str) -> Result<Option<ObjectInfo>> {
        match self {
            Self::Dir(dir) => dir.head(key).await,
            Self::S3(s3) => Box::pin(s3.head(key)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.head(key)).await,
        }
    }

    async fn list_once(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        match self {
            Self::Dir(dir) => dir.list(prefix).await,
            Self::S3(s3) => Box::pin(s3.list(prefix)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.list(prefix)).await,
        }
    }

    async fn folders_once(&self, prefix: &str) -> Result<Vec<String>> {
        match self {
            Self::Dir(dir) => dir.folders(prefix).await,
            Self::S3(s3) => Box::pin(s3.folders(prefix)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.folders(prefix)).await,
        }
    }

    async fn delete_once(&self, keys: &[String]) -> Result<()> {
        match self {
            Self::Dir(dir) => dir.delete(keys).await,
            Self::S3(s3) => Box::pin(s3.delete(keys)).await,
            Self::Unreliable(faulty) => Box::pin(faulty.delete(keys)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "zqSECRETqz";

    fn all_that_is_told(location: &str, settings: &S3Settings) -> String {
        match Store::open(location, settings) {
            Ok(store) => store.describe(),
            Err(e) => format!("{e} {e:?} {:?}", e.hint),
        }
    }

    proptest::proptest! {
        #[test]
        fn no_address_shows_what_stands_at_the_passwords_place(
            before in "[ -~]{0,4}|[0-9]{1,3}[/?#@:]", after in "[ -~]{0,4}", form in 0..7usize,
        ) {
            let secret = format!("{before}{SECRET}{after}");
            let text = [
                format!("s3://KEY:{secret}@bucket/prefix"),
                format!("s3://KEY:{secret}@bucket/a@b/latest"),
                format!("https://KEY:{secret}@host/bucket"),
                format!("postgres://user:{secret}@host/db"),
                format!("postgres:/user:{secret}@host/db"),
                format!("KEY:{secret}@bucket/prefix"),
                format!("host=h password={secret} dbname=d"),
            ][form].clone();
            let endpoint = S3Settings { endpoint: Some(text.clone()), ..S3Settings::default() };
            let told = [
                all_that_is_told(&text, &S3Settings::default()),
                all_that_is_told("s3://bucket", &endpoint),
                crate::config::shown(&text),
            ];
            for told in told {
                proptest::prop_assert!(!told.contains(SECRET), "{text:?} is told as {told}");
            }
        }
    }
}
