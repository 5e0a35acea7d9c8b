//! A store in an S3 bucket: Amazon's, or any service with the same interface.

mod bucket;
mod client;
mod error;
mod upload;

use super::attempt::silent;
use super::{ObjectInfo, Put, S3Settings};
use crate::config;
use crate::core::stored::{Stored, crc32};
use crate::error::{Code, Error, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime as S3Time};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, Delete, Object, ObjectIdentifier};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use error::{Asked, Doing, failed_code};
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one request of S3 deletes at most.
pub const DELETE_BATCH: usize = 1000;
/// The longest silence within a download or between two pages of a list.
const SILENCE: Duration = Duration::from_secs(30);

/// Objects lie under one prefix of one bucket; cheap to clone.
///
/// An object goes up in one request: the largest (a row of 1 GB, compressed) is far below the 5 GiB
/// that one request takes, it is in memory anyway, and `If-None-Match` then holds for all of it.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    bucket: String,
    /// Empty, or ends in `/`.
    prefix: String,
    endpoint: Option<String>,
    /// Whether there are keys to sign requests with.
    signed: bool,
    /// Set when the service answered that it knows no `If-None-Match`.
    unconditional: Arc<AtomicBool>,
}

impl S3 {
    /// `place` is `bucket[/prefix]`.
    pub(super) fn new(place: &str, settings: &S3Settings) -> Result<Self> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_end_matches('/');
        if !is_bucket(bucket) {
            // Not quoted: keys that somebody wrote in front of the bucket would be.
            return Err(Error::new(Code::Usage, "the store's s3:// address names no bucket")
                .hint("Write it as s3://bucket or s3://bucket/prefix; keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."));
        }
        if !prefix.is_empty() && super::key::check(prefix).is_err() {
            let place = config::shown(&format!("s3://{place}"));
            return Err(
                Error::new(Code::Usage, format!("{place} is no place for a store"))
                    .hint("Write it as s3://bucket or s3://bucket/prefix."),
            );
        }
        Ok(Self {
            client: client::build(settings)?,
            bucket: bucket.to_string(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            endpoint: settings.endpoint.clone(),
            signed: settings.access_key.is_some(),
            unconditional: Arc::default(),
        })
    }

    pub(super) fn describe(&self) -> String {
        let place = format!("s3://{}/{}", self.bucket, self.prefix);
        let place = place.trim_end_matches('/');
        match &self.endpoint {
            Some(endpoint) => format!("{place} at {endpoint}"),
            None => place.to_string(),
        }
    }

    /// Where the service knows no `If-None-Match` (501), a look before the write stands in for it:
    /// segments and manifests are the same whoever writes them, and leases look again after writing.
    pub(super) async fn put_new(&self, key: &str, body: Bytes) -> Result<Put> {
        if self.unconditional.load(Ordering::Relaxed) {
            if self.head(key).await?.is_some() {
                return Ok(Put::Existed);
            }
            return self.put_replace(key, body).await.map(|()| Put::Written);
        }
        let sent = self.put(key, body.clone()).if_none_match("*");
        match sent.customize().disable_payload_signing().send().await {
            Ok(_) => Ok(Put::Written),
            Err(e) => match failed_code(&e).as_deref() {
                Some("PreconditionFailed" | "412") => Ok(Put::Existed),
                Some("NotImplemented" | "501") => {
                    tracing::warn!("{} knows no conditional writes", self.describe());
                    self.unconditional.store(true, Ordering::Relaxed);
                    Box::pin(self.put_new(key, body)).await
                }
                _ => Err(self.failed(e, Doing::Write)),
            },
        }
    }

    pub(super) async fn put_replace(&self, key: &str, body: Bytes) -> Result<()> {
        let sent = self.put(key, body);
        let answer = sent.customize().disable_payload_signing().send().await;
        answer.map(|_| ()).map_err(|e| self.failed(e, Doing::Write))
    }

    /// The CRC32 travels in a signed header, so the service refuses a body that changed on the way;
    /// signing the body's SHA-256 as well would cost ten times as much and prove nothing more.
    fn put(
        &self,
        key: &str,
        body: Bytes,
    ) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(body))
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        let asked = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .send();
        let answer = tokio::time::timeout(SILENCE, asked)
            .await
            .map_err(|_| silent(SILENCE))?
            .map_err(|e| self.failed(e, Doing::Read))?;
        download(answer).await
    }

    pub(super) async fn holds(&self, key: &str, body: &Bytes) -> Result<bool> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key));
        match asked.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(told) if told.content_length() != Some(body.len() as i64) => Ok(false),
            Ok(told) => match told.checksum_crc32() {
                Some(crc) => Ok(crc == base64(crc32(body))),
                None => Ok(self.get(key).await? == body),
            },
            Err(e) if failed_code(&e).as_deref() == Some("NotFound") => Ok(false),
            Err(e) => Err(self.failed(e, Doing::Read)),
        }
    }

    /// A checksum that the service computed when it took the object tells a body that was put in its place. Where
    /// it keeps none, or the manifest knows none, the body itself is read.
    pub(super) async fn keeps(&self, key: &str, written: &Stored) -> Result<bool> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key));
        let told = match asked.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(told) if told.content_length() == i64::try_from(written.bytes).ok() => told,
            Ok(_) => return Ok(false),
            Err(e) if failed_code(&e).as_deref() == Some("NotFound") => return Ok(false),
            Err(e) => return Err(self.failed(e, Doing::Read)),
        };
        match (told.checksum_crc32(), written.crc32) {
            (Some(kept), Some(crc)) => Ok(kept == base64(crc)),
            _ => match self.get(key).await {
                Ok(body) => Ok(written.is(&body)),
                Err(e) if e.code == Code::ObjectMissing => Ok(false),
                Err(e) => Err(e),
            },
        }
    }

    pub(super) async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key));
        match asked.send().await {
            Ok(told) => Ok(Some(ObjectInfo {
                key: key.to_string(),
                bytes: told.content_length().unwrap_or(0).unsigned_abs(),
                modified: time(told.last_modified())?,
            })),
            Err(e) if failed_code(&e).as_deref() == Some("NotFound") => Ok(None),
            Err(e) => Err(self.failed(e, Doing::Read)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.full(prefix));
        let mut pages = asked.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = tokio::time::timeout(SILENCE, pages.next())
            .await
            .map_err(|_| silent(SILENCE))?
        {
            for object in page.map_err(|e| self.failed(e, Doing::List))?.contents() {
                found.extend(self.info(object)?);
            }
        }
        found.sort_by(|a: &ObjectInfo, b| a.key.cmp(&b.key));
        Ok(found)
    }

    pub(super) async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let prefix = self.full(prefix);
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&prefix)
            .delimiter("/");
        let mut pages = asked.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = tokio::time::timeout(SILENCE, pages.next())
            .await
            .map_err(|_| silent(SILENCE))?
        {
            let page = page.map_err(|e| self.failed(e, Doing::List))?;
            let names = page.common_prefixes().iter().filter_map(|p| {
                let name = p.prefix()?.strip_prefix(&prefix)?.strip_suffix('/')?;
                super::key::check(name).is_ok().then(|| name.to_string())
            });
            found.extend(names);
        }
        found.sort();
        Ok(found)
    }

    pub(super) async fn delete(&self, keys: &[String]) -> Result<()> {
        let doomed: Result<Vec<_>, _> = keys
            .iter()
            .map(|k| ObjectIdentifier::builder().key(self.full(k)).build())
            .collect();
        let asked = doomed
            .and_then(|objects| {
                Delete::builder()
                    .set_objects(Some(objects))
                    .quiet(true)
                    .build()
            })
            .map_err(|e| Error::new(Code::Internal, "the request could not be made").source(e))?;
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(asked)
            .send()
            .await;
        let answer = answer.map_err(|e| self.failed(e, Doing::Write))?;
        match answer
            .errors()
            .iter()
            .find(|e| e.code() != Some("NoSuchKey"))
        {
            None => Ok(()),
            Some(e) => {
                let told = [e.key(), e.message()].into_iter().flatten();
                let told = told.collect::<Vec<_>>().join(": ");
                let asked = self.asked(Doing::Write);
                Err(error::from_code(
                    e.code().unwrap_or_default(),
                    Some(&told),
                    &asked,
                ))
            }
        }
    }

    fn asked(&self, doing: Doing) -> Asked<'_> {
        Asked {
            doing,
            bucket: &self.bucket,
            endpoint: self.endpoint.as_deref(),
            signed: self.signed,
        }
    }

    fn failed<E>(&self, error: SdkError<E, HttpResponse>, doing: Doing) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        error::failed(error, &self.asked(doing))
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn info(&self, object: &Object) -> Result<Option<ObjectInfo>> {
        let Some(key) = object.key().and_then(|k| k.strip_prefix(&self.prefix)) else {
            return Ok(None);
        };
        // Consoles make empty objects that end in `/` to show folders.
        if super::key::check(key).is_err() {
            return Ok(None);
        }
        Ok(Some(ObjectInfo {
            key: key.to_string(),
            bytes: object.size().unwrap_or(0).unsigned_abs(),
            modified: time(object.last_modified())?,
        }))
    }
}

/// What Amazon and others allow in the name of a bucket, and no more.
fn is_bucket(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.chars().all(plain)
}

async fn download(answer: GetObjectOutput) -> Result<Bytes> {
    let told = answer.content_length().unwrap_or(0).unsigned_abs();
    let mut stream = answer.body;
    let mut body = BytesMut::with_capacity(usize::try_from(told).unwrap_or(0).min(64 << 20));
    loop {
        let next = tokio::time::timeout(SILENCE, stream.next()).await;
        match next.map_err(|_| silent(SILENCE))? {
            Some(Ok(part)) => body.extend_from_slice(&part),
            Some(Err(e)) => {
                let message = format!("the download broke off after {} bytes", body.len());
                return Err(Error::new(Code::StoreError, message).retry(true).source(e));
            }
            None if told != body.len() as u64 && told != 0 => {
                let message = format!("{} of {told} bytes came", body.len());
                return Err(Error::new(Code::StoreError, message).retry(true));
            }
            None => return Ok(body.freeze()),
        }
    }
}

/// As the `x-amz-checksum-crc32` header has it.
fn base64(crc: u32) -> String {
    aws_smithy_types::base64::encode(crc.to_be_bytes())
}

fn time(told: Option<&S3Time>) -> Result<DateTime<Utc>> {
    told.and_then(|t| DateTime::from_timestamp(t.secs(), t.subsec_nanos()))
        .ok_or_else(|| Error::new(Code::StoreError, "the store tells no time of an object"))
}
