//! Cuts SQL into tokens, knowing every form in which PostgreSQL quotes text, so that what stands inside a string or
//! a function's body is never mistaken for SQL.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Unquoted identifier, keyword or number.
    Word,
    /// `"identifier"`.
    QuotedName,
    /// `'…'`, `E'…'`, `$tag$…$tag$`.
    Text,
    /// `-- …` to the end of the line, newline excluded.
    LineComment,
    /// `/* … */`, nested.
    BlockComment,
    /// A psql command: a backslash at the start of a line, to its end.
    Meta,
    Space,
    /// Any other single character.
    Symbol,
}

/// Tokens that, joined, are exactly the input. An unclosed quote reaches to the end.
/// Assumes `standard_conforming_strings = on`, which every dump sets.
pub fn tokens(sql: &str) -> Tokens<'_> {
    Tokens { sql, at: 0 }
}

pub struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.sql[self.at..];
        let first = rest.chars().next()?;
        let line_start = self.at == 0 || self.sql.as_bytes()[self.at - 1] == b'\n';
        let (token, length) = match first {
            '\\' if line_start => (Token::Meta, line(rest)),
            '-' if rest.starts_with("--") => (Token::LineComment, line(rest)),
            '/' if rest.starts_with("/*") => (Token::BlockComment, block_comment(rest)),
            '"' => (Token::QuotedName, quoted(rest, b'"', false)),
            '\'' => (Token::Text, quoted(rest, b'\'', false)),
            'e' | 'E' if rest[1..].starts_with('\'') => {
                (Token::Text, 1 + quoted(&rest[1..], b'\'', true))
            }
            '$' => match dollar_quoted(rest) {
                Some(length) => (Token::Text, length),
                None => (Token::Symbol, 1),
            },
            c if c.is_whitespace() => (Token::Space, run(rest, char::is_whitespace)),
            c if in_word(c) => (Token::Word, run(rest, |c| in_word(c) || c == '$')),
            c => (Token::Symbol, c.len_utf8()),
        };
        let text = &rest[..length];
        self.at += length;
        Some((token, text))
    }
}

fn in_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Length of a quoted run whose quote is doubled inside, and escaped by a backslash where `escapes`.
fn quoted(text: &str, quote: u8, escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b if b == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of `$tag$ … $tag$`, where the text starts with such a tag.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = 1 + run(&text[1..], in_word);
    let starts_right = !text[1..].starts_with(|c: char| c.is_ascii_digit());
    if !starts_right || !text[tag..].starts_with('$') {
        return None;
    }
    let tag = &text[..=tag];
    let body = &text[tag.len()..];
    let end = body.find(tag).map_or(body.len(), |at| at + tag.len());
    Some(tag.len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(sql: &str) -> Vec<(Token, &str)> {
        tokens(sql).filter(|(t, _)| *t != Token::Space).collect()
    }

    #[test]
    fn knows_every_form_of_quoting() {
        use Token::*;
        assert_eq!(
            kinds("a 'it''s -- no' E'\\' -- no' \"x\"\"-- y\" $$ ' $$ $t$ $$ $u$ $t$ ;"),
            [
                (Word, "a"),
                (Text, "'it''s -- no'"),
                (Text, "E'\\' -- no'"),
                (QuotedName, "\"x\"\"-- y\""),
                (Text, "$$ ' $$"),
                (Text, "$t$ $$ $u$ $t$"),
                (Symbol, ";"),
            ]
        );
        assert_eq!(
            kinds("a$1$b /* /* x */ ' */ -- $$\n\\restrict x\nb"),
            [
                (Word, "a$1$b"),
                (BlockComment, "/* /* x */ ' */"),
                (LineComment, "-- $$"),
                (Meta, "\\restrict x"),
                (Word, "b"),
            ]
        );
    }

    proptest! {
        #[test]
        fn tokens_join_to_the_input(sql in "([a-zE$'\"\\\\/*\n -]|\\$t\\$|ü){0,60}") {
            let joined: String = tokens(&sql).map(|(_, text)| text).collect();
            prop_assert_eq!(joined, sql);
        }
    }
}
