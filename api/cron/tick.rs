//! `/api/cron/tick`: takes up what waits.

use rovodev::http::{routes::CRON_TICK, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&CRON_TICK).await
}
