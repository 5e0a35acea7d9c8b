//! Names of tables and scopes as people type them.

use rovodev::core::ident::QName;
use rovodev::core::manifest::Scope;

/// `schema.table`, `table` (of `public`), or with quotes where a name holds a dot: `"my.schema"."table"`.
pub fn table(text: &str) -> Result<QName, String> {
    if text.contains(',') && !text.contains('"') {
        return Err("name one table and repeat the flag for each: --table a --table b".into());
    }
    let (first, rest) = part(text)?;
    let Some(rest) = rest else {
        return Ok(QName::new("public", first));
    };
    match part(rest)? {
        (second, None) => Ok(QName::new(first, second)),
        _ => Err("write it as SCHEMA.TABLE".into()),
    }
}

/// The part before the first dot outside quotes, and what follows the dot.
fn part(text: &str) -> Result<(String, Option<&str>), String> {
    let (name, rest) = match text.strip_prefix('"') {
        None => match text.split_once('.') {
            Some((name, rest)) => (name.to_string(), Some(rest)),
            None => (text.to_string(), None),
        },
        Some(quoted) => {
            let end = closing_quote(quoted).ok_or("a quote is not closed")?;
            let name = quoted[..end].replace("\"\"", "\"");
            match &quoted[end + 1..] {
                "" => (name, None),
                rest => (
                    name,
                    Some(
                        rest.strip_prefix('.')
                            .ok_or("a dot is missing after the quote")?,
                    ),
                ),
            }
        }
    };
    if name.is_empty() {
        return Err("write it as SCHEMA.TABLE".into());
    }
    Ok((name, rest))
}

/// Where the quote ends; two in a row are one inside the name.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut quotes = quoted.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.peek() == Some(&(at + 1)) {
            quotes.next();
        } else {
            return Some(at);
        }
    }
    None
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
    fn reads_names_of_tables() {
        for (text, schema, name) in [
            ("calls", "public", "calls"),
            ("crm.calls", "crm", "calls"),
            ("\"my.schema\".calls", "my.schema", "calls"),
            ("\"a\"\"b\".\"c.d\"", "a\"b", "c.d"),
        ] {
            assert_eq!(table(text), Ok(QName::new(schema, name)), "{text}");
        }
        assert!(table("a,b").unwrap_err().contains("repeat the flag"));
        assert_eq!(table("\"a,b\""), Ok(QName::new("public", "a,b")));
        for text in ["", ".", "a.", "a.b.c", "\"a", "\"a\"b"] {
            assert!(table(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_scopes() {
        assert_eq!(scope("tenant_id=a=b").unwrap().value, "a=b");
        assert!(scope("=x").is_err() && scope("x").is_err());
    }
}
