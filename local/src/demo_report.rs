//! What `bin/dev --once` shows: the demo app's tables, before, broken and restored.

use crate::demo::Contents;
use std::collections::BTreeSet;

/// Rows of each table and the beginning of their hash.
pub(crate) fn listing(contents: &Contents) -> String {
    let mut text = format!("     {:<20}{:>8}   hash\n", "table", "rows");
    for (table, found) in contents {
        let hash = found.hash.get(..12).unwrap_or(&found.hash);
        text += &format!("     {table:<20}{:>8}   {hash}\n", grouped(found.rows));
    }
    text
}

/// Each table before and now, and whether its rows are the same ones.
pub(crate) fn comparison(before: &Contents, now: &Contents) -> String {
    let mut text = format!("     {:<20}{:>8}{:>8}   rows\n", "table", "before", "now");
    for table in tables(before, now) {
        let rows = |contents: &Contents| match contents.get(table) {
            Some(found) => grouped(found.rows),
            None => "-".to_string(),
        };
        let verdict = match before.get(table) == now.get(table) {
            true => "the same",
            false => "DIFFERENT",
        };
        text += &format!(
            "     {table:<20}{:>8}{:>8}   {verdict}\n",
            rows(before),
            rows(now)
        );
    }
    text
}

/// How many tables differ.
pub(crate) fn differing(before: &Contents, now: &Contents) -> usize {
    let tables = tables(before, now).into_iter();
    tables
        .filter(|table| before.get(*table) != now.get(*table))
        .count()
}

pub(crate) fn total_rows(contents: &Contents) -> String {
    grouped(contents.values().map(|found| found.rows).sum())
}

fn tables<'a>(one: &'a Contents, other: &'a Contents) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

/// `1145` is shown as `1,145`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::TableContents;

    fn contents(tables: &[(&str, i64, &str)]) -> Contents {
        let entry = |(name, rows, hash): &(&str, i64, &str)| {
            let hash = hash.to_string();
            (name.to_string(), TableContents { rows: *rows, hash })
        };
        tables.iter().map(entry).collect()
    }

    #[test]
    fn tells_same_rows_from_different_ones() {
        let before = contents(&[
            ("agents", 5, "aa"),
            ("calls", 1145, "bb"),
            ("gone", 1, "cc"),
        ]);
        let now = contents(&[("agents", 5, "aa"), ("calls", 1145, "xx")]);
        assert_eq!(differing(&before, &now), 2);
        assert_eq!(differing(&before, &before), 0);
        let text = comparison(&before, &now);
        assert!(text.contains("1,145   1,145   DIFFERENT"), "{text}");
        assert!(text.contains("1       -   DIFFERENT"), "{text}");
        assert!(text.contains("5       5   the same"), "{text}");
    }
}
