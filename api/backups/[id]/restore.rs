//! `/api/backups/[id]/restore`: asks for a restore.

use rovodev::http::{routes::BACKUPS_RESTORE, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_RESTORE).await
}
