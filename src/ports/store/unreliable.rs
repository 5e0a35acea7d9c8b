//! A store with scripted faults, so that tests can show what each of them does.

use super::{ObjectInfo, Put, Store};
use crate::core::stored::Stored;
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    PutNew,
    PutReplace,
    Get,
    Holds,
    Head,
    List,
    Folders,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done; the error says whether it is worth a retry.
    Fail { retry: bool },
    /// The call takes that much longer.
    Stall(Duration),
    /// A read gives only the first half of the object.
    Truncate,
    /// A read gives one wrong bit.
    FlipBit,
    /// The call is carried out, then reported as a failure that is worth a retry.
    LoseAnswer,
    /// A write or delete is not carried out and reported as done.
    Lie,
    /// The caller meets an error of our own.
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The n-th call of all, counted from 1.
    Call(u64),
    /// Every call from the n-th on; with [`Fault::Fail`], a kill.
    From(u64),
    /// So many of a thousand calls, chosen by the seed and the call's number.
    Share { seed: u64, per_mille: u64 },
}

/// The first rule that fits a call decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub when: When,
    /// `None`: any call.
    pub op: Option<Op>,
    /// Only keys (or prefixes) that contain this.
    pub key: String,
    pub fault: Fault,
}

impl Rule {
    pub fn new(when: When, fault: Fault) -> Self {
        Self {
            when,
            op: None,
            key: String::new(),
            fault,
        }
    }

    #[must_use]
    pub fn on(mut self, op: Op, key: &str) -> Self {
        (self.op, self.key) = (Some(op), key.to_string());
        self
    }

    fn fits(&self, call: u64, op: Op, key: &str) -> bool {
        let now = match self.when {
            When::Call(n) => call == n,
            When::From(n) => call >= n,
            When::Share { seed, per_mille } => {
                xxhash_rust::xxh3::xxh3_64_with_seed(&call.to_le_bytes(), seed) % 1000 < per_mille
            }
        };
        now && self.op.is_none_or(|o| o == op) && key.contains(&self.key)
    }
}

/// Clones share the count of calls.
#[derive(Debug, Clone)]
pub struct Unreliable {
    inner: Box<Store>,
    rules: Arc<[Rule]>,
    calls: Arc<AtomicU64>,
    made: Arc<Mutex<BTreeMap<Op, u64>>>,
}

impl Unreliable {
    pub fn new(inner: Store, rules: impl Into<Arc<[Rule]>>) -> Self {
        Self {
            inner: Box::new(inner),
            rules: rules.into(),
            calls: Arc::default(),
            made: Arc::default(),
        }
    }

    /// Calls so far, retries included.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls of one kind so far, retries included.
    pub fn calls_of(&self, op: Op) -> u64 {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(&op).copied().unwrap_or(0)
    }

    pub(super) fn inner(&self) -> &Store {
        &self.inner
    }

    pub(super) async fn put_new(&self, key: &str, body: Bytes) -> Result<Put> {
        let call = self.inner.put_new_once(key, body);
        self.faulty(Op::PutNew, key, call, Some(Put::Written)).await
    }

    pub(super) async fn put_replace(&self, key: &str, body: Bytes) -> Result<()> {
        let call = self.inner.put_replace_once(key, body);
        self.faulty(Op::PutReplace, key, call, Some(())).await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        let fault = self.next(Op::Get, key);
        let body = apply(fault, self.inner.get_once(key), None).await?;
        Ok(match fault {
            Some(Fault::Truncate) => body.slice(..body.len() / 2),
            Some(Fault::FlipBit) => flip_bit(&body),
            _ => body,
        })
    }

    pub(super) async fn put_stream(
        &self,
        key: &str,
        body: BoxStream<'_, Result<Bytes>>,
        expected: u64,
    ) -> Result<u64> {
        let call = self.inner.put_stream(key, body, expected);
        self.faulty(Op::PutReplace, key, call, None).await
    }

    pub(super) async fn holds(&self, key: &str, body: &Bytes) -> Result<bool> {
        let call = self.inner.holds_once(key, body);
        self.faulty(Op::Holds, key, call, None).await
    }

    pub(super) async fn keeps(&self, key: &str, written: &Stored) -> Result<bool> {
        let call = self.inner.keeps_once(key, written);
        self.faulty(Op::Holds, key, call, None).await
    }

    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let call = self.inner.head_once(key);
        self.faulty(Op::Head, key, call, None).await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let call = self.inner.list_once(prefix);
        self.faulty(Op::List, prefix, call, None).await
    }

    pub(super) async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let call = self.inner.folders_once(prefix);
        self.faulty(Op::Folders, prefix, call, None).await
    }

    pub(super) async fn delete(&self, keys: &[String]) -> Result<()> {
        let first = keys.first().map_or("", String::as_str);
        let call = self.inner.delete_once(keys);
        self.faulty(Op::Delete, first, call, Some(())).await
    }

    async fn faulty<T>(
        &self,
        op: Op,
        key: &str,
        call: impl Future<Output = Result<T>>,
        lie: Option<T>,
    ) -> Result<T> {
        apply(self.next(op, key), call, lie).await
    }

    fn next(&self, op: Op, key: &str) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made.entry(op).or_default() += 1;
        let rule = self.rules.iter().find(|r| r.fits(call, op, key))?;
        Some(rule.fault)
    }
}

async fn apply<T>(
    fault: Option<Fault>,
    call: impl Future<Output = Result<T>>,
    lie: Option<T>,
) -> Result<T> {
    match fault {
        Some(Fault::Fail { retry }) => Err(scripted(retry)),
        Some(Fault::Stall(time)) => {
            tokio::time::sleep(time).await;
            call.await
        }
        Some(Fault::Panic) => panic!("a panic of the test"),
        Some(Fault::LoseAnswer) => call.await.and_then(|_| Err(scripted(true))),
        Some(Fault::Lie) => match lie {
            Some(answer) => Ok(answer),
            None => call.await,
        },
        Some(Fault::Truncate | Fault::FlipBit) | None => call.await,
    }
}

fn scripted(retry: bool) -> Error {
    Error::new(Code::StoreError, "a fault of the test").retry(retry)
}

fn flip_bit(body: &Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}
