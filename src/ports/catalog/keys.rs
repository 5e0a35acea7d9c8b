//! Who asks: keys and tokens as Supabase takes them.

use crate::error::{Code, Error, Result};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::fmt;

const API_KEY: HeaderName = HeaderName::from_static("apikey");

/// A key of a Supabase project: `sb_publishable_…`, `sb_secret_…`, or one of the older JWTs.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Older keys are tokens by themselves and go into `Authorization` too; new ones must not.
    fn is_token(&self) -> bool {
        !self.0.starts_with("sb_")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// In whose name a request is made.
#[derive(Clone, Copy)]
pub enum As<'a> {
    /// A person, by a verified access token.
    Person(&'a str),
    /// Work behind the scenes.
    Jobs,
    /// Whoever holds a link.
    Anybody,
}

/// Sets `apikey` and `Authorization`.
pub(super) fn authorize(
    headers: &mut HeaderMap,
    caller: As<'_>,
    publishable: &ApiKey,
    secret: Option<&ApiKey>,
) -> Result<()> {
    let key = match caller {
        As::Jobs => secret.ok_or_else(|| {
            Error::new(Code::Config, "SUPABASE_SECRET_KEY is not set")
                .hint("Jobs need it. Supabase: Project Settings → API Keys.")
        })?,
        As::Person(_) | As::Anybody => publishable,
    };
    let token = match caller {
        As::Person(token) => Some(token),
        As::Jobs | As::Anybody => key.is_token().then_some(key.0.as_str()),
    };
    headers.insert(API_KEY, sensitive(&key.0)?);
    match token {
        Some(token) => headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?),
        None => headers.remove(AUTHORIZATION),
    };
    Ok(())
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            Code::Config,
            "a Supabase key holds characters that no key has",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(caller: As<'_>, key: &str) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        let key = ApiKey::new(key);
        authorize(&mut headers, caller, &key, Some(&key)).unwrap();
        let text = |v: &HeaderValue| v.to_str().unwrap().to_string();
        (
            text(&headers[API_KEY]),
            headers.get(AUTHORIZATION).map(text),
        )
    }

    #[test]
    fn new_keys_are_only_api_keys_and_older_ones_are_tokens_too() {
        assert_eq!(sent(As::Jobs, "sb_secret_x"), ("sb_secret_x".into(), None));
        assert_eq!(sent(As::Jobs, "eyJ.a.b").1, Some("Bearer eyJ.a.b".into()));
        assert_eq!(sent(As::Anybody, "sb_publishable_x").1, None);
        assert_eq!(
            sent(As::Person("t"), "sb_publishable_x").1,
            Some("Bearer t".into())
        );
        assert_eq!(
            sent(As::Person("t"), "eyJ.a.b"),
            ("eyJ.a.b".into(), Some("Bearer t".into()))
        );
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(
            format!("{:?}", ApiKey::new("sb_secret_x")),
            "ApiKey(hidden)"
        );
    }
}
