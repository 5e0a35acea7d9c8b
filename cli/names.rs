//! Names of tables and scopes as people type them.

use rovodev::core::ident::QName;
use rovodev::core::manifest::Scope;

/// For flags.
pub fn table(text: &str) -> Result<QName, String> {
    if text.contains(',') && !text.contains('"') {
        return Err("name one table and repeat the flag for each: --table a --table b".into());
    }
    QName::parse(text).map_err(str::to_string)
}

/// `COLUMN=VALUE`
pub fn scope(text: &str) -> Result<Scope, String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok(Scope::new(column, value)),
        _ => Err("write it as COLUMN=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_how_to_be_written() {
        assert!(table("a,b").unwrap_err().contains("repeat the flag"));
        assert_eq!(table("\"a,b\""), Ok(QName::new("public", "a,b")));
    }

    #[test]
    fn reads_scopes() {
        assert_eq!(scope("tenant_id=a=b").unwrap().value, "a=b");
        assert!(scope("=x").is_err() && scope("x").is_err());
    }
}
