//! `/api/backups/[id]/download`: one backup as a file.

use rovodev::http::{routes::BACKUPS_DOWNLOAD, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_DOWNLOAD).await
}
