//! `/api/workspace/[part]`: what a tenant knows about itself, besides its backups.

use rovodev::http::{routes::WORKSPACE, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&WORKSPACE).await
}
