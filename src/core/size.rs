//! Sizes as the dashboard shows them.

/// `2.45 MB`: decimal units, as stores bill them.
pub fn formatted(bytes: u64) -> String {
    humansize::format_size(bytes, humansize::DECIMAL)
}
