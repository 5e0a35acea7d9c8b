//! The parts of a `psql` script around the rows.

use super::ddl::Ddl;
use crate::core::extras::Item;
use crate::core::ident::{list, literal, quote};
use crate::core::manifest::{Manifest, Table};
use std::fmt::Write;

/// As `pg_dump` sets them, and what the rows' text relies on.
const SETTINGS: &str = "\
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = postgres;
SET client_min_messages = warning;
SET row_security = off;
SELECT pg_catalog.set_config('search_path', '', false);

";

/// Everything before the rows.
pub fn before_rows(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut out = header(manifest, ddl);
    out.push_str(SETTINGS);
    if !ddl.is_whole() {
        tolerated(
            &mut out,
            "-- Rows come in any order, so foreign keys and triggers wait where the role may say so.\n\
             SET session_replication_role = replica;\n",
        );
        return out;
    }
    items(&mut out, "Roles", &ddl.extras.roles);
    items(&mut out, "Memberships", &ddl.extras.memberships);
    for (i, schema) in ddl.extras.managed.iter().enumerate() {
        let name = literal(&quote(&schema.name));
        let _ = write!(
            out,
            "SELECT pg_catalog.to_regnamespace({name}) IS NULL AS make_{i} \\gset\n\\if :make_{i}\n{}\n\\endif\n\n",
            schema.pre_data
        );
    }
    out.push_str(&ddl.pre_data);
    out.push_str("\n\n");
    out.push_str(SETTINGS);
    out
}

/// Everything after the rows. The last line tells that the script is whole.
pub fn after_rows(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut out = String::new();
    for s in &manifest.sequences {
        let name = literal(&s.name.sql());
        let _ = writeln!(
            out,
            "SELECT pg_catalog.setval({name}, {}, {});",
            s.last_value, s.is_called
        );
    }
    out.push('\n');
    if ddl.is_whole() {
        definitions_after_rows(&mut out, ddl);
    }
    for view in &manifest.materialized_views {
        let _ = writeln!(out, "REFRESH MATERIALIZED VIEW {};", view.sql());
    }
    let _ = writeln!(out, "\n-- The end of Rovodev backup {}", manifest.id);
    out
}

fn definitions_after_rows(out: &mut String, ddl: &Ddl) {
    for (i, schema) in ddl.extras.managed.iter().enumerate() {
        let _ = write!(out, "\\if :make_{i}\n{}\n\\endif\n\n", schema.post_data);
    }
    out.push_str(&ddl.post_data);
    out.push_str("\n\n");
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
        ("Settings of roles", &extras.role_settings),
        ("Scheduled jobs", &extras.cron_jobs),
        ("Rows of extensions", &extras.extension_rows),
    ] {
        items(out, title, list);
    }
}

/// `COPY … ` up to `FROM` or `TO`. A table without columns has no list.
pub fn copy_target(table: &Table) -> String {
    let columns = list(table.columns.iter().map(|c| c.name.as_str()));
    match table.columns.is_empty() {
        true => table.name.sql(),
        false => format!("{} ({columns})", table.name.sql()),
    }
}

fn header(manifest: &Manifest, ddl: &Ddl) -> String {
    let mut lines = vec![
        format!("Rovodev backup {} ({})", manifest.name, manifest.id),
        format!(
            "taken {} UTC",
            manifest.finished_at.format("%Y-%m-%d %H:%M:%S")
        ),
    ];
    if let Some(source) = &manifest.source {
        lines.push(format!(
            "database {}, PostgreSQL {}",
            source.database, source.server_version
        ));
    }
    lines.push(match ddl.is_whole() {
        true => "Run it by psql in an empty database.".into(),
        false => {
            "ROWS ALONE: it holds no table definitions. Run it by psql where the tables exist."
                .into()
        }
    });
    lines.extend(
        manifest
            .warnings
            .iter()
            .map(|w| format!("Warning: {}", w.message)),
    );
    let mut out = String::new();
    for line in lines.iter().flat_map(|l| l.lines()) {
        let _ = writeln!(out, "-- {line}");
    }
    out.push('\n');
    out
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
            true => tolerated(out, &format!("{sql}{end}")),
            false => out.extend([sql, end]),
        }
    }
    out.push('\n');
}

/// SQL that may fail, whatever the user chose for `ON_ERROR_STOP`.
fn tolerated(out: &mut String, sql: &str) {
    out.push_str("\\set rovodev_stop :ON_ERROR_STOP\n\\set ON_ERROR_STOP off\n");
    out.push_str(sql);
    out.push_str("\\set ON_ERROR_STOP :rovodev_stop\n");
}
