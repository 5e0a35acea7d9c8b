//! The one place where SQL identifiers and literals are quoted.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `"name"`, with inner quotes doubled; safe for any name that Postgres can hold.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'` for the few statements that take no bound values (`SET`, `COMMENT`, `DO`); needs
/// `standard_conforming_strings=on`, which every session pins.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Text between dollars, readable as it is; the tag is one that the text does not hold.
pub fn dollars(text: &str) -> String {
    let mut tag = "$sql".to_string();
    while text.contains(&tag) {
        tag.push('_');
    }
    format!("{tag}${text}{tag}$")
}

/// Quoted names, joined by commas.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A schema-qualified name. `Display` is for people (`public.calls`), [`QName::sql`] for statements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QName {
    pub schema: String,
    pub name: String,
}

impl QName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// Reads `schema.table`, `table` (of `public`), or with quotes where a name holds a dot: `"my.schema"."table"`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (first, rest) = part(text)?;
        let Some(rest) = rest else {
            return Ok(Self::new("public", first));
        };
        match part(rest)? {
            (second, None) => Ok(Self::new(first, second)),
            _ => Err(SHAPE),
        }
    }

    /// `"schema"."name"`.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

const SHAPE: &str = "write it as SCHEMA.TABLE";

/// The part before the first dot outside quotes, and what follows the dot.
fn part(text: &str) -> Result<(String, Option<&str>), &'static str> {
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
        return Err(SHAPE);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_never_ends_its_own_quoting() {
        assert_eq!(dollars("a"), "$sql$a$sql$");
        assert_eq!(dollars("$sql$a$sql$"), "$sql_$$sql$a$sql$$sql_$");
        assert_eq!(dollars("it's $sql"), "$sql_$it's $sql$sql_$");
        assert_eq!(dollars("$sql_"), "$sql__$$sql_$sql__$");
    }

    #[test]
    fn quotes_hostile_names() {
        assert_eq!(
            quote("a\"; DROP TABLE x; --"),
            "\"a\"\"; DROP TABLE x; --\""
        );
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(
            QName::new("Pub lic", "ta\"ble").sql(),
            "\"Pub lic\".\"ta\"\"ble\""
        );
    }

    #[test]
    fn reads_names_of_tables() {
        for (text, schema, name) in [
            ("calls", "public", "calls"),
            ("crm.calls", "crm", "calls"),
            ("\"my.schema\".calls", "my.schema", "calls"),
            ("\"a\"\"b\".\"c.d\"", "a\"b", "c.d"),
        ] {
            assert_eq!(QName::parse(text), Ok(QName::new(schema, name)), "{text}");
        }
        for text in ["", ".", "a.", "a.b.c", "\"a", "\"a\"b"] {
            assert!(QName::parse(text).is_err(), "{text}");
        }
    }
}
