//! PostgREST behind keys, as Supabase's gateway treats them: `apikey` says which project, and who asks where no
//! `Authorization` does.

use super::{OlderKeys, ProjectKeys, failed};
use crate::error::Result;
use crate::postgres::Postgres;
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone)]
struct Keys {
    publishable: String,
    secret: String,
    older: OlderKeys,
    /// Tokens of the roles that the keys stand for.
    anon: HeaderValue,
    service: HeaderValue,
    /// Requests that came, refused ones too.
    requests: Arc<AtomicU64>,
}

pub async fn routes(
    url: &str,
    keys: &ProjectKeys,
    postgres: &Postgres,
    requests: Arc<AtomicU64>,
) -> Result<Router> {
    let public = serde_json::to_string(&keys.public()?).map_err(|e| failed("signing key", e))?;
    let mut config = postrust_core::AppConfig::default();
    config.db_uri = postgres.authenticator_url("postgres");
    config.db_schemas = vec!["public".into(), "graphql_public".into()];
    config.db_anon_role = Some("anon".into());
    config.db_channel_enabled = true;
    config.jwt_secret = Some(public);
    config.compat_mode = true;
    let app = postrust_server::build(config, postrust_server::Host::SERVER)
        .await
        .map_err(|e| failed("cannot start PostgREST", e))?;
    let older = keys.older(url)?;
    let keys = Keys {
        publishable: keys.publishable.clone(),
        secret: keys.secret.clone(),
        anon: bearer(&older.anon)?,
        service: bearer(&older.service_role)?,
        older,
        requests,
    };
    Ok(app
        .router
        .layer(middleware::from_fn_with_state(keys, admit)))
}

fn bearer(token: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|e| failed("role token", e))
}

async fn admit(State(keys): State<Keys>, mut request: Request, next: Next) -> Response {
    keys.requests.fetch_add(1, Ordering::Relaxed);
    let headers = request.headers_mut();
    let text = |headers: &HeaderMap, name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_string)
    };
    let role = match text(headers, "apikey") {
        Some(key) if key == keys.publishable || key == keys.older.anon => &keys.anon,
        Some(key) if key == keys.secret || key == keys.older.service_role => &keys.service,
        Some(_) => return refused("Invalid API key"),
        None => return refused("No API key found in request"),
    };
    let bearer = text(headers, header::AUTHORIZATION.as_str());
    match bearer.as_deref().and_then(|b| b.strip_prefix("Bearer ")) {
        // New keys are no tokens, and are refused where a token belongs.
        Some(token) if token.starts_with("sb_") => {
            return refused("Expected 3 parts in JWT; got 1");
        }
        Some(_) => {}
        None => {
            headers.insert(header::AUTHORIZATION, role.clone());
        }
    }
    next.run(request).await
}

fn refused(message: &str) -> Response {
    let body = json!({ "message": message, "hint": "Double check your Supabase `anon` or `service_role` API key." });
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}
