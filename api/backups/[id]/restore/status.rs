//! `/api/backups/[id]/restore/status`: how far it is.

use rovodev::http::{routes::BACKUPS_RESTORE_STATUS, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_RESTORE_STATUS).await
}
