//! Points in time in rows of tables: `2026-11-22T09:44:23.5+00:00`, or as Postgres itself writes them in UTC,
//! `2026-11-22 09:44:23.5+00`, as one PostgREST does.

use chrono::{DateTime, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// For `#[serde(deserialize_with)]`.
pub fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    read(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// The same where there may be none.
pub fn moment_if_any<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| read(&text))
        .transpose()
        .map_err(D::Error::custom)
}

fn read(text: &str) -> chrono::ParseResult<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_moment_are_read() {
        let same = read("2026-11-22T09:44:23.532025+00:00").unwrap();
        assert_eq!(read("2026-11-22 09:44:23.532025+00").unwrap(), same);
        assert_eq!(read("2026-11-22 11:44:23.532025+02").unwrap(), same);
        assert_eq!(
            read("2026-11-22T09:44:23Z").unwrap(),
            read("2026-11-22 09:44:23+00").unwrap()
        );
        assert!(read("yesterday").is_err());
    }
}
