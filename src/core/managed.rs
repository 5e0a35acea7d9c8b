//! Schemas that are not the app's: the server's, the platform's, and our own.

use super::ident::QName;

/// Schemas that Supabase or one of its extensions makes and keeps, as the Supabase CLI excludes them. A `*` at
/// the end stands for any text.
pub const PLATFORM: &[&str] = &[
    "_analytics",
    "_realtime",
    "_supavisor",
    "_timescaledb_*",
    "auth",
    "cron",
    "dbdev",
    "etl",
    "extensions",
    "graphql",
    "graphql_public",
    "net",
    "pgbouncer",
    "pgmq",
    "pgmq_public",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "realtime",
    "repack",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "tiger",
    "tiger_data",
    "timescaledb_*",
    "topology",
    "vault",
];

/// How the comment on each object of the catalog begins, by which backups and restores leave them out.
pub const CATALOG_MARKER: &str = "rovodev:catalog";
/// The catalog's queues in pgmq.
pub const CATALOG_QUEUES: &[&str] = &["rovodev_jobs", "rovodev_long_jobs"];

/// Our own schemas are one of these and an operation's id (a UUID, with or without hyphens), so that an app's
/// `staging_area` stays the app's.
pub const STAGING: &str = "staging_";
pub const UNDO: &str = "undo_";
pub const RESTORE_MARKER: &str = "rovodev_restore_";
/// The advisory lock ("rovo", 1) of whoever restores into a database.
pub const RESTORE_LOCK: (i64, i64) = (1_919_907_695, 1);
const OWN: &[&str] = &[STAGING, UNDO, RESTORE_MARKER];
const ID_PATTERN: &str = "[0-9a-f-]{32,36}";

/// Whether Supabase or one of its extensions keeps this schema.
pub fn is_platform(schema: &str) -> bool {
    PLATFORM.iter().any(|known| match known.strip_suffix('*') {
        Some(prefix) => schema.starts_with(prefix),
        None => schema == *known,
    })
}

/// Whether an operation of ours made this schema.
pub fn is_own(schema: &str) -> bool {
    let is_id = |id: &str| {
        (32..=36).contains(&id.len())
            && id
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
    };
    OWN.iter()
        .any(|prefix| schema.strip_prefix(prefix).is_some_and(is_id))
}

/// Whether the schema belongs to the app: neither the server's, nor the platform's, nor ours.
pub fn is_app(schema: &str) -> bool {
    !schema.starts_with("pg_")
        && schema != "information_schema"
        && !is_platform(schema)
        && !is_own(schema)
}

/// A POSIX regular expression that matches exactly the schemas that are not the app's; to be bound as a value:
/// `nspname !~ $1`.
pub fn not_app_regex() -> String {
    let platform = PLATFORM.iter().map(|known| known.replace('*', ".*"));
    let own = OWN.iter().map(|prefix| format!("{prefix}{ID_PATTERN}"));
    let all: Vec<_> = ["pg_.*".to_string(), "information_schema".to_string()]
        .into_iter()
        .chain(platform)
        .chain(own)
        .collect();
    format!("^({})$", all.join("|"))
}

/// A POSIX regular expression of the schemas that mark a restore as unfinished.
pub fn restore_marker_regex() -> String {
    format!("^{RESTORE_MARKER}{ID_PATTERN}$")
}

/// Tables of pgmq that hold the catalog's queues and their archives.
pub fn catalog_queue_tables() -> Vec<QName> {
    let both = |queue: &&str| ["q_", "a_"].map(|kind| QName::new("pgmq", format!("{kind}{queue}")));
    CATALOG_QUEUES.iter().flat_map(both).collect()
}

/// Patterns for `pg_dump --exclude-schema`, one option each. pg_dump leaves the server's own schemas out by itself.
pub fn pg_dump_exclusions() -> Vec<String> {
    let own = OWN.iter().map(|prefix| format!("{prefix}{ID_PATTERN}"));
    PLATFORM
        .iter()
        .map(|known| known.to_string())
        .chain(own)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_apps_schemas_from_others() {
        for app in [
            "public",
            "Auth",
            "authx",
            "staging_area",
            "undo_1",
            "pgfoo",
            "ünïcode",
        ] {
            assert!(is_app(app), "{app}");
        }
        for other in [
            "auth",
            "pg_catalog",
            "pg_temp_3",
            "information_schema",
            "_timescaledb_internal",
            "staging_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e",
            "undo_0190f9a07e0b7c3d8a3f3d8b2b1c4d5e",
        ] {
            assert!(!is_app(other), "{other}");
        }
    }
}
