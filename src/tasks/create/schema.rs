//! The definitions of a backup, by the real pg_dump in the same snapshot, and what pg_dump loses.

use super::CreateRequest;
use super::selected::Selected;
use super::snapshot::{LockBudget, Snapshot};
use crate::core::codec;
use crate::core::ddl::secrets::{holds_secret, looks_like_credential};
use crate::core::ddl::{self, Entry};
use crate::core::extras::{Extras, ManagedSchema};
use crate::core::managed;
use crate::core::manifest::{Codec, Manifest, Object, Schema, SchemaStatus, Warning};
use crate::error::{Code, Result};
use crate::ports::postgres::{DatabaseUrl, DumpArgs, PgDump, Section, Session, extras};
use crate::ports::store::Store;
use serde_json::Map;
use tokio_util::sync::CancellationToken;

/// Definitions as they came, not stored yet.
pub struct Captured {
    pub version: String,
    pub pre_data: Vec<u8>,
    pub post_data: Vec<u8>,
    pub extras: Extras,
    /// Rows of the app that extensions keep and that could not be captured.
    pub lost: Vec<String>,
}

pub enum Definitions {
    Captured(Box<Captured>),
    Missing(String),
}

/// Reads the definitions in the backup's snapshot. Without a pg_dump that works there are none, and the
/// rows are kept all the same.
pub async fn capture(
    session: &Session,
    url: &DatabaseUrl,
    request: &CreateRequest,
    snapshot: &Snapshot,
    cancel: &CancellationToken,
) -> Result<Definitions> {
    let pg_dump = match PgDump::find(request.pg_dump.as_deref(), session.identity.version).await {
        Ok(found) => found,
        Err(none) => return Ok(Definitions::Missing(none.reason)),
    };
    let args = |section| arguments(section, request, &snapshot.selected);
    let dump = async |args: DumpArgs| pg_dump.dump(url, Some(&snapshot.name), &args, cancel).await;
    let extras = async {
        let (mut extras, lost) = extras::capture(session).await?;
        for name in extras::referenced_managed_schemas(session).await? {
            let section = |s| DumpArgs {
                sections: vec![s],
                schemas: vec![name.clone()],
                exclude_tables: managed::catalog_queue_tables(),
                ..DumpArgs::default()
            };
            let pre_data = text(dump(section(Section::PreData)).await?);
            let post_data = text(dump(section(Section::PostData)).await?);
            extras.managed.push(ManagedSchema {
                name,
                pre_data,
                post_data,
            });
        }
        Ok((extras, lost))
    };
    let (pre_data, post_data) = (dump(args(Section::PreData)), dump(args(Section::PostData)));
    // With a scarce lock table one pg_dump runs after the other.
    let all = match snapshot.locks {
        LockBudget::Plenty => tokio::try_join!(pre_data, post_data, extras),
        LockBudget::Scarce => {
            async { Ok((pre_data.await?, post_data.await?, extras.await?)) }.await
        }
    };
    match all {
        Ok((pre_data, post_data, (extras, lost))) => {
            Ok(Definitions::Captured(Box::new(Captured {
                version: pg_dump.version().to_string(),
                pre_data: ddl::without_catalog(pre_data),
                post_data,
                extras,
                lost,
            })))
        }
        Err(error) if error.code == Code::PgDumpFailed => Ok(Definitions::Missing(error.message)),
        Err(error) => Err(error),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whole schemas are chosen by name. A choice of single tables takes whole definitions too, since tables
/// need types and functions that pg_dump would leave out; a restore picks what it needs.
fn arguments(section: Section, request: &CreateRequest, selected: &Selected) -> DumpArgs {
    let by_schema = !request.selection.schemas.is_empty() && request.selection.tables.is_empty();
    DumpArgs {
        sections: vec![section],
        schemas: if by_schema {
            request.selection.schemas.clone()
        } else {
            Vec::new()
        },
        extensions: by_schema,
        exclude_schema_patterns: if by_schema {
            Vec::new()
        } else {
            managed::pg_dump_exclusions()
        },
        exclude_schemas: selected.catalog_schemas.clone(),
        exclude_tables: selected.catalog_tables.clone(),
        ..DumpArgs::default()
    }
}

/// Stores the definitions and says in the manifest what became of them, and what they lack.
pub async fn store(
    definitions: Definitions,
    store: &Store,
    folder: &str,
    manifest: &mut Manifest,
) -> Result<Schema> {
    let captured = match definitions {
        Definitions::Captured(captured) => captured,
        Definitions::Missing(reason) => {
            manifest.warnings.push(Warning {
                code: "schema_missing".into(),
                message: format!("the definitions are missing ({reason}): this backup restores only over existing tables"),
            });
            return Ok(without(SchemaStatus::Missing, Some(reason)));
        }
    };
    if manifest.selection.is_whole() {
        name_what_is_left_out(&captured, manifest);
    }
    manifest.left_out.extend(readable_secrets(&captured));
    let path = |name: &str| format!("{folder}schema/{name}.zst");
    let extras = captured.extras.to_json()?;
    let (pre_data, post_data, extras) = tokio::try_join!(
        put(store, path("pre-data.sql"), &captured.pre_data),
        put(store, path("post-data.sql"), &captured.post_data),
        put(store, path("extras.json"), &extras),
    )?;
    Ok(Schema {
        status: SchemaStatus::Captured,
        reason: None,
        pg_dump_version: Some(captured.version),
        pre_data: Some(pre_data),
        post_data: Some(post_data),
        extras: Some(extras),
        unknown: Map::new(),
    })
}

/// Whoever chose a part knows that there is more.
fn name_what_is_left_out(captured: &Captured, manifest: &mut Manifest) {
    if !captured.lost.is_empty() {
        manifest.warnings.push(Warning {
            code: "extension_rows".into(),
            message: format!("not in the backup: {}", captured.lost.join("; ")),
        });
    }
    let left_out = captured.extras.left_out.iter();
    let secret: Vec<&str> = left_out
        .filter(|what| !captured.lost.contains(what))
        .map(String::as_str)
        .collect();
    if !secret.is_empty() {
        manifest.left_out.push(Warning {
            code: "secrets".into(),
            message: format!("not in the backup: {}", secret.join("; ")),
        });
    }
}

/// Passwords and keys that stand readable in the definitions, which a restore needs as they are.
fn readable_secrets(captured: &Captured) -> Option<Warning> {
    let texts = [&captured.pre_data, &captured.post_data];
    let entries = texts.map(|text| ddl::parse(&String::from_utf8_lossy(text)).entries);
    let entries = entries.iter().flatten().filter(|e| holds_secret(e));
    let extras = &captured.extras;
    let lists = [
        &extras.triggers,
        &extras.cron_jobs,
        &extras.database_settings,
        &extras.role_settings,
        &extras.role_settings_here,
    ];
    let items = lists.into_iter().flatten();
    let items = items.filter(|item| looks_like_credential(&item.sql));
    let items = items.map(|item| item.name.clone());
    let names: Vec<String> = entries.map(Entry::label).chain(items).collect();
    (!names.is_empty()).then(|| Warning {
        code: "readable_secrets".into(),
        message: format!(
            "in the backup, readable for whoever may read the store: what looks like passwords or keys in {} \
             (let few read the store, or keep such secrets in the vault)",
            names.join(", ")
        ),
    })
}

/// What a backup of one tenant lacks.
pub fn rows_alone() -> Warning {
    Warning {
        code: "definitions".into(),
        message: "not in the backup: table definitions, since it holds one tenant's rows alone; to restore it into \
                  another database, make the tables first (your migrations, or a backup of the whole database)"
            .into(),
    }
}

/// A manifest's schema where there are no definitions.
pub fn without(status: SchemaStatus, reason: Option<String>) -> Schema {
    Schema {
        status,
        reason,
        pg_dump_version: None,
        pre_data: None,
        post_data: None,
        extras: None,
        unknown: Map::new(),
    }
}

/// Compresses and stores an object of this backup alone.
pub async fn put(store: &Store, key: String, raw: &[u8]) -> Result<Object> {
    let stored = codec::compress(Codec::Zstd, raw)?;
    let object = Object {
        raw_bytes: raw.len() as u64,
        stored_bytes: stored.len() as u64,
        stored_hash: blake3::hash(&stored).to_hex().to_string(),
        key,
    };
    store.put_new(&object.key, stored.into()).await?;
    Ok(object)
}
