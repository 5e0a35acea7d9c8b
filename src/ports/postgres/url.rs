//! A database URL: parsed, checked for what cannot work, and shown without its password.

use crate::error::{Code, Error, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::SslMode;

/// Supabase's transaction-mode pooler.
const TRANSACTION_POOLER_PORT: u16 = 6543;

/// To connect, unless the URL says `connect_timeout=SECONDS`.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Of the server within a COPY, unless the URL says `silence_timeout=SECONDS`. It may read for minutes over rows that
/// are dead.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// How the server's certificate is treated, as libpq's `sslmode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verify {
    /// `disable`, `prefer`, `require`: encrypted or not, the certificate is not checked.
    Nothing,
    /// `verify-ca`, and `require` with `sslrootcert`: signed by a trusted authority.
    Authority,
    /// `verify-full`: and issued for this host.
    AuthorityAndHost,
}

/// Where a source or target is. `Debug` and `Display` hide the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) config: tokio_postgres::Config,
    pub(super) verify: Verify,
    pub(super) root_certificate: Option<PathBuf>,
    /// Whether to write although the database is switched to read-only.
    pub(super) even_read_only: bool,
    pub(super) silence: Duration,
    shown: String,
    url: url::Url,
}

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…&connect_timeout=…&silence_timeout=…`.
    ///
    /// An error never quotes the text: where it is malformed, any part of it may be the password.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let postgres = ["postgres://", "postgresql://"];
        let Some(place) = postgres.iter().find_map(|p| text.strip_prefix(p)) else {
            return Err(wrong("it does not start with postgres://"));
        };
        refuse_misplaced_at(place)?;
        Self::from_url(url::Url::parse(text).map_err(|e| wrong(e.to_string()))?)
    }

    fn from_url(url: url::Url) -> Result<Self> {
        if url.path().len() < 2 {
            return Err(wrong("it names no database"));
        }
        let mut plain = url.clone();
        plain.set_query(None);
        let (mut verify, mut root_certificate, mut tls) = (Verify::Nothing, None, SslMode::Prefer);
        let mut silence = SILENCE;
        for (key, value) in url.query_pairs() {
            match (&*key, &*value) {
                ("sslmode", "disable") => tls = SslMode::Disable,
                ("sslmode", "allow" | "prefer") => tls = SslMode::Prefer,
                ("sslmode", mode @ ("require" | "verify-ca" | "verify-full")) => {
                    tls = SslMode::Require;
                    verify = match mode {
                        "verify-ca" => Verify::Authority,
                        "verify-full" => Verify::AuthorityAndHost,
                        _ => Verify::Nothing,
                    };
                }
                ("sslmode", _) => {
                    return Err(wrong(
                        "its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full",
                    ));
                }
                ("silence_timeout", text) => {
                    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
                    let seconds = seconds.ok_or_else(|| {
                        wrong("its silence_timeout is no number of seconds from 1 on")
                    })?;
                    silence = Duration::from_secs(seconds);
                }
                ("sslrootcert", path) => root_certificate = Some(PathBuf::from(path)),
                // Settings by `options=` have been seen to be dropped by poolers (supavisor #206): we use SET.
                ("options", _) => return Err(wrong("options= is not supported")),
                (_, _) => {
                    plain.query_pairs_mut().append_pair(&key, &value);
                }
            }
        }
        if tls == SslMode::Require && verify == Verify::Nothing && root_certificate.is_some() {
            verify = Verify::Authority;
        }
        let mut config: tokio_postgres::Config =
            plain.as_str().parse().map_err(|e: tokio_postgres::Error| {
                match names(&url, "password") {
                    // The driver quotes what it does not know, and after a raw & that is the password's rest.
                    true => wrong("a setting behind the ? is unknown or has a wrong value"),
                    false => wrong(describe(&e)),
                }
            })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_LIMIT);
        }
        config
            .ssl_mode(tls)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(60));
        let parsed = Self {
            config,
            verify,
            root_certificate,
            even_read_only: false,
            silence,
            shown: shown(&url),
            url,
        };
        parsed.refuse_transaction_pooler()?;
        Ok(parsed)
    }

    fn refuse_transaction_pooler(&self) -> Result<()> {
        if self.config.get_ports().contains(&TRANSACTION_POOLER_PORT) {
            let mut session = self.url.clone();
            let _ = session.set_port(Some(5432));
            return Err(Error::new(
                Code::PoolerTransactionMode,
                format!(
                    "{} is a transaction-mode pooler (port 6543), which keeps no session",
                    self.shown
                ),
            )
            .hint(format!("Use the session-mode URL: {}", shown(&session))));
        }
        Ok(())
    }

    /// The name of the database that was asked for.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// The longest that connecting may take, sign-in included.
    pub(super) fn connect_limit(&self) -> Duration {
        self.config
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT_LIMIT)
    }

    /// The same server, another database.
    pub fn with_database(&self, database: &str) -> Result<Self> {
        let mut url = self.url.clone();
        url.set_path(&database.replace('%', "%25").replace('@', "%40"));
        Ok(Self {
            even_read_only: self.even_read_only,
            ..Self::from_url(url)?
        })
    }

    /// The same place, for somebody who knows why it is switched to read-only and writes nevertheless.
    pub fn even_read_only(mut self) -> Self {
        self.even_read_only = true;
        self
    }

    /// Environment for libpq programs. The password goes by PGPASSWORD, never as an argument.
    pub fn libpq_environment(&self) -> Vec<(&'static str, String)> {
        let query = |name: &str| {
            self.url
                .query_pairs()
                .find(|(k, _)| k == name)
                .map(|(_, v)| v.into_owned())
        };
        let limit = self.connect_limit().as_secs().max(1);
        let mut set = vec![("PGCONNECT_TIMEOUT", limit.to_string())];
        if let Some(tokio_postgres::config::Host::Tcp(host)) = self.config.get_hosts().first() {
            set.push(("PGHOST", host.clone()));
        } else if let Some(tokio_postgres::config::Host::Unix(path)) =
            self.config.get_hosts().first()
        {
            set.push(("PGHOST", path.display().to_string()));
        }
        if let Some(port) = self.config.get_ports().first() {
            set.push(("PGPORT", port.to_string()));
        }
        if let Some(user) = self.config.get_user() {
            set.push(("PGUSER", user.to_string()));
        }
        if let Some(password) = self.config.get_password() {
            set.push(("PGPASSWORD", String::from_utf8_lossy(password).into_owned()));
        }
        set.push(("PGDATABASE", self.database().to_string()));
        set.extend(query("sslmode").map(|v| ("PGSSLMODE", v)));
        set.extend(query("sslrootcert").map(|v| ("PGSSLROOTCERT", v)));
        set
    }
}

fn wrong(why: impl fmt::Display) -> Error {
    Error::new(Code::Config, format!("the database URL cannot be read: {why}"))
        .hint("Write it as postgres://USER:PASSWORD@HOST:5432/DATABASE; percent-encode special characters in the password.")
}

/// With a `/`, `?` or `#` in a password, or without the `:` before it, parts of the password would be
/// taken for host, database or user. An `@` at the wrong place gives such a URL away.
fn refuse_misplaced_at(place: &str) -> Result<()> {
    let (authority, rest) = place.split_at(place.find(['/', '?', '#']).unwrap_or(place.len()));
    if rest.contains('@') {
        return Err(wrong(
            "an @ stands behind the host; in a password write %2F for /, %3F for ?, %23 for # and %40 for @",
        ));
    }
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    if user.contains('@') {
        return Err(wrong(
            "an @ stands where the user's name is, not followed by a host; in a name write %40 for @, and : before the password",
        ));
    }
    Ok(())
}

/// The URL without its password, for people.
fn shown(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or("localhost");
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let user = url.username();
    let user = if user.is_empty() {
        String::new()
    } else {
        format!("{user}:***@")
    };
    format!("postgres://{user}{host}{port}{}", url.path())
}

fn names(url: &url::Url, setting: &str) -> bool {
    url.query_pairs().any(|(key, _)| key == setting)
}

fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_the_password() {
        let url =
            DatabaseUrl::parse("postgres://me:s3cret@db.example.com:5432/app?sslmode=require")
                .unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "postgres://me:***@db.example.com:5432/app postgres://me:***@db.example.com:5432/app"
        );
        assert_eq!(url.database(), "app");
    }

    #[test]
    fn names_the_session_url_for_port_6543() {
        let error =
            DatabaseUrl::parse("postgres://me:s3cret@pool.example.com:6543/postgres").unwrap_err();
        assert_eq!(error.code, Code::PoolerTransactionMode);
        let told = format!("{error} {}", error.hint.clone().unwrap());
        assert!(told.contains("pool.example.com:5432/postgres"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }

    const SECRET: &str = "zqSECRETqz";

    fn all_that_is_told(url: &Result<DatabaseUrl>) -> String {
        match url {
            Ok(url) => format!("{url} {url:?}"),
            Err(e) => format!("{e} {e:?} {:?}", e.hint),
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_shows_what_stands_at_the_passwords_place(
            before in "[ -~]{0,4}|[0-9]{1,3}[/?#@:]", after in "[ -~]{0,4}", form in 0..11usize,
        ) {
            let secret = format!("{before}{SECRET}{after}");
            let text = [
                format!("postgres://user:{secret}@host/db"),
                format!("postgresql://user:{secret}@host:5432/db?sslmode=require"),
                format!("postgres://user:{secret}@host:6543/db"),
                format!("postgres://:{secret}@host/db"),
                format!("postgres://user@{secret}@host/db"),
                format!("postgres:/user:{secret}@host/db"),
                format!("postgres:user:{secret}@host/db"),
                format!("user:{secret}@host/db"),
                format!("host=h user=u password={secret} dbname=d"),
                format!("postgres://user@host/db?password={secret}"),
                format!("mysql://user:{secret}@host/db"),
            ][form].clone();
            let parsed = DatabaseUrl::parse(&text);
            let mut told = all_that_is_told(&parsed);
            if let Ok(url) = parsed {
                told += &all_that_is_told(&url.with_database("other"));
            }
            proptest::prop_assert!(!told.contains(SECRET), "{text:?} is told as {told}");
        }
    }

    #[test]
    fn reads_passwords_with_special_characters() {
        for (written, meant) in [
            ("p%40%2F%3F%23%25", "p@/?#%"),
            ("a@b", "a@b"),
            ("a b", "a b"),
            ("a%zz", "a%zz"),
            ("a:b", "a:b"),
        ] {
            let url = DatabaseUrl::parse(&format!("postgres://me:{written}@h/d")).unwrap();
            assert_eq!(
                url.config.get_password(),
                Some(meant.as_bytes()),
                "{written}"
            );
            let other = url.with_database("x@y%41 z").unwrap();
            assert_eq!(other.database(), "x@y%41 z");
            assert_eq!(other.config.get_password(), Some(meant.as_bytes()));
        }
    }

    #[test]
    fn refuses_what_is_no_database_url() {
        for text in [
            "",
            "postgres://user@secret@h/d",
            "postgres://user@secret:@h/d",
            "mysql://a/b",
            "postgres://host",
            "postgres://h/d?sslmode=maybe",
            "postgres://h/d?silence_timeout=0",
            "postgres://h/d?silence_timeout=long",
            "postgres://h:x/d",
        ] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            assert_eq!(error.code, Code::Config, "{text}");
        }
    }
}
