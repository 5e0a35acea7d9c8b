//! `/api/backups/[id]/details`: one backup.

use rovodev::http::{routes::BACKUPS_DETAILS, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_DETAILS).await
}
