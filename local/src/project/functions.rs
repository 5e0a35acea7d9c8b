//! Rovodev's functions, mounted as Vercel routes to them.

use super::failed;
use crate::error::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use rovodev::config::Settings;
use rovodev::http::{Answer, Service, entrance, guard, routes};

pub async fn routes(settings: Settings) -> Result<Router> {
    let service = Service::new(settings).map_err(|e| failed("cannot start the functions", e))?;
    Ok(Router::new()
        .route("/api/{*path}", any(handle))
        .with_state(service))
}

async fn handle(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match to_bytes(body, guard::LARGEST_BODY).await {
        Ok(bytes) => routes::dispatch(&service, http::Request::from_parts(parts, bytes)).await,
        Err(_) => guard::turned_away(entrance::too_large()),
    };
    let Answer { response, behind } = answer;
    for work in behind {
        tokio::spawn(work);
    }
    response.map(Body::new)
}
