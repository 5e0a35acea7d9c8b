//! What tells a stored object from any other.

/// What an object was when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    /// BLAKE3 of the stored bytes, hex.
    pub hash: String,
    /// CRC32 of the stored bytes, which S3 keeps and tells without a download; absent in older manifests.
    pub crc32: Option<u32>,
}

impl Stored {
    pub fn of(body: &[u8]) -> Self {
        Self {
            bytes: body.len() as u64,
            hash: blake3::hash(body).to_hex().to_string(),
            crc32: Some(crc32(body)),
        }
    }

    /// Whether `body` is what was written.
    pub fn is(&self, body: &[u8]) -> bool {
        body.len() as u64 == self.bytes && blake3::hash(body).to_hex().as_str() == self.hash
    }
}

/// As gzip, PNG and S3 compute it (ISO HDLC).
pub fn crc32(body: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body);
    // The upper half of a 32-bit sum in 64 bits is empty.
    crc as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_or_cut_body_is_another() {
        let told = Stored::of(b"123456789");
        assert_eq!(told.crc32, Some(0xcbf4_3926), "the check value of CRC-32");
        assert!(told.is(b"123456789"));
        for other in [&b"123456780"[..], b"12345678", b"1234567890", b""] {
            assert!(!told.is(other));
        }
    }
}
