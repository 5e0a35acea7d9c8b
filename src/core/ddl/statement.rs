//! Reads and trims single statements of an entry.

use super::lexer::{Token, tokens};
use crate::core::ident::QName;

/// The statements of an entry, each with its `;`, without comments, psql commands and surrounding space. A rule's or
/// a function's body with `;` outside quotes comes in several pieces, which joined are still the body.
pub fn split(sql: &str) -> Vec<String> {
    let (mut all, mut current, mut depth) = (Vec::new(), String::new(), 0i32);
    for (token, text) in tokens(sql) {
        match (token, text) {
            (Token::Meta | Token::LineComment | Token::BlockComment, _) => continue,
            (Token::Space, _) if current.is_empty() => continue,
            (Token::Symbol, "(") => depth += 1,
            (Token::Symbol, ")") => depth -= 1,
            _ => {}
        }
        current.push_str(text);
        if depth <= 0 && text == ";" {
            all.push(std::mem::take(&mut current));
        }
    }
    if !current.trim().is_empty() {
        all.push(current);
    }
    all
}

/// The value of `SET <setting> = value;`.
pub fn setting<'a>(statement: &'a str, name: &str) -> Option<&'a str> {
    let value = statement.strip_prefix("SET ")?.strip_prefix(name)?;
    Some(value.strip_prefix(" = ")?.trim_end_matches(';').trim())
}

/// The role of `ALTER … OWNER TO role;`.
pub fn new_owner(statement: &str) -> Option<String> {
    let words = significant(statement);
    let [.., (_, owner), (_, to), role, (_, ";")] = words.as_slice() else {
        return None;
    };
    (words.first()?.1 == "ALTER" && *owner == "OWNER" && *to == "TO").then(|| name(*role))?
}

/// The roles that a `GRANT`, `REVOKE` or `ALTER DEFAULT PRIVILEGES` names, `PUBLIC` left out.
pub fn grantees(statement: &str) -> Vec<String> {
    let words = significant(statement);
    let is_grant = words
        .first()
        .is_some_and(|(_, w)| matches!(*w, "GRANT" | "REVOKE" | "ALTER"));
    let last = words
        .iter()
        .rposition(|(t, w)| *t == Token::Word && matches!(*w, "TO" | "FROM"));
    let (true, Some(at)) = (is_grant, last) else {
        return Vec::new();
    };
    words[at + 1..]
        .iter()
        .take_while(|(_, w)| !matches!(*w, "WITH" | "GRANTED" | ";"))
        .filter(|(t, w)| *t != Token::Symbol && *w != "PUBLIC")
        .filter_map(|word| name(*word))
        .collect()
}

/// The relation that a statement defines something of: after `ON`, or after `TABLE [ONLY]`.
pub fn relation(statement: &str) -> Option<QName> {
    let words = significant(statement);
    let after = |keyword: &str| {
        words
            .iter()
            .position(|(t, w)| *t == Token::Word && *w == keyword)
    };
    let by_table = matches!(words.get(..2)?, [(_, "ALTER" | "CREATE"), (_, "TABLE")])
        || words
            .get(1)
            .is_some_and(|(_, w)| matches!(*w, "FOREIGN" | "UNLOGGED"));
    let mut at = if by_table {
        after("TABLE")?
    } else {
        after("ON")?
    } + 1;
    while words
        .get(at)
        .is_some_and(|(_, w)| matches!(*w, "ONLY" | "TABLE" | "COLUMN"))
    {
        at += 1;
    }
    qualified(&words[at..])
}

/// The qualified name after the first such keyword, for example the table after `REFERENCES`.
pub fn name_after(statement: &str, keyword: &str) -> Option<QName> {
    let words = significant(statement);
    let at = words
        .iter()
        .position(|word| *word == (Token::Word, keyword))?;
    qualified(&words[at + 1..])
}

/// The qualified name after the last such keyword: an expression before it may hold the keyword too.
pub fn name_after_last(statement: &str, keyword: &str) -> Option<QName> {
    let words = significant(statement);
    let at = words
        .iter()
        .rposition(|word| *word == (Token::Word, keyword))?;
    qualified(&words[at + 1..])
}

pub(super) fn qualified(words: &[(Token, &str)]) -> Option<QName> {
    match words {
        [schema, (_, "."), table, ..] => Some(QName::new(name(*schema)?, name(*table)?)),
        _ => None,
    }
}

/// The unqualified name that follows a keyword, for example a constraint's.
pub fn word_after(statement: &str, keyword: &str) -> Option<String> {
    let words = significant(statement);
    let at = words
        .iter()
        .position(|(t, w)| *t == Token::Word && *w == keyword)?;
    name(*words.get(at + 1)?)
}

/// Whether the words stand one after the other outside any quoting.
pub fn has_words(statement: &str, sought: &[&str]) -> bool {
    let words = significant(statement);
    words.windows(sought.len()).any(|w| {
        w.iter()
            .zip(sought)
            .all(|((t, a), b)| *t == Token::Word && a == b)
    })
}

pub(super) fn significant(statement: &str) -> Vec<(Token, &str)> {
    let ignored = [
        Token::Space,
        Token::LineComment,
        Token::BlockComment,
        Token::Meta,
    ];
    tokens(statement)
        .filter(|(t, _)| !ignored.contains(t))
        .collect()
}

pub(super) fn name((token, text): (Token, &str)) -> Option<String> {
    match token {
        Token::Word => Some(text.to_string()),
        Token::QuotedName => Some(
            text.strip_prefix('"')?
                .strip_suffix('"')?
                .replace("\"\"", "\""),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_statement_is_about() {
        let table = |s: &str| relation(s).map(|n| n.to_string());
        assert_eq!(
            table("CREATE INDEX i ON public.calls USING btree (a);"),
            Some("public.calls".into())
        );
        assert_eq!(
            table("ALTER TABLE ONLY \"Ä b\".\"c.\"\"d\"\n    ADD CONSTRAINT x PRIMARY KEY (id);"),
            Some("Ä b.c.\"d".into())
        );
        assert_eq!(
            table(
                "CREATE TRIGGER \"ON x.y\" BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION f();"
            ),
            Some("app.t".into())
        );
        assert_eq!(
            new_owner("ALTER FUNCTION f(a text) OWNER TO \"my role\";"),
            Some("my role".into())
        );
        assert_eq!(new_owner("SELECT 'ALTER x OWNER TO y';"), None);
        assert_eq!(
            grantees("GRANT ALL ON TABLE a.b TO anon WITH GRANT OPTION;"),
            ["anon"]
        );
        assert_eq!(
            grantees("REVOKE ALL ON SCHEMA x FROM PUBLIC;"),
            Vec::<String>::new()
        );
        assert!(has_words(
            "ALTER TABLE x ADD y NOT VALID;",
            &["NOT", "VALID"]
        ));
    }

    #[test]
    fn splits_at_semicolons_outside_quotes_and_parentheses() {
        let all = split("-- c\nCREATE RULE r AS ON INSERT TO t DO (a; b);\n\n\\x\nSET x = ';';\n");
        assert_eq!(
            all,
            ["CREATE RULE r AS ON INSERT TO t DO (a; b);", "SET x = ';';"]
        );
    }
}
