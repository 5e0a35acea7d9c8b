//! Every setting: name, default, meaning. `.env.example` and the help are made from this table.

use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

/// A setting that flags, the environment or `.env` can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub default: Option<&'static str>,
    /// Never shown, logged or written anywhere but to `.env`.
    pub secret: bool,
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($name:ident $kind:ident $default:expr, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Variable = Variable {
                name: stringify!($name),
                default: $default,
                secret: variables!(@$kind),
                meaning: $meaning,
            };
        )*
        /// Every variable, in the order of `.env.example`.
        pub const VARIABLES: &[Variable] = &[$($name,)*];
    };
    (@secret) => { true };
    (@open) => { false };
}

variables! {
    DATABASE_URL secret None,
        "The database to back up and to restore in place: postgres://USER:PASSWORD@HOST:5432/DATABASE. On Supabase the direct connection or the session pooler (port 5432), never port 6543.";
    BACKUP_STORE open Some("./backups"),
        "Where backups lie: a directory, or s3://BUCKET/PREFIX. Beside a catalog it must be set, the same for functions, workers and operators.";
    STORE_KEY secret None,
        "64 hex digits that segment names are keyed with; `rovodev init` makes it. Restoring does not need it.";
    AWS_ACCESS_KEY_ID open None,
        "Who asks at an s3:// store.";
    AWS_SECRET_ACCESS_KEY secret None,
        "The secret that goes with AWS_ACCESS_KEY_ID.";
    AWS_SESSION_TOKEN secret None,
        "Only for temporary credentials.";
    AWS_REGION open Some("us-east-1"),
        "The region of the bucket.";
    S3_ENDPOINT open None,
        "The address of an S3 that is not Amazon's, such as https://PROJECT.supabase.co/storage/v1/s3.";
    S3_FORCE_PATH_STYLE open None,
        "Whether requests name the bucket in the path (true) or in the host (false). By default in the path where S3_ENDPOINT is set.";
    SUPABASE_URL open None,
        "The Supabase project that keeps the catalog: https://PROJECT.supabase.co. Without it the store itself is the catalog.";
    CATALOG_DATABASE_URL secret None,
        "The database of the project at SUPABASE_URL, where that is not DATABASE_URL's; only `rovodev init` uses it.";
    SUPABASE_PUBLISHABLE_KEY open None,
        "The project's publishable key (sb_publishable_…), or the older anon key.";
    SUPABASE_SECRET_KEY secret None,
        "The project's secret key (sb_secret_…), or the older service_role key. Only jobs use it.";
    SUPABASE_JWT_SECRET secret None,
        "Only for projects that still sign tokens with a shared secret.";
    CRON_SECRET secret None,
        "What Vercel Cron shows at /api/cron/tick; at least 16 characters.";
    VERCEL_WEBHOOK_SECRET secret None,
        "What Vercel shows once when a webhook is made; it signs its calls of /api/hooks/deploy with that.";
    VERCEL_TOKEN secret None,
        "A token of Vercel, by which deployments are held until their backup is there.";
    APP_PROJECT_ID open None,
        "The Vercel project (prj_…) whose deployments are backed up before they go live, where that is not the one Rovodev runs in.";
    VERCEL_PROJECT_ID open None,
        "The Vercel project that Rovodev runs in; Vercel sets it itself.";
    VERCEL_TEAM_ID open None,
        "The team (team_…) of that project, where it is a team's.";
    VERCEL_API open Some("https://api.vercel.com"),
        "Where Vercel's API answers.";
    METRICS_SECRET secret None,
        "What a scraper shows at /api/status/health?format=openmetrics; at least 16 characters.";
    ALLOWED_ORIGINS open None,
        "Origins besides its own whose pages may call the functions, separated by commas: https://dashboard.example.com.";
    ROVODEV_TENANT open Some("default"),
        "Whose backups the command line works with, where there is a catalog: the tenant's name in paths (its slug).";
    ROVODEV_API open None,
        "The deployment that the command line asks instead of working itself: https://PROJECT.vercel.app.";
    ROVODEV_TOKEN secret None,
        "The access token that goes with ROVODEV_API: one of Supabase Auth, for a member of the tenant.";
    ROVODEV_UNDO_DAYS open Some("7"),
        "Days that a restore in place keeps what it changed, so that it can be undone: 1 to 365. It takes room in the database.";
    ROVODEV_CHECK_DAYS open Some("7"),
        "Days after which a backup is read back from the store again, to see that it is still what was written; the first time is soon after it was made. 0 to 365; with 0 nothing is read back by itself.";
    ROVODEV_WORKER_HOURS open Some("24"),
        "Hours that a backup, restore or export that takes longer than a function may run waits for `rovodev worker` before it is ended as failed: 1 to 720.";
    ROVODEV_JOBS_AT_ONCE open Some("3"),
        "Backups and restores that use the database at the same time, whoever works on them: functions, workers, terminals; 1 to 100. Each opens up to eight connections.";
    ROVODEV_DASHBOARD_URL open None,
        "Where people find the dashboard, for the links in notifications: https://PROJECT.vercel.app.";
    ROVODEV_SMTP_URL secret None,
        "The server that sends mail: smtps://USER:PASSWORD@HOST, or smtp://USER:PASSWORD@HOST:587?tls=required. Without it there are no mails.";
    ROVODEV_MAIL_FROM open None,
        "Who mails are from: Backups <backups@example.com>.";
    ROVODEV_VAPID_KEY secret None,
        "The private key that web push is signed with, as `npx web-push generate-vapid-keys` prints it. Without it there is no web push.";
    ROVODEV_OVERDUE_MINUTES open Some("120"),
        "Minutes after its time by which a scheduled backup must have ended, or is told as overdue: 10 to 10080. One that is expected to take long has three times as long.";
    ROVODEV_PRIVATE_TARGETS open None,
        "Any value lets notifications reach private addresses, any port and plain http: for a local stack, never where tenants are strangers.";
    APP_NAME open None,
        "What the dashboard calls the app whose backups it shows. Read when the dashboard is built (`bin/web-build FOLDER`).";
    API_URL open None,
        "Where the functions answer the dashboard, where that is not /api of its own host. Read when the dashboard is built.";
    AUTH_PROVIDERS open None,
        "With whom people can sign in besides a password and a link by mail: google,github. Read when the dashboard is built.";
    PG_DUMP open None,
        "The pg_dump that captures the schema. By default the newest usable one that is found.";
    RUST_LOG open Some("warn"),
        "What is logged to stderr: error, warn, info, debug, trace; or per module, such as rovodev=debug.";
    NO_COLOR open None,
        "Any value turns colours off.";
}

/// Where a value came from. An earlier one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    /// `.env` in the working directory.
    File,
    Default,
}

impl Origin {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Origin::Flag => "flag",
            Origin::Environment => "environment",
            Origin::File => ".env",
            Origin::Default => "default",
        }
    }
}

/// The values in force. An empty value counts as none.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<&'static str, (String, Origin)>);

impl Settings {
    /// Gathers the environment, `file` where it exists, and the defaults.
    pub fn load(file: &Path) -> Result<Self> {
        let filed = read_file(file)?;
        Ok(Self::from(|name| std::env::var(name).ok(), &filed))
    }

    /// These values alone, and the defaults: for a process that is given its settings.
    pub fn of(values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let values: BTreeMap<&str, String> = values.into_iter().collect();
        Self::from(|name| values.get(name).cloned(), &BTreeMap::new())
    }

    fn from(environment: impl Fn(&str) -> Option<String>, file: &BTreeMap<String, String>) -> Self {
        let present = |value: &String| !value.trim().is_empty();
        let values = VARIABLES.iter().filter_map(|v| {
            let environment = environment(v.name).filter(present);
            let file = file.get(v.name).cloned().filter(present);
            let found = environment
                .map(|value| (value, Origin::Environment))
                .or_else(|| file.map(|value| (value, Origin::File)))
                .or_else(|| v.default.map(|value| (value.to_string(), Origin::Default)))?;
            Some((v.name, found))
        });
        Self(values.collect())
    }

    /// A value given by a flag goes before every other.
    #[must_use]
    pub fn flag(mut self, variable: &Variable, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.0.insert(variable.name, (value, Origin::Flag));
        }
        self
    }

    pub fn get(&self, variable: &Variable) -> Option<&str> {
        self.0.get(variable.name).map(|(value, _)| value.as_str())
    }

    pub fn origin(&self, variable: &Variable) -> Option<Origin> {
        self.0.get(variable.name).map(|(_, origin)| *origin)
    }

    /// The value, or an error that says where to put one.
    pub fn require(&self, variable: &Variable) -> Result<&str> {
        self.get(variable).ok_or_else(|| {
            Error::new(Code::Config, format!("{} is not set", variable.name)).hint(format!(
                "Run `rovodev init`, or set {} in the environment or in .env.",
                variable.name
            ))
        })
    }

    /// A whole number out of `range`; the variable has a default.
    pub fn number(&self, variable: &Variable, range: RangeInclusive<u32>) -> Result<u32> {
        let (name, text) = (variable.name, self.require(variable)?);
        let number = text.trim().parse().ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = (range.start(), range.end());
                Error::new(Code::Config, format!("{name} is {text:?}"))
                    .hint(format!("Set {name} to a number from {least} to {most}."))
            })
    }
}

/// A setting's value as it may be shown: what stands where an address holds a password is hidden.
pub fn shown(value: &str) -> String {
    const KEY: &str = "password=";
    let hidden = match value.rfind('@') {
        Some(at) if value[..at].contains(':') => {
            let start = scheme_end(value).min(at);
            format!("{}***{}", &value[..start], &value[at..])
        }
        _ => value.to_string(),
    };
    match hidden.to_ascii_lowercase().find(KEY) {
        Some(at) => format!("{}***", &hidden[..at + KEY.len()]),
        None => hidden,
    }
}

/// Where the host begins, after `scheme://`; 0 where the text does not begin so.
fn scheme_end(text: &str) -> usize {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match text.split_once("://") {
        Some((scheme, _)) if scheme.chars().all(plain) => scheme.len() + 3,
        _ => 0,
    }
}

/// The variables of a `.env` file; none where there is no such file.
pub fn read_file(path: &Path) -> Result<BTreeMap<String, String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_file(&text, path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::io(format!("{} cannot be read", path.display()), e)),
    }
}

fn parse_file(text: &str, path: &Path) -> Result<BTreeMap<String, String>> {
    dotenvy::from_read_iter(text.as_bytes())
        .collect::<dotenvy::Result<_>>()
        .map_err(|e| unreadable_line(&e, text, path))
}

/// Tells where it is and not what it says: it may be a secret.
fn unreadable_line(error: &dotenvy::Error, text: &str, path: &Path) -> Error {
    let at = match error {
        dotenvy::Error::LineParse(part, _) => text.find(part.as_str()),
        _ => None,
    };
    let place = match at {
        Some(at) => format!(
            "line {} of {}",
            text[..at].matches('\n').count() + 1,
            path.display()
        ),
        None => path.display().to_string(),
    };
    Error::new(Code::Config, format!("{place} cannot be read"))
        .hint("Write NAME='value'; quote values that hold spaces, #, $ or quotes.")
}

/// The content of `.env.example`.
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of Rovodev. A flag goes first, then the environment, then .env in the working\n\
         # directory, then the default. `rovodev init` writes .env; or copy this file and fill it in.\n",
    );
    for v in VARIABLES {
        text.push('\n');
        for line in wrap(v.meaning) {
            text.push_str(&format!("# {line}\n"));
        }
        if v.secret {
            text.push_str("# Secret.\n");
        }
        match v.default {
            Some(default) => text.push_str(&format!("# Default: {default}\n#{}=\n", v.name)),
            None => text.push_str(&format!("#{}=\n", v.name)),
        }
    }
    text
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 96 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<BTreeMap<String, String>> {
        parse_file(text, Path::new(".env"))
    }

    #[test]
    fn numbers_have_bounds() {
        let read = |text: &str| {
            Settings::of([("ROVODEV_CHECK_DAYS", text.into())]).number(&ROVODEV_CHECK_DAYS, 0..=365)
        };
        for (text, days) in [("", 7), ("0", 0), (" 365 ", 365)] {
            assert_eq!(read(text).unwrap(), days, "{text:?}");
        }
        for text in ["366", "-1", "week"] {
            assert_eq!(read(text).unwrap_err().code, Code::Config, "{text}");
        }
    }

    #[test]
    fn flag_before_environment_before_file_before_default() {
        let filed = file("BACKUP_STORE=filed\nAWS_REGION=filed\nS3_ENDPOINT=filed\n").unwrap();
        let environment = |name: &str| match name {
            "BACKUP_STORE" | "AWS_REGION" => Some("environment".to_string()),
            "PG_DUMP" => Some(" ".to_string()),
            _ => None,
        };
        let settings = Settings::from(environment, &filed).flag(&BACKUP_STORE, Some("flag".into()));
        let got = |v: &Variable| (settings.get(v), settings.origin(v));
        assert_eq!(got(&BACKUP_STORE), (Some("flag"), Some(Origin::Flag)));
        assert_eq!(
            got(&AWS_REGION),
            (Some("environment"), Some(Origin::Environment))
        );
        assert_eq!(got(&S3_ENDPOINT), (Some("filed"), Some(Origin::File)));
        assert_eq!(got(&RUST_LOG), (Some("warn"), Some(Origin::Default)));
        assert_eq!(got(&PG_DUMP), (None, None), "an empty value is none");
    }

    #[test]
    fn an_unreadable_line_is_numbered_without_what_it_says() {
        let error = file("A=1\n\nDATABASE_URL=postgres://me:s3 cret@host/db\n").unwrap_err();
        assert_eq!(error.code, Code::Config);
        let told = format!("{error} {:?}", error.hint);
        assert!(told.contains("line 3 of .env"), "{told}");
        assert!(!told.contains("s3"), "{told}");
    }

    #[test]
    fn addresses_are_shown_without_their_password() {
        for (text, told) in [
            ("./backups", "./backups"),
            ("./team@work", "./team@work"),
            ("s3://bucket/prefix", "s3://bucket/prefix"),
            ("s3://KEY:a/b@bucket/prefix", "s3://***@bucket/prefix"),
            ("https://me:x@y@host", "https://***@host"),
            ("me:a://b@host", "***@host"),
            ("host=h Password=x dbname=d", "host=h Password=***"),
            ("postgres://h/d?password=x", "postgres://h/d?password=***"),
        ] {
            assert_eq!(shown(text), told);
        }
    }

    #[test]
    fn the_example_sets_nothing_by_itself() {
        assert_eq!(file(&example()).unwrap(), BTreeMap::new());
        for v in VARIABLES {
            assert!(example().contains(&format!("#{}=\n", v.name)), "{}", v.name);
        }
    }
}
