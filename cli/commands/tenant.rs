use clap::{Args, Subcommand};
use rovodev::error::{Code, Error};

/// Whose backups there are, what they take in the store, and how much they may
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev tenant list
  rovodev --tenant northwind tenant quota 50GB
  rovodev --tenant northwind tenant quota none

What a tenant's backups take is what each of them added to the store, and never
less than the largest of them. At 80 % of a limit and beyond it those are told
who asked for it (quota.near, quota.exceeded). A limit stops no backup: a
refused one would be missed when it is needed.

This needs a catalog (SUPABASE_URL, SUPABASE_SECRET_KEY).

{}", crate::exit::help()))]
pub struct TenantArgs {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Subcommand)]
pub enum Action {
    /// Show all tenants, what they store and how much they may
    List,
    /// Say how much a tenant may store
    Quota(QuotaArgs),
}

#[derive(Args)]
pub struct QuotaArgs {
    /// Such as 500MB, 50GB, 2TB or a number of bytes; none takes the limit away
    #[arg(value_name = "SIZE", value_parser = limit)]
    pub limit: Limit,
}

/// Bytes, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Option<u64>);

/// Decimal units, as stores bill them and as sizes are shown.
const UNITS: &[(&str, u64)] = &[
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
    ("", 1),
];

fn limit(text: &str) -> Result<Limit, String> {
    let wrong = || "write a size such as 500MB, 50GB or 2TB, or none".to_string();
    let upper = text.trim().to_ascii_uppercase();
    if upper == "NONE" {
        return Ok(Limit(None));
    }
    let digits = upper.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = upper[digits.len()..].trim();
    let factor = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, factor) = factor.ok_or_else(wrong)?;
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(*factor);
    let bytes = bytes.filter(|b| *b > 0 && i64::try_from(*b).is_ok());
    bytes.map(|b| Limit(Some(b))).ok_or_else(wrong)
}

pub fn no_catalog() -> Error {
    Error::new(
        Code::Config,
        "tenants are kept in a catalog, and there is none",
    )
    .hint("Set SUPABASE_URL and SUPABASE_SECRET_KEY.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_shown() {
        for (text, bytes) in [
            ("50GB", Some(50_000_000_000)),
            ("500 mb", Some(500_000_000)),
            ("1024", Some(1024)),
            ("7B", Some(7)),
            ("none", None),
        ] {
            assert_eq!(limit(text), Ok(Limit(bytes)), "{text}");
        }
        for text in ["", "0", "GB", "1.5GB", "-1", "50GiB", "9999999999TB", "ten"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
