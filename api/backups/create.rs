//! `/api/backups/create`: asks for a backup.

use rovodev::http::{routes::BACKUPS_CREATE, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_CREATE).await
}
