//! What the functions and the command line are told about a local stack.

use crate::dev_state::DevState;
use crate::error::Result;
use crate::postgres::Postgres;
use crate::s3::{self, S3};

const BUCKET: &str = "backups";

/// Names and values of environment variables.
pub type Variables = Vec<(&'static str, String)>;

/// Makes the bucket; the database is `postgres`, as its owner, and the project answers at `project_port`.
pub fn of(postgres: &Postgres, s3: &S3, project_port: u16, state: &DevState) -> Result<Variables> {
    s3.create_bucket(BUCKET)?;
    let credentials = s3.credentials();
    let pg_dump = postgres.binaries().pg_dump();
    Ok(vec![
        ("DATABASE_URL", postgres.owner_url("postgres")),
        ("BACKUP_STORE", format!("s3://{BUCKET}/demo")),
        ("S3_ENDPOINT", s3.endpoint()),
        ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
        ("AWS_REGION", s3::REGION.to_string()),
        ("STORE_KEY", state.store_key.clone()),
        ("SUPABASE_URL", format!("http://127.0.0.1:{project_port}")),
        (
            "SUPABASE_PUBLISHABLE_KEY",
            state.project.publishable.clone(),
        ),
        ("SUPABASE_SECRET_KEY", state.project.secret.clone()),
        ("CRON_SECRET", state.cron_secret.clone()),
        (
            "ROVODEV_DASHBOARD_URL",
            format!("http://127.0.0.1:{project_port}"),
        ),
        ("ROVODEV_PRIVATE_TARGETS", "1".into()),
        // Any 32 bytes: browsers of this machine alone subscribe with it.
        (
            "ROVODEV_VAPID_KEY",
            "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM".into(),
        ),
        ("PG_DUMP", pg_dump.display().to_string()),
    ])
}
