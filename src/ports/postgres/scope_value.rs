//! How columns read a tenant's value. `01` in a column of integers is 1, in one of text it is not: a scope must mean the
//! same in every table, so only a value that each column's type writes as it was given is one.

use super::{Session, sqlstate};
use crate::core::ident::literal;
use crate::core::manifest::Scope;
use crate::error::{Code, Error, Result};
use std::collections::HashSet;
use tokio_postgres::error::SqlState;

/// Of tables (`$1`) with the column (`$2`): their name, the column's type, and the type below domains without a limit: a
/// cast to `varchar(4)` would cut the value. A numeric is told by its value, whatever its scale.
const COLUMNS: &str = "WITH RECURSIVE base(relation, of, type, typmod) AS (
        SELECT a.attrelid, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = ANY ($1) AND a.attname::text = $2 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.relation, b.of, t.typbasetype, t.typtypmod FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'
    )
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), b.of, pg_catalog.format_type(b.type, -1), b.type = 1700
      FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'
      JOIN pg_catalog.pg_class c ON c.oid = b.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     ORDER BY 1";

/// Refuses a value that is none of a column's type, or that the type writes otherwise.
pub async fn require_canonical(session: &Session, tables: &[u32], scope: &Scope) -> Result<()> {
    let doing = "reading the scope";
    let mut seen = HashSet::new();
    for row in session
        .query(doing, COLUMNS, &[&tables, &scope.column])
        .await?
    {
        let (table, type_name, base): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        if !seen.insert(base.clone()) {
            continue;
        }
        let value = format!("CAST({} AS {base})", literal(&scope.value));
        let written = match row.get(3) {
            true => format!("pg_catalog.trim_scale({value})"),
            false => value.clone(),
        };
        let sql = format!("SELECT {written}::pg_catalog.text, {value} = {value}");
        let read = session.query_one(doing, &sql, &[]).await;
        let read = read.map_err(|e| unfit(e, &table, &type_name, scope))?;
        let canonical: Option<String> = read.get(0);
        let canonical = canonical.unwrap_or_default();
        if canonical != scope.value {
            return Err(otherwise(&table, &type_name, scope, &canonical));
        }
    }
    Ok(())
}

fn otherwise(table: &str, type_name: &str, scope: &Scope, canonical: &str) -> Error {
    let Scope { column, value, .. } = scope;
    Error::new(
        Code::NothingSelected,
        format!(
            "the scope {column}={value} would not mean the same everywhere: in {table} the column is of type {type_name}, \
             which writes this value as {canonical:?}"
        ),
    )
    .hint(format!(
        "Write --scope {column}={canonical}; if other tables hold it otherwise, choose the tables with --table."
    ))
}

/// The value is no value of the column's type, or that type has no equality; other errors stay as they are.
pub fn unfit(error: Error, table: &str, type_name: &str, scope: &Scope) -> Error {
    let fits_not = sqlstate(&error)
        .is_some_and(|s| s.code().starts_with("22") || *s == SqlState::UNDEFINED_FUNCTION);
    if !fits_not {
        return error;
    }
    Error::new(
        Code::NothingSelected,
        format!(
            "the scope {}={} does not fit {table}: the column is of type {type_name}",
            scope.column, scope.value
        ),
    )
    .hint("Name a tenant's value as it stands in that column, or choose the tables with --table.")
    .source(error)
}
