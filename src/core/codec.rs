//! Compression of stored objects. Outputs of one codec, joined, decompress to the inputs joined.

use crate::core::manifest::Codec;
use crate::error::{Code, Error, Result};
use std::io::{Read, Write};

const ZSTD_LEVEL: i32 = 1;

impl Codec {
    /// The suffix of a stored object's key.
    pub fn suffix(self) -> &'static str {
        match self {
            Codec::Zstd => "zst",
            Codec::Gzip => "gz",
            Codec::None => "raw",
        }
    }
}

/// Compresses object after object, keeping the compressor's memory between them.
pub enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip,
    None,
}

impl Compressor {
    pub fn new(codec: Codec) -> Result<Self> {
        Ok(match codec {
            Codec::Zstd => Self::Zstd(zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(failed)?),
            Codec::Gzip => Self::Gzip,
            Codec::None => Self::None,
        })
    }

    /// Into memory of an earlier object, or into none.
    pub fn compress(&mut self, raw: &[u8], mut into: Vec<u8>) -> Result<Vec<u8>> {
        into.clear();
        match self {
            Self::Zstd(zstd) => {
                into.reserve_exact(zstd::zstd_safe::compress_bound(raw.len()));
                zstd.compress_to_buffer(raw, &mut into).map_err(failed)?;
                Ok(into)
            }
            Self::Gzip => {
                let mut out = flate2::write::GzEncoder::new(into, flate2::Compression::default());
                out.write_all(raw).map_err(failed)?;
                out.finish().map_err(failed)
            }
            Self::None => {
                into.extend_from_slice(raw);
                Ok(into)
            }
        }
    }
}

/// Compresses one object.
pub fn compress(codec: Codec, raw: &[u8]) -> Result<Vec<u8>> {
    let mut stored = Compressor::new(codec)?.compress(raw, Vec::new())?;
    // It was made as large as the worst case.
    stored.shrink_to_fit();
    Ok(stored)
}

/// Decompresses one object that must hold exactly `raw_bytes`; never allocates more than that for a hostile one.
pub fn decompress(codec: Codec, stored: &[u8], raw_bytes: u64) -> Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(usize::try_from(raw_bytes).unwrap_or(0).min(1 << 30));
    let limit = raw_bytes.saturating_add(1);
    match codec {
        Codec::Zstd => zstd::stream::read::Decoder::new(stored)
            .map_err(damaged)?
            .take(limit)
            .read_to_end(&mut raw),
        Codec::Gzip => flate2::read::MultiGzDecoder::new(stored)
            .take(limit)
            .read_to_end(&mut raw),
        Codec::None => stored.take(limit).read_to_end(&mut raw),
    }
    .map_err(damaged)?;
    if raw.len() as u64 != raw_bytes {
        return Err(Error::new(
            Code::ObjectDamaged,
            format!(
                "it holds {} bytes where {raw_bytes} were written",
                raw.len()
            ),
        ));
    }
    Ok(raw)
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Code::Internal, "compression failed").source(error)
}

fn damaged(error: std::io::Error) -> Error {
    Error::new(Code::ObjectDamaged, "it does not decompress").source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_objects_decompress_to_joined_inputs(a: Vec<u8>, b: Vec<u8>) {
            for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
                let joined = [compress(codec, &a).unwrap(), compress(codec, &b).unwrap()].concat();
                let raw = [a.clone(), b.clone()].concat();
                prop_assert_eq!(decompress(codec, &joined, raw.len() as u64).unwrap(), raw);
            }
        }
    }

    #[test]
    fn refuses_other_lengths() {
        let stored = compress(Codec::Zstd, &[7; 1000]).unwrap();
        for told in [0, 999, 1001] {
            assert_eq!(
                decompress(Codec::Zstd, &stored, told).unwrap_err().code,
                Code::ObjectDamaged
            );
        }
        assert_eq!(
            decompress(Codec::Zstd, &stored[..stored.len() - 3], 1000)
                .unwrap_err()
                .code,
            Code::ObjectDamaged
        );
    }
}
