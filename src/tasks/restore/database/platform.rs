//! Rows of the platform's tables, such as `auth.users`: those that the target lacks are added, and those that it has stay
//! as they are, whatever is forced. What was added is noted beside the marker, so that it can be taken away again.

use super::content::Content;
use super::pre_data::Platform;
use super::steps::Warnings;
use super::target::Target;
use super::work::Work;
use crate::core::counted::counted;
use crate::core::ddl::Entry;
use crate::core::ident::{self, QName, literal};
use crate::core::manifest::{Table, Warning};
use crate::core::missing_rows;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::target::{self, Fires, Rights, TargetTable};
use crate::tasks::restore::copy_in::CopyIn;

const LEFT_OUT: &str = "platform_rows_left_out";
/// How the notes of added rows are called; their comment names the table.
const ADDED: &str = "added_";

/// Takes tables that the target lacks, or has in another shape, out of the content, and tells of them. Refuses what the
/// role may not do.
pub async fn look(content: &mut Content<'_>, target: &Target) -> Result<Vec<Warning>> {
    let tables: Vec<&Table> = content.platform_tables().collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<QName> = tables.iter().map(|t| t.name.clone()).collect();
    let found = target::find(&target.session, &names).await?;
    let oids: Vec<u32> = found
        .values()
        .filter(|f| f.is_table)
        .map(|f| f.oid)
        .collect();
    let there = target::tables(&target.session, &oids).await?;
    let rights = target::rights(&target.session).await?;
    let platform = Platform::missing(content, target);
    let mut warnings = Vec::new();
    for table in tables {
        let made = platform.pre_data.iter().filter_map(Entry::makes);
        let why = match there.iter().find(|t| t.name == table.name) {
            Some(now) => {
                refuse(now, rights)?;
                unfit(table, now)
            }
            None if made.into_iter().any(|name| name == table.name) => None,
            None => Some("the target has no such table".into()),
        };
        if let Some(why) = why {
            content.leave_out(&table.name);
            let message = format!("rows of {} are left out: {why}", table.name);
            warnings.push(Warning {
                code: LEFT_OUT.into(),
                message,
            });
        }
    }
    Ok(warnings)
}

fn refuse(now: &TargetTable, rights: Rights) -> Result<()> {
    let leave_out = "Or choose what to restore without that table (--schema, --table).";
    let missing: Vec<&str> = (now.missing_rights.iter().map(String::as_str))
        .filter(|right| *right != "UPDATE")
        .collect();
    if !missing.is_empty() {
        let message = format!("the role lacks {} on {}", missing.join(", "), now.name);
        let hint = format!("Grant the rights, or connect as a role that has them. {leave_out}");
        return Err(Error::new(Code::PermissionDenied, message).hint(hint));
    }
    if now.row_security {
        let message = format!(
            "row level security hides rows of {} from the role",
            now.name
        );
        let hint = format!("Connect as a role with BYPASSRLS (on Supabase: postgres). {leave_out}");
        return Err(Error::new(Code::RowSecurity, message).hint(hint));
    }
    let fires = |fires| fires != Fires::Origin || !rights.replica_role;
    match now.triggers.iter().find(|t| fires(t.fires)) {
        None => Ok(()),
        Some(trigger) => Err(Error::new(
            Code::TriggersFire,
            format!("trigger {} on {} would fire for rows that come back", trigger.name, now.name),
        )
        .hint(format!(
            "Connect as a role that may set session_replication_role (on Supabase: postgres), and enable no trigger \
             there as ALWAYS or REPLICA. {leave_out}"
        ))),
    }
}

/// Why rows of the backup cannot be recognised in the target's table, or not be added to it.
fn unfit(table: &Table, now: &TargetTable) -> Option<String> {
    let key: Vec<&str> = now.key.iter().map(|k| k.name.as_str()).collect();
    if table.primary_key != key {
        return Some(format!(
            "their key was {} and is {} in the target",
            table.primary_key.join(", "),
            key.join(", ")
        ));
    }
    let held = |name: &str| table.columns.iter().any(|c| c.name == name);
    let new = now.columns.iter().filter(|c| !held(&c.name));
    let needed = new
        .into_iter()
        .find(|c| c.not_null && !c.has_default && !c.generated)?;
    Some(format!(
        "the target's column {} takes no NULL and the backup has none such",
        needed.name
    ))
}

/// Adds what is missing, and tells what could not be added. Answers how many rows came.
pub async fn add(work: &Work<'_>, marker: &str, warnings: &Warnings) -> Result<u64> {
    let mut rows = 0;
    for (number, table) in work.content.platform_tables().enumerate() {
        let session = &work.target.session;
        let one = add_to(work, marker, number, table, warnings);
        rows += session.cancellable(&work.ctx.cancel, one).await?;
    }
    Ok(rows)
}

async fn add_to(
    work: &Work<'_>,
    marker: &str,
    number: usize,
    table: &Table,
    warnings: &Warnings,
) -> Result<u64> {
    let (session, name) = (&work.target.session, table.name.sql());
    let doing = format!("adding rows of {}", table.name);
    let exists = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    if !session
        .query_one(&doing, exists, &[&name])
        .await?
        .get::<_, bool>(0)
    {
        let message = format!(
            "rows of {} are left out: the table could not be made",
            table.name
        );
        warnings.add(LEFT_OUT, message);
        return Ok(0);
    }
    let staging = QName::new(marker, format!("rows_{number}")).sql();
    let added = QName::new(marker, format!("{ADDED}{number}"));
    let key = ident::list(table.primary_key.iter().map(String::as_str));
    let prepare = format!(
        "CREATE UNLOGGED TABLE {staging} ({}); CREATE TABLE {note} AS SELECT {key} FROM {name} WITH NO DATA; \
         COMMENT ON TABLE {note} IS {}",
        missing_rows::texts(table),
        literal(&name),
        note = added.sql()
    );
    session.batch(&doing, &prepare).await?;
    let columns = ident::list(table.columns.iter().map(|c| c.name.as_str()));
    let rows = CopyIn {
        session,
        doing: &doing,
        sql: &format!("COPY {staging} ({columns}) FROM STDIN"),
        freeze: false,
        label: &table.name.to_string(),
    };
    let segments: Vec<_> = table.segments().collect();
    let codec = work.content.backup.codec;
    rows.write(work.ctx, work.store, codec, &segments).await?;
    let statement = missing_rows::add(table, &staging, Some(&added));
    session
        .batch(
            &doing,
            &format!("DO {}", literal(&format!("BEGIN {statement}END"))),
        )
        .await?;
    let counted_by = async |sql: String| -> Result<u64> {
        let row = session.query_one(&doing, &sql, &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    };
    let absent = counted_by(missing_rows::count_absent(table, &staging)).await?;
    if absent > 0 {
        let message = format!(
            "{} of {} left out: another row of the target holds the same unique value (an e-mail address), or the row \
             to which they refer is not there",
            counted(absent, "row"),
            table.name
        );
        warnings.add(LEFT_OUT, message);
    }
    counted_by(format!("SELECT count(*) FROM {}", added.sql())).await
}

/// Takes away what the marked restore added to tables that were there before.
pub async fn take_back(session: &Session, marker: &str) -> Result<()> {
    let doing = "taking back rows of the platform's tables";
    let sql = "SELECT c.relname::text, pg_catalog.to_regclass(pg_catalog.obj_description(c.oid, 'pg_class'))::text, \
               ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND pg_catalog.starts_with(c.relname::text, $2) AND c.relkind = 'r' \
                 AND pg_catalog.to_regclass(pg_catalog.obj_description(c.oid, 'pg_class')) IS NOT NULL ORDER BY c.oid DESC";
    let rows = session.query(doing, sql, &[&marker, &ADDED]).await?;
    let mut steps = Vec::new();
    for row in &rows {
        let (added, table): (String, String) = (row.get(0), row.get(1));
        let key: Vec<String> = row.get(2);
        steps.push(missing_rows::take_back(
            &table,
            &QName::new(marker, added),
            &key,
        ));
    }
    if steps.is_empty() {
        return Ok(());
    }
    // Where the role may not say so, no trigger was there when the rows came.
    let silence = match target::rights(session).await?.replica_role {
        true => "SET LOCAL session_replication_role = replica; ",
        false => "",
    };
    let all = format!("BEGIN; {silence}{}; COMMIT", steps.join("; "));
    let done = session.batch(doing, &all).await;
    if done.is_err() {
        // Where the connection broke, there is nothing to end.
        let _ = session.batch(doing, "ROLLBACK").await;
    }
    done
}
