//! `/api/hooks/deploy`: a backup before a deployment goes live.

use rovodev::http::{routes::HOOKS_DEPLOY, vercel};

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    vercel::serve(&HOOKS_DEPLOY).await
}
