//! The issuer's public keys: remembered for a while, and asked for again seldom, whatever ids tokens name.

use super::Problem;
use crate::error::{Code, Error, Result};
use crate::ports::web;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of the issuer's answer, at most: a project has a handful of keys.
const LARGEST: usize = 256 << 10;

/// How often the issuer is asked, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Keys are asked for again after this time, so that a revoked one is forgotten.
    pub fresh: Duration,
    /// An unknown key id asks for the keys again, at most this often: forged ids must not flood the issuer.
    pub between: Duration,
    /// An issuer that did not answer is asked again after this time.
    pub retry: Duration,
    /// So long a key is good while the issuer does not answer.
    pub longest: Duration,
    /// One question, from the first byte to the last.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(600),
            between: Duration::from_secs(10),
            retry: Duration::from_secs(1),
            longest: Duration::from_secs(3600),
            patience: Duration::from_secs(5),
        }
    }
}

/// The keys of one issuer.
pub struct Jwks {
    http: reqwest::Client,
    url: String,
    pace: Pace,
    known: Mutex<Known>,
    /// Held by whoever asks the issuer: the others wait for what it hears.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Vec<Jwk>,
    /// When the issuer last answered.
    heard: Option<Instant>,
    /// When it last did not.
    failed: Option<Instant>,
}

/// What is known without asking.
enum Remembered {
    Answer(Result<DecodingKey, Problem>),
    /// The issuer should be asked; until it answers this key is good.
    Stale(DecodingKey),
    Nothing,
}

impl Jwks {
    /// `issuer` is as in tokens: `https://PROJECT.supabase.co/auth/v1`.
    pub fn new(http: reqwest::Client, issuer: &str, pace: Pace) -> Self {
        Self {
            http,
            url: format!("{issuer}/.well-known/jwks.json"),
            pace,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The key of that id, if it is made for that algorithm.
    ///
    /// # Errors
    /// 401 `token_invalid` where the issuer has no such key; 503 where it does not answer.
    pub async fn key(&self, id: &str, algorithm: Algorithm) -> Result<DecodingKey, Problem> {
        let _asking = match self.remembered(id, algorithm) {
            Remembered::Answer(answer) => return answer,
            Remembered::Stale(key) => match self.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(key),
            },
            Remembered::Nothing => self.asking.lock().await,
        };
        // Somebody else may have asked meanwhile.
        if let Remembered::Answer(answer) = self.remembered(id, algorithm) {
            return answer;
        }
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.lock();
                *known = Known {
                    keys,
                    heard: Some(Instant::now()),
                    failed: None,
                };
                find(&known.keys, id, algorithm).ok_or_else(invalid)
            }
            Err(error) => {
                tracing::error!(%error, "the issuer's keys could not be read");
                self.lock().failed = Some(Instant::now());
                match self.remembered(id, algorithm) {
                    Remembered::Answer(answer) => answer,
                    Remembered::Stale(key) => Ok(key),
                    Remembered::Nothing => Err(unreachable()),
                }
            }
        }
    }

    /// The same, for whoever has to answer sooner than the issuer may: then what is known must do.
    ///
    /// # Errors
    /// As [`Jwks::key`]; 503 also where the issuer did not answer within `limit`.
    pub async fn key_within(
        &self,
        limit: Duration,
        id: &str,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, Problem> {
        match tokio::time::timeout(limit, self.key(id, algorithm)).await {
            Ok(answer) => answer,
            Err(_) => match self.remembered(id, algorithm) {
                Remembered::Answer(answer) => answer,
                Remembered::Stale(key) => Ok(key),
                Remembered::Nothing => Err(unreachable()),
            },
        }
    }

    fn remembered(&self, id: &str, algorithm: Algorithm) -> Remembered {
        let known = self.lock();
        let within = |at: Option<Instant>, limit| at.is_some_and(|at| at.elapsed() <= limit);
        let found = match within(known.heard, self.pace.longest) {
            true => find(&known.keys, id, algorithm),
            false => None,
        };
        match found {
            Some(key)
                if within(known.heard, self.pace.fresh)
                    || within(known.failed, self.pace.between) =>
            {
                Remembered::Answer(Ok(key))
            }
            Some(key) => Remembered::Stale(key),
            None if within(known.failed, self.pace.retry) => Remembered::Answer(Err(unreachable())),
            None if within(known.heard, self.pace.between) => Remembered::Answer(Err(invalid())),
            None => Remembered::Nothing,
        }
    }

    /// Asks the issuer.
    pub async fn fetch(&self) -> Result<Vec<Jwk>> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let bytes = self.read().await?;
        let set: Set = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(Code::CatalogError, format!("{} holds no keys", self.url)).source(e)
        })?;
        // A kind of key that we do not know must not hide the others.
        let keys = set.keys.into_iter();
        Ok(keys
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect())
    }

    async fn read(&self) -> Result<Vec<u8>> {
        let failed = |e: reqwest::Error| {
            Error::new(Code::CatalogUnreachable, format!("reading {}", self.url))
                .source(web::cause(e))
        };
        let request = self.http.get(&self.url).timeout(self.pace.patience);
        let mut answer = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&some);
            if bytes.len() > LARGEST {
                return Err(Error::new(
                    Code::CatalogError,
                    format!("{} answers with more than {LARGEST} bytes", self.url),
                ));
            }
        }
        Ok(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key serves one algorithm only: a token cannot choose another one for it.
fn find(keys: &[Jwk], id: &str, algorithm: Algorithm) -> Option<DecodingKey> {
    let key = keys
        .iter()
        .find(|k| k.common.key_id.as_deref() == Some(id))?;
    let made_for = key.common.key_algorithm?.to_string();
    (made_for == format!("{algorithm:?}"))
        .then(|| DecodingKey::from_jwk(key).ok())
        .flatten()
}

/// The same whatever is wrong with a token.
pub(super) fn invalid() -> Problem {
    Problem::unauthorized("token_invalid", "The access token is not valid.")
}

fn unreachable() -> Problem {
    Problem::unavailable(
        "auth_unreachable",
        "Supabase Auth does not answer right now.",
    )
}
