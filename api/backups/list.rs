//! `/api/backups/list`: a page of backups.

use rovodev::http::{routes::BACKUPS_LIST, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&BACKUPS_LIST).await
}
