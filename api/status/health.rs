//! `/api/status/health`: is everything well?.

use rovodev::http::{routes::STATUS_HEALTH, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&STATUS_HEALTH).await
}
