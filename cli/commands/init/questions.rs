//! What `init` asks a person: where the database and the store are. An answer can be given again.

use crate::ask;
use rovodev::config::{self, Origin, Settings, Variable};
use rovodev::error::{Error, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{S3Settings, Store};

/// Asks for what `given` does not say. `answered` is what was answered before: Enter keeps it.
pub fn ask_for_missing(given: &Settings, mut answered: Settings) -> Result<Settings> {
    if given.get(&config::DATABASE_URL).is_none() {
        answered = database(answered)?;
    }
    if given.origin(&config::BACKUP_STORE) == Some(Origin::Default) {
        let store = ask::text(
            "Where backups go (a directory, or s3://BUCKET/PREFIX)",
            answered.get(&config::BACKUP_STORE),
            |store| {
                Store::open(store, &S3Settings::default())
                    .map(drop)
                    .map_err(answerable)
            },
        )?;
        answered = answered.flag(&config::BACKUP_STORE, Some(store));
    }
    let on_s3 = answered
        .get(&config::BACKUP_STORE)
        .is_some_and(|s| s.starts_with("s3://"));
    match on_s3 && given.get(&config::AWS_ACCESS_KEY_ID).is_none() {
        true => keys(given, answered),
        false => Ok(answered),
    }
}

/// Whether there is anything to answer anew; the person may also stop.
pub fn answer_again(given: &Settings) -> Result<()> {
    let asked = given.get(&config::DATABASE_URL).is_none()
        || given.origin(&config::BACKUP_STORE) == Some(Origin::Default);
    let again = "Answer again; Enter keeps an answer";
    let stop = "Stop; nothing is written";
    match asked && ask::choose("What then?", &[again, stop].map(String::from), Some(0))? == 0 {
        true => Ok(()),
        false => Err(Error::cancelled().hint("Nothing was written.")),
    }
}

fn database(answered: Settings) -> Result<Settings> {
    let question = "Database URL (postgres://USER:PASSWORD@HOST:5432/DATABASE, not shown)";
    let before = answered.get(&config::DATABASE_URL);
    let Some(before) = before.map(DatabaseUrl::parse).transpose()? else {
        let url = ask::secret(question, |url| usable(url))?;
        return Ok(answered.flag(&config::DATABASE_URL, Some(url)));
    };
    let question = format!("Database URL (Enter keeps {before})");
    let url = ask::secret(&question, |url| match url.is_empty() {
        true => Ok(()),
        false => usable(url),
    })?;
    Ok(answered.flag(&config::DATABASE_URL, filled(url)))
}

fn usable(url: &str) -> Result<(), Error> {
    DatabaseUrl::parse(url).map(drop).map_err(answerable)
}

fn keys(given: &Settings, mut answered: Settings) -> Result<Settings> {
    let before = |answered: &Settings, variable: &Variable| {
        let value = answered.get(variable);
        value.map(str::to_string)
    };
    if given.get(&config::S3_ENDPOINT).is_none() {
        let default = before(&answered, &config::S3_ENDPOINT).unwrap_or_default();
        let endpoint = ask::text("S3 endpoint (empty: Amazon's)", Some(&default), |_| Ok(()))?;
        answered = answered.flag(&config::S3_ENDPOINT, filled(endpoint));
    }
    let default = before(&answered, &config::AWS_ACCESS_KEY_ID);
    let key = ask::text("Access key id", default.as_deref(), |_| Ok(()))?;
    let kept = match before(&answered, &config::AWS_SECRET_ACCESS_KEY) {
        Some(_) => "Enter keeps it",
        None => "not shown",
    };
    let secret = ask::secret(&format!("Secret access key ({kept})"), |_| Ok(()))?;
    Ok(answered
        .flag(&config::AWS_ACCESS_KEY_ID, filled(key))
        .flag(&config::AWS_SECRET_ACCESS_KEY, filled(secret)))
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

/// What is wrong with an answer, and what to do, in one line beside the question.
fn answerable(wrong: Error) -> Error {
    match wrong.hint.clone() {
        Some(hint) => Error::new(wrong.code, format!("{wrong}. {hint}")),
        None => wrong,
    }
}
