//! The door of a function on Vercel's Rust runtime.

use super::guard::{self, LARGEST_BODY, Route};
use super::sent::watched;
use super::{Answer, Service, entrance};
use crate::config::Settings;
use crate::error::Result;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Limited};
use std::path::Path;
use tokio::sync::OnceCell;
use vercel_runtime::{AppState, Error, Request, Response, ResponseBody, run, service_fn};

/// Serves one function until the platform ends the process.
pub async fn serve(route: &'static Route) -> Result<(), Error> {
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .init();
    run(service_fn(move |request: Request, state: AppState| {
        handle(route, request, state)
    }))
    .await
}

/// Never an error: the runtime would show it to the caller as it is.
async fn handle(
    route: &'static Route,
    request: Request,
    state: AppState,
) -> Response<ResponseBody> {
    let answer = match service().await {
        Ok(service) => answer(route, &service, request).await,
        Err(error) => {
            tracing::error!(code = error.code.as_str(), %error, "the settings are not complete");
            guard::without_settings(route, request.method(), request.uri().query())
        }
    };
    let Answer { response, behind } = answer;
    let (parts, body) = response.into_parts();
    let (body, left) = watched(body);
    // One future, so that `end` comes after the last of them.
    state.wait_until(async move {
        join_all(behind).await;
        left.await;
    });
    Response::from_parts(parts, ResponseBody(body))
}

async fn answer(route: &'static Route, service: &Service, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(whole) => {
            let request = http::Request::from_parts(parts, whole.to_bytes());
            guard::answer(route, service, request).await
        }
        Err(_) => guard::turned_away(entrance::too_large()),
    }
}

/// Made by the first request, so that a missing setting is a 500 with a log line instead of a process that dies.
async fn service() -> Result<Service> {
    static SERVICE: OnceCell<Service> = OnceCell::const_new();
    SERVICE
        .get_or_try_init(async || Service::new(Settings::load(Path::new(".env"))?))
        .await
        .cloned()
}
