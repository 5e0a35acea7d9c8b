//! Secrets of the deployment that open an address.

use super::Request;
use crate::config::{Settings, Variable};
use http::header;

/// A shorter secret could be guessed.
const SHORTEST: usize = 16;

/// Whether a request shows the secret of a setting as its bearer.
pub fn shows(request: &Request, settings: &Settings, variable: &Variable) -> bool {
    let secret = settings.get(variable).filter(|s| s.len() >= SHORTEST);
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    secret.zip(shown).is_some_and(|(a, b)| same(a, b))
}

/// In a time that tells nothing: hashes compare in constant time (`blake3::Hash`), and hide the lengths.
fn same(secret: &str, shown: &str) -> bool {
    blake3::hash(secret.as_bytes()) == blake3::hash(shown.as_bytes())
}
