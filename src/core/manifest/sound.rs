//! What a manifest may say. Its hash shows damage and no intent: whoever may write to the store can seal another one.

use super::{Manifest, Table};
use std::collections::BTreeSet;

/// Larger than anything that a database holds, and small enough to reckon with.
const IMPLAUSIBLE: u64 = 1 << 53;
const ID_DIGITS: usize = 64;

/// Why a manifest cannot be true.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for table in &manifest.tables {
        if !names.insert(&table.name) {
            return Err(format!("it lists table {} twice", table.name));
        }
        check_table(table)?;
    }
    plausible(
        "all tables together",
        manifest.tables.iter().map(|t| t.raw_bytes),
    )?;
    plausible(
        "all tables together",
        manifest.tables.iter().map(|t| t.rows),
    )?;
    let schema = &manifest.schema;
    let objects = [&schema.pre_data, &schema.post_data, &schema.extras];
    let config = manifest.config.iter().map(|f| &f.object);
    for object in objects.into_iter().flatten().chain(config) {
        check_key(&object.key)?;
        plausible(&object.key, [object.raw_bytes, object.stored_bytes])?;
    }
    let named = manifest.config.iter().map(|f| &f.path);
    named.into_iter().try_for_each(|path| check_file(path))
}

fn check_table(table: &Table) -> Result<(), String> {
    let name = table.name.to_string();
    if table.platform && table.primary_key.is_empty() {
        return Err(format!(
            "table {name} of the platform has no key to tell missing rows by"
        ));
    }
    for segment in table.segments() {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if segment.id.len() != ID_DIGITS || !segment.id.bytes().all(digit) {
            return Err(format!("{:?} is no id of a segment", segment.id));
        }
    }
    plausible(&name, table.segments().map(|s| s.stored_bytes))?;
    let rows = plausible(&name, table.segments().map(|s| s.rows))?;
    let raw_bytes = plausible(&name, table.segments().map(|s| s.raw_bytes))?;
    if (rows, raw_bytes) != (table.rows, table.raw_bytes) {
        return Err(format!(
            "its numbers for table {name} ({} rows, {} bytes) are not those of the table's segments ({rows}, {raw_bytes})",
            table.rows, table.raw_bytes
        ));
    }
    Ok(())
}

/// The sum, where it is one that can be.
fn plausible(what: &str, numbers: impl IntoIterator<Item = u64>) -> Result<u64, String> {
    let sum = numbers.into_iter().try_fold(0u64, |sum, n| {
        sum.checked_add(n).filter(|sum| *sum < IMPLAUSIBLE)
    });
    sum.ok_or_else(|| format!("its numbers for {what} are larger than any database"))
}

fn check_key(key: &str) -> Result<(), String> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    match key.split('/').all(plain) && !key.contains(char::is_control) {
        true => Ok(()),
        false => Err(format!("{key:?} is no object of a store")),
    }
}

/// Configuration lies in the project's own folder.
fn check_file(path: &str) -> Result<(), String> {
    match check_key(path).is_ok() && !path.contains('/') {
        true => Ok(()),
        false => Err(format!("{path:?} is no name of a configuration file")),
    }
}
