//! Names of tables and scopes as people type them.

use rovodev::core::ident::QName;
use rovodev::core::manifest::Scope;

/// For flags.
pub fn table(text: &str) -> Result<QName, String> {
    QName::parse(text).map_err(str::to_string)
}

/// `COLUMN=VALUE`
pub fn scope(text: &str) -> Result<Scope, String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok(Scope {
            column: column.into(),
            value: value.into(),
        }),
        _ => Err("write it as COLUMN=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_scopes() {
        assert_eq!(scope("tenant_id=a=b").unwrap().value, "a=b");
        assert!(scope("=x").is_err() && scope("x").is_err());
    }
}
