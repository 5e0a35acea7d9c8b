//! `/api/schedules`: when backups are taken by themselves.

use rovodev::http::{routes::SCHEDULES, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&SCHEDULES).await
}
