//! What must hold before the first write.

use super::clear;
use super::content::Content;
use super::target::Target;
use crate::core::counted::counted;
use crate::core::ident::QName;
use crate::core::manifest::{Source, Warning};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::NO_ENCODING;
use crate::tasks::restore::RestoreRequest;
use crate::tasks::restore::in_place::room;
use std::collections::HashSet;

/// Fails where a restore would do harm or cannot work; answers what a person should know.
pub async fn check(
    content: &Content<'_>,
    target: &Target,
    request: &RestoreRequest,
) -> Result<Vec<Warning>> {
    target.require_create().await?;
    room::check(super::bytes_needed(content), request.room)?;
    if content.has_definitions() {
        if !target.is_empty() {
            refuse_source(target, content, request).await?;
        }
        empty_or_forced(target, content, request.force)?;
        if request.force && content.is_partial() && target.markers.is_empty() {
            refuse_loss(target, content).await?;
        }
    } else {
        let taken_back = taken_back(target, request.force).await?;
        tables_wait_for_rows(content, target, &taken_back).await?;
    }
    let mut warnings = Vec::new();
    let mut warn = |code: &str, message: String| {
        warnings.push(Warning {
            code: code.into(),
            message,
        });
    };
    if let Some(source) = &content.backup.source {
        let (ours, theirs) = (
            source.server_version_num / 10_000,
            target.session.identity.version / 10_000,
        );
        if theirs < ours {
            warn(
                "older_target",
                format!(
                    "the target is PostgreSQL {theirs}, the source was {ours}: definitions that only the newer knows are refused by name"
                ),
            );
        }
    }
    let bytes = |s: &Source| s.encoding == NO_ENCODING;
    if content.backup.source.as_ref().is_some_and(bytes) && !target.session.has_raw_text() {
        warn(
            "encoding",
            format!(
                "the source had no encoding ({NO_ENCODING}) and the target has one: rows that hold anything else stop the restore \
                 (CREATE DATABASE … ENCODING '{NO_ENCODING}' TEMPLATE template0 makes a target that takes them all)"
            ),
        );
    }
    for (marker, comment) in &target.markers {
        warn("unfinished_restore", format!("schema {marker}: {comment}"));
    }
    Ok(warnings)
}

/// The app's own database is no other database: what it holds would go without a safety backup. One that an
/// unfinished restore has marked holds nothing to lose.
async fn refuse_source(
    target: &Target,
    content: &Content<'_>,
    request: &RestoreRequest,
) -> Result<()> {
    let Some(source) = &request.source else {
        return Ok(());
    };
    if !target.markers.is_empty() || !target.is_same_as(source, content.backup).await? {
        return Ok(());
    }
    Err(Error::new(
        Code::NotEmpty,
        format!(
            "the target is database {:?} at DATABASE_URL itself; making it anew would drop what it holds",
            target.session.identity.database
        ),
    )
    .hint("Leave out --target-url to restore in place, with a safety backup and an undo; or name another database."))
}

fn empty_or_forced(target: &Target, content: &Content<'_>, force: bool) -> Result<()> {
    let database = &target.session.identity.database;
    if force {
        let foreign = target.to_drop(content).into_iter().find(|s| !s.owned);
        return match foreign {
            None => Ok(()),
            Some(schema) => Err(Error::new(
                Code::PermissionDenied,
                format!(
                    "schema {:?} belongs to another role and cannot be dropped",
                    schema.name
                ),
            )
            .hint("Connect as its owner, or restore into a new database.")),
        };
    }
    refuse_unfinished(target)?;
    if target.is_empty() {
        return Ok(());
    }
    let held: Vec<_> = target
        .filled()
        .map(|s| {
            let (objects, rows) = (counted(s.objects, "object"), counted(s.rows, "row"));
            format!("{} ({objects}, about {rows})", s.name)
        })
        .collect();
    Err(Error::new(
        Code::NotEmpty,
        format!("database {database:?} is not empty: {}", held.join(", ")),
    )
    .hint("Restore into an empty database, or drop these schemas with --force."))
}

fn refuse_unfinished(target: &Target) -> Result<()> {
    let Some((marker, comment)) = target.markers.first() else {
        return Ok(());
    };
    let database = &target.session.identity.database;
    Err(Error::new(
        Code::NotEmpty,
        format!("database {database:?} holds a restore that never ended (schema {marker}: {comment})"),
    )
    .hint("Run again with --force to drop what it left and start anew, or restore into an empty database."))
}

/// Tables that unfinished restores of rows alone filled, which are emptied first. Tables that one has half made are not
/// made whole by rows.
async fn taken_back(target: &Target, force: bool) -> Result<HashSet<String>> {
    if !force {
        refuse_unfinished(target)?;
    }
    let mut all = HashSet::new();
    for (marker, comment) in &target.markers {
        let Some(tables) = clear::filled(&target.session, marker).await? else {
            return Err(Error::new(
                Code::NotEmpty,
                format!(
                    "a restore that never ended was making the target's tables (schema {marker}: {comment}), and this one \
                     brings rows alone"
                ),
            )
            .hint("Run that restore again with --force first."));
        };
        all.extend(tables);
    }
    Ok(all)
}

/// A part makes whole schemas anew, which may hold more than the part brings.
async fn refuse_loss(target: &Target, content: &Content<'_>) -> Result<()> {
    let brought: HashSet<&QName> = content
        .tables()
        .flat_map(|t| std::iter::once(&t.name).chain(&t.partition_root))
        .collect();
    let held = target.tables_in(&target.to_drop(content)).await?;
    let lost: Vec<String> = held
        .iter()
        .filter(|name| !brought.contains(name))
        .map(QName::to_string)
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::NotEmpty,
        format!(
            "schemas that would be dropped hold tables that this restore does not bring back: {}",
            some(&lost)
        ),
    )
    .hint("Restore into an empty database, or choose these tables as well; into the app's own database, restore in place."))
}

/// A backup of rows alone fills tables that are there and empty, or will be.
async fn tables_wait_for_rows(
    content: &Content<'_>,
    target: &Target,
    taken_back: &HashSet<String>,
) -> Result<()> {
    let names: Vec<_> = content.tables().map(|t| &t.name).collect();
    let found = target.tables_with_rows(&names).await?;
    let with = |test: fn(&(bool, bool)) -> bool| {
        let hits = names.iter().zip(&found).filter(|(_, f)| test(f));
        hits.map(|(n, _)| n.to_string()).collect::<Vec<_>>()
    };
    let missing = with(|f| !f.0);
    let stay = names
        .iter()
        .zip(&found)
        .filter(|(n, f)| f.1 && !taken_back.contains(&n.sql()));
    let filled: Vec<String> = stay.map(|(n, _)| n.to_string()).collect();
    if !missing.is_empty() {
        return Err(Error::new(
            Code::SchemaMissing,
            format!(
                "backup {:?} holds no table definitions, and the target lacks {}",
                content.backup.name,
                some(&missing)
            ),
        )
        .hint(match content.backup.selection.scope {
            Some(_) => "A backup of one tenant holds rows alone. Make the tables first: by your migrations, or from a backup of the whole database.",
            None => "Make the tables first (your migrations), or restore a backup that was taken with pg_dump.",
        }));
    }
    if !filled.is_empty() {
        return Err(Error::new(
            Code::NotEmpty,
            format!("these tables hold rows: {}", some(&filled)),
        )
        .hint(
            "To merge the rows, restore in place: leave out --target-url and give this address by --database-url. Or \
             empty the tables first.",
        ));
    }
    Ok(())
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
