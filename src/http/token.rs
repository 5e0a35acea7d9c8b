//! Access tokens of Supabase Auth: signature, algorithm, issuer, audience, expiry, not-before, time of issue.

use super::Problem;
use super::jwks::{Jwks, Pace, invalid};
use crate::error::Result;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// Clocks differ by this much at most.
const LEEWAY: u64 = 10;

/// What a verified token says.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    pub sub: Uuid,
    #[serde(default)]
    pub email: Option<String>,
    role: String,
    /// When it was issued, in seconds since 1970.
    #[serde(default)]
    iat: Option<f64>,
}

impl Claims {
    /// PostgREST refuses these too.
    fn is_of_the_future(&self) -> bool {
        let latest = jsonwebtoken::get_current_timestamp() + LEEWAY;
        #[allow(clippy::cast_precision_loss)]
        self.iat.is_some_and(|at| at > latest as f64)
    }
}

/// Verifies tokens of one project.
pub struct Verifier {
    issuer: String,
    /// Older projects sign with a secret that is shared with us.
    shared: Option<DecodingKey>,
    jwks: Jwks,
}

impl Verifier {
    /// `url` is the project's; tokens are issued by `<url>/auth/v1`.
    pub fn new(http: reqwest::Client, url: &str, shared_secret: Option<&str>, pace: Pace) -> Self {
        let issuer = format!("{}/auth/v1", url.trim_end_matches('/'));
        Self {
            jwks: Jwks::new(http, &issuer, pace),
            shared: shared_secret.map(|s| DecodingKey::from_secret(s.as_bytes())),
            issuer,
        }
    }

    /// The claims of a good token of a signed-in person.
    ///
    /// # Errors
    /// 401 `token_expired` or `token_invalid`; 503 where the issuer's keys are needed and cannot be had.
    pub async fn verify(&self, token: &str) -> Result<Claims, Problem> {
        self.verified(token, None).await
    }

    /// The same within `limit`.
    pub async fn verify_within(&self, limit: Duration, token: &str) -> Result<Claims, Problem> {
        self.verified(token, Some(limit)).await
    }

    async fn verified(&self, token: &str, limit: Option<Duration>) -> Result<Claims, Problem> {
        let header = decode_header(token).map_err(|_| invalid())?;
        let key = match header.alg {
            Algorithm::HS256 => self.shared.clone().ok_or_else(invalid)?,
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::EdDSA => {
                let id = header.kid.as_deref().ok_or_else(invalid)?;
                match limit {
                    Some(limit) => self.jwks.key_within(limit, id, header.alg).await?,
                    None => self.jwks.key(id, header.alg).await?,
                }
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
            Ok(token) if token.claims.is_of_the_future() => Err(invalid()),
            Ok(token) => Ok(token.claims),
            Err(e) if matches!(e.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature) => Err(
                Problem::unauthorized("token_expired", "The access token has expired."),
            ),
            Err(_) => Err(invalid()),
        }
    }

    /// Whether the issuer answers.
    pub async fn reachable(&self) -> Result<()> {
        self.jwks.fetch().await.map(drop)
    }
}
