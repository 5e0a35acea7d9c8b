//! The parts of a `psql` script around the rows.

use super::ddl::Ddl;
use super::definitions::Definitions;
use super::tolerant::{Tolerance, block, execute};
use crate::core::ddl::{Entry, Kind, parse, statement};
use crate::core::extras::{Extras, Item, ManagedSchema};
use crate::core::ident::{QName, list, literal, quote};
use crate::core::manifest::{Manifest, Scope, Table};
use crate::core::{grants, loaded, missing_rows};
use crate::ports::postgres::NO_ENCODING;
use std::fmt::Write;

/// As `pg_dump` sets them, and what the rows' text relies on.
const SETTINGS: &str = "\
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = postgres;
SET client_min_messages = warning;
SET row_security = off;
SELECT pg_catalog.set_config('search_path', '', false);

";

/// Rows of a database without an encoding are bytes as they were.
fn encoding(manifest: &Manifest) -> &'static str {
    match &manifest.source {
        Some(source) if source.encoding == NO_ENCODING => NO_ENCODING,
        _ => "UTF8",
    }
}

/// Everything before the rows.
pub fn before_rows(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut out = header(manifest, ddl);
    out.push_str(&format!(
        "SET client_encoding = '{}';\n",
        encoding(manifest)
    ));
    out.push_str(SETTINGS);
    match ddl.is_whole() {
        true => definitions_before_rows(&mut out, ddl),
        false => {
            out.push_str("-- Rows come in any order, so foreign keys and triggers wait where the role may say so.\n");
            let wait = execute("SET session_replication_role = replica");
            out.push_str(&block(
                "the waiting of foreign keys and triggers",
                &wait,
                Tolerance::Of,
            ));
        }
    }
    out
}

/// Everything after the rows. The last line tells that the script is whole.
pub fn after_rows(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut out = String::new();
    for s in manifest.sequences.iter().filter(|s| ddl.keeps_sequence(s)) {
        let name = literal(&s.name.sql());
        let _ = writeln!(
            out,
            "SELECT pg_catalog.setval({name}, {}, {});",
            s.last_value, s.is_called
        );
    }
    out.push('\n');
    match ddl.is_whole() {
        true => definitions_after_rows(&mut out, ddl),
        false => {
            let own = || manifest.tables.iter().filter(|t| !t.platform);
            let tables = || own().flat_map(with_root);
            out.push_str(&loaded::advance_sequences(tables()));
            out.push_str(&loaded::tell_broken_references(tables()));
        }
    }
    let views = manifest.materialized_views.iter();
    for view in views.filter(|v| ddl.keeps_view(v)) {
        let refresh = execute(&format!("REFRESH MATERIALIZED VIEW {}", view.sql()));
        let label = format!("the rows of materialized view {view}");
        out.push_str(&block(&label, &refresh, Tolerance::Of));
    }
    let _ = writeln!(out, "\n-- The end of Rovodev backup {}", manifest.id);
    out
}

/// A column of a partitioned table owns its sequence.
fn with_root(table: &Table) -> impl Iterator<Item = &QName> {
    std::iter::once(&table.name).chain(&table.partition_root)
}

fn definitions_before_rows(out: &mut String, ddl: &Ddl) {
    let platform = Platform::read(ddl);
    let mut definitions = definitions(ddl, &platform);
    for (i, (name, ..)) in platform.0.iter().enumerate() {
        let name = literal(&quote(name));
        let _ = writeln!(
            out,
            "SELECT pg_catalog.to_regnamespace({name}) IS NULL AS rovodev_make_{i} \\gset"
        );
    }
    roles(out, ddl, &definitions);
    items(out, "Memberships", &ddl.extras.memberships);
    definitions.ask_for_owners(out);
    definitions.extension_schemas(out, &ddl.pre_data);
    let is_first = |e: &&Entry| matches!(e.kind, Kind::Schema | Kind::Extension);
    let (first, rest): (Vec<_>, Vec<_>) = ddl.pre_data.iter().partition(is_first);
    let defaults = grants::without_defaults(&ddl.pre_data);
    out.push_str(&defaults.before);
    for entry in first {
        definitions.write(out, entry, false);
    }
    for (i, (_, pre_data, _)) in platform.0.iter().enumerate() {
        platforms(out, &mut definitions, i, pre_data);
    }
    let (grants, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|e| e.kind == Kind::Acl);
    for entry in &rest {
        definitions.write(out, entry, false);
    }
    out.push_str("-- What default privileges grant\n");
    out.extend([&defaults.after, "\n"]);
    for entry in grants {
        definitions.write(out, entry, false);
    }
}

fn definitions_after_rows(out: &mut String, ddl: &Ddl) {
    let platform = Platform::read(ddl);
    let mut definitions = definitions(ddl, &platform);
    for (i, (_, _, post_data)) in platform.0.iter().enumerate() {
        platforms(out, &mut definitions, i, post_data);
    }
    for entry in &ddl.post_data {
        definitions.write(out, entry, false);
    }
    for key in ddl.keys_into_the_platform() {
        check_key(out, key);
    }
    let extras = &ddl.extras;
    for (title, list) in [
        ("Triggers on managed tables", &extras.triggers),
        ("Policies on managed tables", &extras.policies),
        ("Publications", &extras.publications),
        ("Settings of the database", &extras.database_settings),
        (
            "Settings of roles in the database",
            &extras.role_settings_here,
        ),
        ("Scheduled jobs", &extras.cron_jobs),
        ("Rows of extensions", &extras.extension_rows),
    ] {
        items(out, title, list);
    }
    settings_of_new_roles(out, extras);
}

fn check_key(out: &mut String, key: &Entry) {
    let name = key.statements.first();
    let name = name.and_then(|s| statement::word_after(s, "CONSTRAINT"));
    if let (Some(table), Some(name)) = (&key.table, name) {
        let check = format!(
            "ALTER TABLE {} VALIDATE CONSTRAINT {}",
            table.sql(),
            quote(&name)
        );
        let label = format!("the check of {}", key.label());
        out.push_str(&block(&label, &execute(&check), Tolerance::Of));
    }
}

/// A role that was there before keeps its settings: they hold in every database of the server.
fn settings_of_new_roles(out: &mut String, extras: &Extras) {
    for (i, role) in extras.roles.iter().enumerate() {
        let settings = extras.role_settings.iter();
        let settings: Vec<_> = settings.filter(|s| s.name == role.name).cloned().collect();
        if !settings.is_empty() {
            let _ = writeln!(out, "\\if :rovodev_role_{i}");
            items(out, "Settings of a role", &settings);
            out.push_str("\\endif\n");
        }
    }
}

/// The platform's schemas, made where the target lacks them: name, definitions before the rows and after them.
struct Platform(Vec<(String, Vec<Entry>, Vec<Entry>)>);

impl Platform {
    fn read(ddl: &Ddl) -> Self {
        let managed = ddl.extras.managed.iter();
        let entries = |text: &str| parse(text).entries;
        let schema = |m: &ManagedSchema| {
            let (pre_data, post_data) = (entries(&m.pre_data), entries(&m.post_data));
            (m.name.clone(), pre_data, post_data)
        };
        Self(managed.map(schema).collect())
    }
}

/// Those of both parts of the script, so that both count the owners alike.
fn definitions(ddl: &Ddl, platform: &Platform) -> Definitions {
    let platforms = platform
        .0
        .iter()
        .flat_map(|(_, pre, post)| pre.iter().chain(post));
    let all = ddl.pre_data.iter().chain(&ddl.post_data);
    Definitions::new(all.chain(platforms), ddl.is_partial())
}

fn platforms(out: &mut String, definitions: &mut Definitions, i: usize, entries: &[Entry]) {
    let _ = writeln!(out, "\\if :rovodev_make_{i}");
    for entry in entries {
        definitions.write(out, entry, true);
    }
    out.push_str("\\endif\n\n");
}

/// Makes roles that the server lacks. To give an object away, who is no superuser must be a member of the new owner.
fn roles(out: &mut String, ddl: &Ddl, definitions: &Definitions) {
    for (i, item) in ddl.extras.roles.iter().enumerate() {
        let name = quote(&item.name);
        let text = literal(&name);
        let (full, plain) = (
            execute(&item.sql),
            execute(&format!("CREATE ROLE {name} NOLOGIN")),
        );
        let label = format!("role {}", item.name);
        let make =
            format!("BEGIN\n{full}EXCEPTION WHEN insufficient_privilege THEN\n{plain}END;\n");
        let _ = writeln!(
            out,
            "SELECT pg_catalog.to_regrole({text}) IS NULL AS rovodev_role_{i} \\gset"
        );
        let _ = writeln!(out, "\\if :rovodev_role_{i}");
        out.push_str(&block(&label, &make, Tolerance::Of));
        if definitions.is_owner(&item.name) {
            let join = execute(&format!("GRANT {name} TO CURRENT_USER"));
            out.push_str(&block(&label, &join, Tolerance::Of));
        }
        out.push_str("\\endif\n");
    }
    out.push('\n');
}

/// Where rows of the platform's tables wait until those that are missing are added.
const WAITING: &str = "pg_temp.rovodev_platform_rows";

/// `COPY … ` up to `FROM` or `TO`. A table without columns has no list.
pub fn copy_target(table: &Table) -> String {
    let columns = list(table.columns.iter().map(|c| c.name.as_str()));
    let name = match table.platform {
        true => WAITING.into(),
        false => table.name.sql(),
    };
    match table.columns.is_empty() {
        true => name,
        false => format!("{name} ({columns})"),
    }
}

/// What the rows of a table of the platform need first; nothing for the app's.
pub fn before_copy(table: &Table) -> String {
    match table.platform {
        true => format!("CREATE TABLE {WAITING} ({});\n", missing_rows::texts(table)),
        false => String::new(),
    }
}

/// Adds such rows where they are missing.
pub fn after_copy(table: &Table) -> String {
    if !table.platform {
        return String::new();
    }
    let label = format!("rows of {}", table.name);
    let add = missing_rows::add(table, WAITING, None);
    let add = block(&label, &add, Tolerance::Of);
    format!("{add}DROP TABLE {WAITING};\n\n")
}

fn header(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut lines = vec![
        format!("Rovodev backup {} ({})", manifest.name, manifest.id),
        format!(
            "taken {} UTC",
            manifest.finished_at.format("%Y-%m-%d %H:%M:%S")
        ),
    ];
    if let Some(source) = manifest.source.as_ref().filter(|_| !ddl.rows_alone()) {
        lines.push(format!(
            "database {}, PostgreSQL {}",
            source.database, source.server_version
        ));
    }
    lines.push(match ddl.is_whole() {
        true => "Run it by psql -v ON_ERROR_STOP=1 in a database that holds none of the app's tables, as its owner.\n\
                 What belongs to the platform and what the role may not do is left out with a WARNING."
            .into(),
        false => format!(
            "ROWS ALONE{}: it holds no table definitions. Make the tables first (by the app's migrations, or from a\n\
             backup of the whole database); none of these rows may be there. Then run it by\n\
             psql -v ON_ERROR_STOP=1 --single-transaction as the tables' owner. Triggers and foreign keys do not act\n\
             meanwhile; references to rows that are not there are told with a WARNING at the end.",
            tenant(manifest)
        ),
    });
    lines.extend(ddl.unchecked_keys().map(|key| {
        format!(
            "Foreign key {key}: its rows are not in the backup, so it is made NOT VALID and holds for new rows."
        )
    }));
    let warnings = manifest.warnings.iter().filter(|_| !ddl.rows_alone());
    lines.extend(warnings.map(|w| format!("Warning: {}", w.message)));
    let mut out = String::new();
    for line in lines.iter().flat_map(|l| l.lines()) {
        // It would end the comment.
        let _ = writeln!(out, "-- {}", line.replace('\r', " "));
    }
    out.push('\n');
    out
}

fn tenant(manifest: &Manifest) -> String {
    let scope = manifest.selection.scope.as_ref();
    let of_one = |s: &Scope| format!(" of one tenant ({}={})", s.column, s.value);
    scope.map(of_one).unwrap_or_default()
}

fn items(out: &mut String, title: &str, items: &[Item]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "-- {title}");
    for item in items {
        let sql = item.sql.trim_end();
        let end = if sql.ends_with(';') { "\n" } else { ";\n" };
        match item.optional {
            true => out.push_str(&block(&item.name, &execute(sql), Tolerance::Of)),
            false => out.extend([sql, end]),
        }
    }
    out.push('\n');
}
