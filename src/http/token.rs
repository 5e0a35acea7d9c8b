//! Access tokens of Supabase Auth: signature, algorithm, issuer, audience, expiry, not-before.

use super::Problem;
use crate::error::{Code, Error, Result};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Keys are asked for again after this time, so that a revoked one is forgotten.
const FRESH: Duration = Duration::from_secs(600);
/// An unknown key id asks for the keys again, at most this often: forged ids must not flood the issuer.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);
/// Clocks differ by this much at most.
const LEEWAY: u64 = 10;

/// What a verified token says.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    pub sub: Uuid,
    #[serde(default)]
    pub email: Option<String>,
    role: String,
}

/// Verifies tokens of one project.
pub struct Verifier {
    http: reqwest::Client,
    issuer: String,
    /// Older projects sign with a secret that is shared with us.
    shared: Option<DecodingKey>,
    known: Mutex<Known>,
}

#[derive(Default, Clone)]
struct Known {
    keys: Vec<Jwk>,
    fetched: Option<Instant>,
}

impl Verifier {
    /// `url` is the project's; tokens are issued by `<url>/auth/v1`.
    pub fn new(http: reqwest::Client, url: &str, shared_secret: Option<&str>) -> Self {
        Self {
            http,
            issuer: format!("{}/auth/v1", url.trim_end_matches('/')),
            shared: shared_secret.map(|s| DecodingKey::from_secret(s.as_bytes())),
            known: Mutex::new(Known::default()),
        }
    }

    /// The claims of a good token of a signed-in person.
    ///
    /// # Errors
    /// 401 `token_expired` or `token_invalid`; 503 where the issuer's keys are needed and cannot be had.
    pub async fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let header = decode_header(token).map_err(|_| invalid())?;
        let key = match header.alg {
            Algorithm::HS256 => self.shared.clone().ok_or_else(invalid)?,
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::EdDSA => {
                let id = header.kid.as_deref().ok_or_else(invalid)?;
                self.key(id, header.alg).await?
            }
            _ => return Err(invalid()),
        };
        let claims = self.check(token, header.alg, &key)?;
        // `anon` and `service_role` are keys, not people.
        match claims.role.as_str() {
            "authenticated" => Ok(claims),
            _ => Err(invalid()),
        }
    }

    fn check(
        &self,
        token: &str,
        algorithm: Algorithm,
        key: &DecodingKey,
    ) -> Result<Claims, Problem> {
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["authenticated"]);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "sub", "aud", "iss"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY;
        match decode::<Claims>(token, key, &rules) {
            Ok(token) => Ok(token.claims),
            Err(e) if matches!(e.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature) => Err(
                Problem::unauthorized("token_expired", "The access token has expired."),
            ),
            Err(_) => Err(invalid()),
        }
    }

    async fn key(&self, id: &str, algorithm: Algorithm) -> Result<DecodingKey, Problem> {
        let known = self.known();
        let found = find(&known.keys, id, algorithm);
        let age = known.fetched.map(|at| at.elapsed());
        let stale = age.is_none_or(|age| age > FRESH);
        let may_ask = age.is_none_or(|age| age > BETWEEN_FETCHES);
        if !stale && (found.is_some() || !may_ask) {
            return found.ok_or_else(invalid);
        }
        match self.fetch().await {
            Ok(keys) => {
                let found = find(&keys, id, algorithm);
                *self.lock() = Known {
                    keys,
                    fetched: Some(Instant::now()),
                };
                found.ok_or_else(invalid)
            }
            // The issuer is down: a key that was good a moment ago still is.
            Err(e) => match found {
                Some(key) => {
                    tracing::warn!(error = %e, "the issuer's keys could not be refreshed");
                    Ok(key)
                }
                None => {
                    tracing::error!(error = %e, "the issuer's keys could not be read");
                    Err(Problem::unavailable(
                        "auth_unreachable",
                        "Supabase Auth does not answer right now.",
                    ))
                }
            },
        }
    }

    async fn fetch(&self) -> Result<Vec<Jwk>> {
        let url = format!("{}/.well-known/jwks.json", self.issuer);
        let failed = |e: reqwest::Error| {
            Error::new(Code::CatalogUnreachable, format!("reading {url}")).source(e.to_string())
        };
        let bytes = self
            .http
            .get(&url)
            .timeout(Duration::from_secs(5))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(failed)?
            .bytes()
            .await
            .map_err(failed)?;
        let set: JwkSet = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(Code::CatalogError, format!("{url} holds no keys")).source(e)
        })?;
        Ok(set.keys)
    }

    /// Whether the issuer answers.
    pub async fn reachable(&self) -> Result<()> {
        self.fetch().await.map(drop)
    }

    fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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

fn invalid() -> Problem {
    Problem::unauthorized("token_invalid", "The access token is not valid.")
}
