//! Where things lie in a store, relative to its prefix. `docs/FORMAT.md` is the specification.

use crate::core::manifest::Codec;
use uuid::Uuid;

pub const FORMAT: &str = "format.json";
pub const RECOVERY: &str = "RECOVERY.md";
pub const PRUNE_LOCK: &str = "prune.lock";
pub const BACKUPS: &str = "backups/";
pub const SEGMENTS: &str = "segments/";
/// Downloads that were made ready beforehand: `exports/<tenant>/<id>.<suffix>`.
pub const EXPORTS: &str = "exports/";
/// Small objects that show whether a store can be written.
pub const PROBES: &str = "probe/";

/// The tenant of a store that serves one owner alone.
pub const DEFAULT_TENANT: &str = "default";

/// Whether a tenant's folder may have this name, which the catalog calls its slug.
pub fn is_tenant(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63 && name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '-')
}

/// `backups/<tenant>/`
pub fn tenant_dir(tenant: &str) -> String {
    format!("{BACKUPS}{tenant}/")
}

/// `backups/<tenant>/<id>/`
pub fn backup_dir(tenant: &str, id: Uuid) -> String {
    format!("{BACKUPS}{tenant}/{id}/")
}

/// `backups/<tenant>/<id>/<digits>/`: a folder of its own for one of several attempts at a backup, each with a random id.
pub fn attempt_dir(tenant: &str, id: Uuid, attempt: Uuid) -> String {
    let digits = attempt.simple().to_string();
    format!("{}{}/", backup_dir(tenant, id), &digits[..8])
}

pub fn started(tenant: &str, id: Uuid) -> String {
    backup_dir(tenant, id) + "started.json"
}

/// Says that the backup is to be deleted; it stays until that is done.
pub fn deleted(tenant: &str, id: Uuid) -> String {
    backup_dir(tenant, id) + "deleted.json"
}

pub fn manifest(tenant: &str, id: Uuid) -> String {
    backup_dir(tenant, id) + "manifest.json"
}

/// `segments/<2 hex>/<id>.<codec>`: the same rows under another codec are another object.
pub fn segment(id: &str, codec: Codec) -> String {
    format!(
        "{SEGMENTS}{}/{id}.{}",
        id.get(..2).unwrap_or(id),
        codec.suffix()
    )
}

/// Tenant and backup id of a key under `backups/`.
pub fn parse_backup(key: &str) -> Option<(&str, Uuid, &str)> {
    let mut parts = key.strip_prefix(BACKUPS)?.splitn(3, '/');
    let (tenant, id, rest) = (parts.next()?, parts.next()?, parts.next()?);
    Some((tenant, Uuid::parse_str(id).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_back() {
        let id = Uuid::nil();
        assert_eq!(
            parse_backup(&manifest("t", id)),
            Some(("t", id, "manifest.json"))
        );
        assert_eq!(parse_backup("backups/x"), None);
        assert!(is_tenant("acme-2") && is_tenant(DEFAULT_TENANT));
        for name in ["", "../x", "a/b", "-a", "A"] {
            assert!(!is_tenant(name), "{name}");
        }
        assert_eq!(segment("abcd", Codec::Gzip), "segments/ab/abcd.gz");
    }
}
