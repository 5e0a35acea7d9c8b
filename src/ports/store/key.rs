//! Which keys a store accepts: plain relative paths, equal in meaning on S3 and on a disk.

use crate::error::{Code, Error, Result};

/// S3's limit for a whole key, prefix included, is 1024.
const LONGEST: usize = 900;

/// Refuses keys that could leave the store's folder or that a file system reads differently.
pub fn check(key: &str) -> Result<()> {
    let plain = !key.is_empty()
        && key.len() <= LONGEST
        && key
            .split('/')
            .all(|part| !part.is_empty() && part.len() <= 255 && !part.starts_with('.'))
        && !key.chars().any(|c| c.is_control() || c == '\\');
    if plain { Ok(()) } else { Err(refused(key)) }
}

/// A prefix may be empty, and may end in the middle of a name or in `/`.
pub fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() || check(prefix.strip_suffix('/').unwrap_or(prefix)).is_ok() {
        Ok(())
    } else {
        Err(refused(prefix))
    }
}

/// What ends in `/`, or is empty for the whole store.
pub fn check_folder(prefix: &str) -> Result<()> {
    if prefix.is_empty() || prefix.strip_suffix('/').is_some_and(|p| check(p).is_ok()) {
        Ok(())
    } else {
        Err(refused(prefix))
    }
}

fn refused(key: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("{key:?} cannot be the key of a stored object"),
    )
    .hint("Keys are relative paths whose parts neither are empty nor start with a dot.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_leaves_the_store() {
        for key in [
            "", "/a", "a/", "a//b", "../a", "a/../b", ".tmp/x", "a\\b", "a\nb",
        ] {
            assert_eq!(check(key).unwrap_err().code, Code::Usage, "{key:?}");
        }
        for key in ["format.json", "segments/ab/abcd.zst", "backups/Täñ ant/x"] {
            check(key).unwrap();
        }
        for prefix in ["", "a/", "a/b", "segments/a"] {
            check_prefix(prefix).unwrap();
        }
        assert!(check_prefix("../").is_err());
        for (folder, fits) in [
            ("", true),
            ("a/", true),
            ("a/b/", true),
            ("a", false),
            ("../", false),
        ] {
            assert_eq!(check_folder(folder).is_ok(), fits, "{folder:?}");
        }
    }
}
