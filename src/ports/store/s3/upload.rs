//! Objects that are written while they are made, part by part, and read by others through a link.

use super::error::{Doing, failed_code};
use super::{S3, base64};
use crate::core::stored::crc32;
use crate::error::{Code, Error, Result};
use crate::ports::store::attempt::{self, repeated};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use std::time::Duration;

/// A part has at least 5 MiB, but the last; some services want all of one size.
const SMALLEST_PART: u64 = 8 << 20;
/// S3 takes 10,000 parts; the rest is room for an estimate that was too low.
const PARTS: u64 = 5_000;
/// Parts on their way at the same time.
const AT_ONCE: usize = 2;

impl S3 {
    pub(in crate::ports::store) async fn put_stream(
        &self,
        key: &str,
        body: BoxStream<'_, Result<Bytes>>,
        expected: u64,
    ) -> Result<u64> {
        let upload = repeated(attempt::limit(0), || self.begin(key)).await?;
        let size = expected.div_ceil(PARTS).max(SMALLEST_PART);
        let done = match self.send_parts(key, &upload, body, size as usize).await {
            Ok((parts, bytes)) => self
                .complete(key, &upload, parts, bytes)
                .await
                .map(|()| bytes),
            Err(e) => Err(e),
        };
        if done.is_err() {
            // What stays behind is not seen and still paid for; what fails here is found by `abandon`.
            if let Err(error) = self.abort(key, &upload).await {
                tracing::warn!(%error, key, "the parts of a broken upload could not be dropped");
            }
        }
        done
    }

    async fn begin(&self, key: &str) -> Result<String> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(self.full(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|e| self.failed(e, Doing::Write))?;
        begun
            .upload_id
            .ok_or_else(|| Error::new(Code::StoreError, "the store began an upload without an id"))
    }

    async fn send_parts(
        &self,
        key: &str,
        upload: &str,
        body: BoxStream<'_, Result<Bytes>>,
        size: usize,
    ) -> Result<(Vec<CompletedPart>, u64)> {
        let parts = cut(body, size).enumerate().map(|(i, part)| async move {
            let (number, part) = (i as i32 + 1, part?);
            let limit = attempt::limit(part.len());
            let sent = repeated(limit, || self.send_part(key, upload, number, part.clone()));
            Ok::<_, Error>((sent.await?, part.len() as u64))
        });
        parts
            .buffered(AT_ONCE)
            .try_fold(
                (Vec::new(), 0),
                |(mut parts, bytes), (part, more)| async move {
                    parts.push(part);
                    Ok((parts, bytes + more))
                },
            )
            .await
    }

    async fn send_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart> {
        let crc = base64(crc32(&part));
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(self.full(key))
            .upload_id(upload)
            .part_number(number)
            .checksum_crc32(&crc)
            .body(ByteStream::from(part));
        let sent = sent.customize().disable_payload_signing().send().await;
        let tag = sent.map_err(|e| self.failed(e, Doing::Write))?.e_tag;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(tag)
            .checksum_crc32(crc)
            .build())
    }

    /// Where the answer to an earlier try was lost, the object is there and the upload is not.
    async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<CompletedPart>,
        bytes: u64,
    ) -> Result<()> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        repeated(attempt::UNKNOWN_SIZE, || async {
            let asked = self
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(self.full(key))
                .upload_id(upload)
                .multipart_upload(parts.clone());
            match asked.send().await {
                Ok(_) => Ok(()),
                Err(e) if is_gone(failed_code(&e).as_deref()) => match self.head(key).await? {
                    Some(object) if object.bytes == bytes => Ok(()),
                    _ => Err(self.failed(e, Doing::Write)),
                },
                Err(e) => Err(self.failed(e, Doing::Write)),
            }
        })
        .await
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<()> {
        repeated(attempt::limit(0), || async {
            let asked = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(self.full(key))
                .upload_id(upload);
            match asked.send().await {
                Err(e) if !is_gone(failed_code(&e).as_deref()) => Err(self.failed(e, Doing::Write)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// A service that cannot list unfinished uploads keeps them until its own rules drop them.
    pub(in crate::ports::store) async fn abandon(&self, prefix: &str) -> Result<()> {
        let (mut key, mut upload) = (None, None);
        loop {
            let asked = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(self.full(prefix))
                .set_key_marker(key.clone())
                .set_upload_id_marker(upload);
            let found = match asked.send().await {
                Ok(found) => found,
                Err(e) if matches!(failed_code(&e).as_deref(), Some("NotImplemented" | "501")) => {
                    return Ok(());
                }
                Err(e) => return Err(self.failed(e, Doing::List)),
            };
            for unfinished in found.uploads() {
                let key = unfinished.key().and_then(|k| k.strip_prefix(&self.prefix));
                if let (Some(key), Some(upload)) = (key, unfinished.upload_id()) {
                    self.abort(key, upload).await?;
                }
            }
            let next = found.next_key_marker().map(str::to_string);
            if found.is_truncated() != Some(true) || next.is_none() {
                return Ok(());
            }
            (key, upload) = (next, found.next_upload_id_marker().map(str::to_string));
        }
    }

    pub(in crate::ports::store) async fn link(
        &self,
        key: &str,
        file_name: &str,
        media_type: &str,
        lasts: Duration,
    ) -> Result<String> {
        let unsigned = |e: &dyn std::fmt::Display| {
            Error::new(
                Code::Config,
                format!("no link into the store can be signed: {e}"),
            )
            .hint("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
        };
        let lasts = PresigningConfig::expires_in(lasts).map_err(|e| unsigned(&e))?;
        let signed = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .response_content_disposition(format!("attachment; filename=\"{file_name}\""))
            .response_content_type(media_type)
            .presigned(lasts)
            .await
            .map_err(|e| unsigned(&e))?;
        Ok(signed.uri().to_string())
    }
}

fn is_gone(code: Option<&str>) -> bool {
    matches!(code, Some("NoSuchUpload" | "NotFound"))
}

/// The same bytes in parts of `size`, the last one smaller; one empty part where there are none.
fn cut(
    body: BoxStream<'_, Result<Bytes>>,
    size: usize,
) -> impl Stream<Item = Result<Bytes>> + Send + '_ {
    let begin = (body.fuse(), BytesMut::new(), true);
    stream::try_unfold(begin, move |(mut body, mut buffer, first)| async move {
        while buffer.len() < size {
            match body.try_next().await? {
                Some(bytes) => buffer.extend_from_slice(&bytes),
                None if first || !buffer.is_empty() => {
                    return Ok(Some((buffer.split().freeze(), (body, buffer, false))));
                }
                None => return Ok(None),
            }
        }
        Ok(Some((
            buffer.split_to(size).freeze(),
            (body, buffer, false),
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_hold_every_byte_once() {
        for (given, expected) in [
            (vec!["abc", "defgh", "", "i"], vec!["abcd", "efgh", "i"]),
            (vec!["abcd"], vec!["abcd"]),
            (vec![], vec![""]),
        ] {
            let body = stream::iter(given).map(|b| Ok(Bytes::from(b))).boxed();
            let parts: Vec<Bytes> = cut(body, 4).try_collect().await.unwrap();
            assert_eq!(parts, expected);
        }
    }
}
