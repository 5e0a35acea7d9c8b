//! A compressed file, written as a row of frames that decompress to the whole.

use crate::core::codec;
use crate::core::manifest::Codec;
use crate::error::{Error, Result};
use crate::tasks::segments::blocking;
use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Counts what it writes.
pub struct Counted<'a, W> {
    out: &'a mut W,
    pub bytes: u64,
}

impl<'a, W: AsyncWrite + Unpin> Counted<'a, W> {
    pub fn new(out: &'a mut W) -> Self {
        Self { out, bytes: 0 }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).await.map_err(not_written)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub async fn finish(self) -> Result<u64> {
        self.out.flush().await.map_err(not_written)?;
        Ok(self.bytes)
    }
}

fn not_written(e: std::io::Error) -> Error {
    Error::io("the download could not be written", e)
}

/// One frame of `codec` that holds `text`.
pub async fn frame(codec: Codec, text: impl Into<Bytes>) -> Result<Bytes> {
    let text = text.into();
    blocking(move || codec::compress(codec, &text).map(Bytes::from)).await
}

/// Stored bytes in another codec; the same bytes where it is the same.
pub async fn recoded(from: Codec, to: Codec, stored: Bytes, raw_bytes: u64) -> Result<Bytes> {
    if from == to {
        return Ok(stored);
    }
    blocking(move || {
        let raw = codec::decompress(from, &stored, raw_bytes)?;
        codec::compress(to, &raw).map(Bytes::from)
    })
    .await
}
