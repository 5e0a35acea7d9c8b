//! Rovodev's functions, mounted as Vercel routes to them; every answer is held against `docs/openapi.json`.

use super::failed;
use crate::contract::Contract;
use crate::error::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use rovodev::config::Settings;
use rovodev::http::{Answer, Service, entrance, guard, routes};
use std::sync::Arc;

#[derive(Clone)]
struct Mounted {
    service: Service,
    contract: Arc<Contract>,
}

pub async fn routes(settings: Settings) -> Result<Router> {
    let service = Service::new(settings).map_err(|e| failed("cannot start the functions", e))?;
    let contract = Arc::new(Contract::read()?);
    Ok(Router::new()
        .route("/api/{*path}", any(handle))
        .with_state(Mounted { service, contract }))
}

async fn handle(State(mounted): State<Mounted>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    let (parts, body) = request.into_parts();
    let answer = match to_bytes(body, guard::LARGEST_BODY).await {
        Ok(bytes) => {
            let request = http::Request::from_parts(parts, bytes);
            routes::dispatch(&mounted.service, request).await
        }
        Err(_) => guard::turned_away(entrance::too_large()),
    };
    let Answer { response, behind } = answer;
    for work in behind {
        tokio::spawn(work);
    }
    let held = mounted.contract.hold(&method, &path, response).await;
    held.map(Body::new)
}
