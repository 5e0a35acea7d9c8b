//! Sign-in with somebody else's account: Supabase Auth sends a browser to the provider, which asks its owner. This
//! provider believes every address that is typed.

use super::issuer::{Shared, refused};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// The name under which the project knows it.
pub const PROVIDER: &str = "demo";

/// Browsers that were sent to the provider and are not back.
#[derive(Default)]
pub struct Away {
    visits: Mutex<HashMap<Uuid, Visit>>,
}

struct Visit {
    challenge: String,
    back_to: String,
}

#[derive(Deserialize)]
pub struct Wanted {
    provider: String,
    redirect_to: Option<String>,
    code_challenge: Option<String>,
}

#[derive(Deserialize)]
pub struct Agreed {
    visit: Uuid,
    email: Option<String>,
}

/// `GET /authorize`: the provider's page.
pub async fn authorize(State(issuer): Shared, Query(wanted): Query<Wanted>) -> Response {
    if wanted.provider != PROVIDER {
        let text = "Unsupported provider: provider is not enabled";
        return refused(StatusCode::BAD_REQUEST, "validation_failed", text);
    }
    let Some(challenge) = wanted.code_challenge else {
        let text = "This issuer signs in by PKCE alone";
        return refused(StatusCode::BAD_REQUEST, "validation_failed", text);
    };
    let back_to = issuer.way_back(wanted.redirect_to);
    let visit = Uuid::new_v4();
    issuer
        .away
        .lock()
        .insert(visit, Visit { challenge, back_to });
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Demo provider</title><link rel=icon href=/icon.svg><h1>Demo provider</h1>\
         <form action=/auth/v1/provider><input type=hidden name=visit value={visit}>\
         <label>Account <input name=email type=email required></label> <button>Agree</button></form>\
         <form action=/auth/v1/provider><input type=hidden name=visit value={visit}><button>Refuse</button></form>"
    ))
    .into_response()
}

/// `GET /provider`: back to the app, with a code for its session or with why there is none.
pub async fn agree(State(issuer): Shared, Query(agreed): Query<Agreed>) -> Response {
    let Some(visit) = issuer.away.lock().remove(&agreed.visit) else {
        let text = "OAuth state not found or expired";
        return refused(StatusCode::BAD_REQUEST, "bad_oauth_state", text);
    };
    let user = match agreed.email {
        Some(email) => issuer.by_email(&email).await,
        None => None,
    };
    let place = match user {
        Some(user) => {
            let code = issuer.codes.issue(user, visit.challenge);
            super::mails::with(&visit.back_to, &format!("code={code}"))
        }
        // What a provider refuses carries no `error_code`.
        None => super::mails::failed(
            &visit.back_to,
            "error=access_denied&error_description=The+user+has+denied+access",
        ),
    };
    Redirect::to(&place).into_response()
}

impl Away {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Visit>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
