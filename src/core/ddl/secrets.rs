//! Passwords and keys that definitions hold as readable text: options of foreign servers, and what callers of other
//! services carry (webhooks, scheduled jobs, functions).

use super::lexer::{Token, tokens};
use super::{Entry, Kind};
use regex::Regex;
use std::sync::LazyLock;

/// Names of options whose value is secret. A name that ends in `_id` or `_name` refers to an entry of the vault.
static SECRET_OPTION: LazyLock<Regex> = LazyLock::new(|| {
    fixed("(?i)^(?:.*(?:passw|secret|token|credential|private|jwt).*|pwd|(?:.*_)?key)$")
});
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| fixed("(?i)_(?:id|name)$"));

/// A token of an `Authorization` header, a JWT, a key of Supabase or Stripe, a URL with a password.
static CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"(?i)\bbearer +[a-z0-9._~+/=-]{16,}|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}|\bsb_secret_\w{8,}|\bsk_(?:live|test)_\w{8,}|\b[a-z][a-z0-9+]*://[^\s:/@']+:[^\s/@']+@",
    )
});

fn fixed(pattern: &str) -> Regex {
    // The patterns above do not change; a test uses each.
    Regex::new(pattern).expect("a pattern that compiles")
}

/// Whether an entry holds what looks like a password or a key. Tables, which are most of a dump, are not looked at.
pub fn holds_secret(entry: &Entry) -> bool {
    let mut statements = entry.statements.iter();
    match entry.kind {
        Kind::ForeignData | Kind::ForeignTable => statements.any(|s| secret_option(s)),
        Kind::Function | Kind::Trigger | Kind::View | Kind::MaterializedView | Kind::Rule => {
            statements.any(|s| looks_like_credential(s))
        }
        _ => false,
    }
}

/// Whether a text holds what looks like a key, wherever it stands.
pub fn looks_like_credential(text: &str) -> bool {
    CREDENTIAL.is_match(text)
}

/// An option is a name and a text that follows it.
fn secret_option(statement: &str) -> bool {
    let all: Vec<_> = tokens(statement)
        .filter(|(token, _)| *token != Token::Space)
        .collect();
    all.windows(2).any(|pair| match pair {
        [
            (Token::Word | Token::QuotedName, name),
            (Token::Text, value),
        ] => {
            let name = name.trim_matches('"');
            SECRET_OPTION.is_match(name)
                && !REFERENCE.is_match(name)
                && !matches!(*value, "''" | "'true'" | "'false'")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_options_that_are_secret() {
        for (options, secret) in [
            ("\"user\" 'u', \"password\" 'p'", true),
            ("password 'p'", true),
            ("\"api_key\" 'k'", true),
            ("\"sslpassword\" 'k'", true),
            ("\"host\" 'password', \"port\" '5432'", false),
            ("\"api_key_id\" '0-0'", false),
            ("\"vault_access_key_name\" 'n'", false),
            ("\"key\" 'true'", false),
            ("\"keepalives\" '1'", false),
            ("\"password\" ''", false),
        ] {
            let sql = format!(
                "CREATE SERVER \"s\" FOREIGN DATA WRAPPER \"w\" OPTIONS (\n    {options}\n);"
            );
            assert_eq!(secret_option(&sql), secret, "{options}");
        }
    }

    #[test]
    fn knows_credentials_in_other_texts() {
        for (text, secret) in [
            (r#"'{"Authorization":"Bearer abcdefghijklmnop"}'"#, true),
            ("SELECT 'eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.x'", true),
            ("'sb_secret_0123456789'", true),
            ("'sk_live_0123456789'", true),
            ("dblink('postgres://me:word@host/db')", true),
            ("'postgres://me@host/db'", false),
            ("'https://host:443/a@b'", false),
            ("-- the bearer of news", false),
            ("Authorization: Bearer ' || secret", false),
        ] {
            assert_eq!(looks_like_credential(text), secret, "{text}");
        }
    }
}
