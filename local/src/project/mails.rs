//! Sign-in by a link in a mail. What Supabase Auth would send is printed and can be read at `/auth/v1/mails`.

use super::issuer::{Issuer, Shared, refused};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// What was sent and is not used up.
#[derive(Default)]
pub struct Mails {
    links: Mutex<HashMap<String, Link>>,
    sent: Mutex<Vec<Value>>,
}

struct Link {
    user: Uuid,
    /// Of the browser that asked; no other one can use the code.
    challenge: String,
    back_to: String,
}

#[derive(Deserialize)]
pub struct Wanted {
    email: String,
    code_challenge: Option<String>,
}

#[derive(Deserialize)]
pub struct BackTo {
    redirect_to: Option<String>,
}

#[derive(Deserialize)]
pub struct Followed {
    token: String,
}

/// `POST /otp`: sends a link to somebody who is known.
pub async fn send(
    State(issuer): Shared,
    Query(back): Query<BackTo>,
    Json(wanted): Json<Wanted>,
) -> Response {
    let Some(challenge) = wanted.code_challenge else {
        let text = "This issuer signs in by PKCE alone";
        return refused(StatusCode::BAD_REQUEST, "validation_failed", text);
    };
    let Some(user) = issuer.by_email(&wanted.email).await else {
        let text = "Signups not allowed for otp";
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "otp_disabled", text);
    };
    let token = Uuid::new_v4().simple().to_string();
    let link = format!("{}/verify?token={token}&type=magiclink", issuer.url);
    println!("mail to {}: {link}", wanted.email);
    let mails = &issuer.mails;
    lock(&mails.sent).push(json!({ "to": wanted.email, "link": link }));
    let back_to = issuer.way_back(back.redirect_to);
    lock(&mails.links).insert(
        token,
        Link {
            user,
            challenge,
            back_to,
        },
    );
    Json(json!({})).into_response()
}

/// `GET /verify`: the link in the mail leads back with a code that serves once.
pub async fn follow(State(issuer): Shared, Query(followed): Query<Followed>) -> Response {
    let known = lock(&issuer.mails.links).remove(&followed.token);
    let Some(link) = known else {
        let why = "error=access_denied&error_code=otp_expired\
                   &error_description=Email+link+is+invalid+or+has+expired";
        return Redirect::to(&failed(&issuer.way_back(None), why)).into_response();
    };
    let code = issuer.codes.issue(link.user, link.challenge);
    Redirect::to(&with(&link.back_to, &format!("code={code}"))).into_response()
}

/// `GET /mails`: what was sent, in order.
pub async fn sent(State(issuer): Shared) -> Json<Value> {
    Json(json!(*lock(&issuer.mails.sent)))
}

impl Issuer {
    /// As Supabase Auth does: to addresses of the site alone.
    pub(super) fn way_back(&self, wanted: Option<String>) -> String {
        let site = self.url.trim_end_matches("/auth/v1");
        wanted
            .filter(|place| place.starts_with(&format!("{site}/")))
            .unwrap_or_else(|| format!("{site}/"))
    }
}

/// Adds to the query, in front of the fragment.
pub(super) fn with(place: &str, query: &str) -> String {
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
    let sign = if address.contains('?') { '&' } else { '?' };
    match fragment {
        "" => format!("{address}{sign}{query}"),
        _ => format!("{address}{sign}{query}#{fragment}"),
    }
}

/// Supabase Auth tells what went wrong in the query and, as it once did, in the fragment too.
pub(super) fn failed(place: &str, why: &str) -> String {
    let address = place.split_once('#').map_or(place, |(address, _)| address);
    format!("{}#{why}", with(address, why))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
