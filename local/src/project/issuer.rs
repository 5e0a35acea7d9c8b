//! Sign-in that answers like Supabase Auth: passwords of `auth.users`, links by mail (`mails`), a provider (`provider`),
//! access tokens of an hour, refresh tokens that serve once.

use super::ProjectKeys;
use super::codes::Codes;
use super::mails::{self, Mails};
use super::provider::{self, Away};
use crate::postgres::Postgres;
use crate::supabase;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const LIFETIME: u64 = 3600;

pub struct Issuer {
    pub(super) url: String,
    keys: ProjectKeys,
    database: String,
    /// Refresh token → user and session.
    sessions: Mutex<HashMap<String, (Uuid, Uuid)>>,
    pub(super) mails: Mails,
    pub(super) codes: Codes,
    pub(super) away: Away,
}

pub type Shared = State<Arc<Issuer>>;

pub fn routes(url: &str, keys: &ProjectKeys, postgres: &Postgres) -> Router {
    let issuer = Issuer {
        url: format!("{url}/auth/v1"),
        keys: keys.clone(),
        database: postgres.url("postgres"),
        sessions: Mutex::default(),
        mails: Mails::default(),
        codes: Codes::default(),
        away: Away::default(),
    };
    Router::new()
        .route("/token", post(token))
        .route("/otp", post(mails::send))
        .route("/verify", get(mails::follow))
        .route("/mails", get(mails::sent))
        .route("/authorize", get(provider::authorize))
        .route("/provider", get(provider::agree))
        .route("/logout", post(logout))
        .route("/user", get(user))
        .route(
            "/health",
            get(|| async { Json(json!({ "name": "GoTrue", "version": "local" })) }),
        )
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(Arc::new(issuer))
}

#[derive(Deserialize)]
struct Grant {
    grant_type: String,
}

#[derive(Deserialize)]
struct Credentials {
    email: Option<String>,
    password: Option<String>,
    refresh_token: Option<String>,
    auth_code: Option<String>,
    code_verifier: Option<String>,
}

async fn jwks(State(issuer): Shared) -> Response {
    match issuer.keys.public() {
        Ok(keys) => Json(keys).into_response(),
        Err(error) => refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "unexpected_failure",
            &error.to_string(),
        ),
    }
}

async fn token(
    State(issuer): Shared,
    Query(grant): Query<Grant>,
    Json(given): Json<Credentials>,
) -> Response {
    let known = match grant.grant_type.as_str() {
        "password" => issuer
            .by_password(&given)
            .await
            .map(|user| (user, Uuid::new_v4())),
        "pkce" => given
            .auth_code
            .zip(given.code_verifier)
            .and_then(|(code, verifier)| issuer.codes.redeem(&code, &verifier))
            .map(|user| (user, Uuid::new_v4())),
        "refresh_token" => given
            .refresh_token
            .and_then(|token| issuer.lock().remove(&token)),
        _ => {
            return refused(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Unsupported grant type",
            );
        }
    };
    match known {
        Some((user, session)) => issuer.signed_in(user, session).await,
        None => refused(
            StatusCode::BAD_REQUEST,
            "invalid_credentials",
            "Invalid login credentials",
        ),
    }
}

async fn logout(State(issuer): Shared, headers: HeaderMap) -> Response {
    let Some(claims) = issuer.claims(&headers) else {
        return refused(
            StatusCode::UNAUTHORIZED,
            "no_authorization",
            "This endpoint requires a valid Bearer token",
        );
    };
    let user = claims["sub"].as_str().and_then(|s| Uuid::parse_str(s).ok());
    issuer.lock().retain(|_, (owner, _)| Some(*owner) != user);
    StatusCode::NO_CONTENT.into_response()
}

async fn user(State(issuer): Shared, headers: HeaderMap) -> Response {
    match issuer.claims(&headers) {
        Some(claims) => Json(json!({
            "id": claims["sub"], "aud": claims["aud"], "role": claims["role"], "email": claims["email"],
            "app_metadata": claims["app_metadata"], "user_metadata": claims["user_metadata"],
        }))
        .into_response(),
        None => refused(StatusCode::UNAUTHORIZED, "no_authorization", "This endpoint requires a valid Bearer token"),
    }
}

impl Issuer {
    async fn by_password(&self, given: &Credentials) -> Option<Uuid> {
        let (email, password) = (given.email.as_ref()?, given.password.as_ref()?);
        let client = supabase::connect(&self.database).await.ok()?;
        let row = client
            .query_opt(
                "SELECT id FROM auth.users WHERE lower(email) = lower($1) \
                 AND encrypted_password = extensions.crypt($2, encrypted_password)",
                &[email, password],
            )
            .await
            .ok()??;
        Some(row.get(0))
    }

    pub(super) async fn by_email(&self, email: &str) -> Option<Uuid> {
        let client = supabase::connect(&self.database).await.ok()?;
        let sql = "SELECT id FROM auth.users WHERE lower(email) = lower($1)";
        let row = client.query_opt(sql, &[&email]).await.ok()??;
        Some(row.get(0))
    }

    async fn signed_in(&self, user: Uuid, session: Uuid) -> Response {
        let email = match self.email(user).await {
            Some(email) => email,
            None => return refused(StatusCode::BAD_REQUEST, "user_not_found", "User not found"),
        };
        let now = now();
        let claims = json!({
            "iss": self.url, "sub": user, "aud": "authenticated", "exp": now + LIFETIME, "iat": now,
            "email": email, "phone": "", "role": "authenticated", "aal": "aal1", "session_id": session,
            "amr": [{ "method": "password", "timestamp": now }], "is_anonymous": false,
            "app_metadata": { "provider": "email", "providers": ["email"] }, "user_metadata": {},
        });
        let access = match self.keys.sign(&claims) {
            Ok(token) => token,
            Err(e) => {
                return refused(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "unexpected_failure",
                    &e.to_string(),
                );
            }
        };
        let refresh = Uuid::new_v4().simple().to_string();
        self.lock().insert(refresh.clone(), (user, session));
        Json(json!({
            "access_token": access, "token_type": "bearer", "expires_in": LIFETIME, "expires_at": now + LIFETIME,
            "refresh_token": refresh,
            "user": { "id": user, "aud": "authenticated", "role": "authenticated", "email": email },
        }))
        .into_response()
    }

    async fn email(&self, user: Uuid) -> Option<String> {
        let client = supabase::connect(&self.database).await.ok()?;
        let row = client
            .query_opt("SELECT email::text FROM auth.users WHERE id = $1", &[&user])
            .await
            .ok()??;
        row.get(0)
    }

    /// The claims of a good access token.
    fn claims(&self, headers: &HeaderMap) -> Option<Value> {
        let token = headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")?;
        let key = self.keys.public().ok()?.keys.pop()?;
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
        rules.set_audience(&["authenticated"]);
        let key = jsonwebtoken::DecodingKey::from_jwk(&key).ok()?;
        Some(jsonwebtoken::decode(token, &key, &rules).ok()?.claims)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Uuid, Uuid)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        Json(json!({ "code": status.as_u16(), "error_code": code, "msg": message })),
    )
        .into_response()
}
