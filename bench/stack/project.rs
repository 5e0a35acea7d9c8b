//! A project in front of the benchmark's Postgres: catalog, sign-in and functions, as one process.

use local::dev_state::DevState;
use local::postgres::Postgres;
use local::project::{self, Project};
use local::s3::S3;
use local::visitor::{ADMIN, PASSWORD};
use local::{port, settings, supabase};
use rovodev::config::Settings;
use serde_json::{Value, json};
use std::error::Error;

/// The catalog of the run before goes, so that this one measures what it made itself.
const FORGET: &str = "DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT format('TABLE %s', oid::regclass) FROM pg_class
        WHERE relkind = 'r' AND obj_description(oid, 'pg_class') LIKE 'rovodev:catalog%'
        UNION ALL
        SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') LIKE 'rovodev:catalog%'
    LOOP
        EXECUTE format('DROP %s CASCADE', name);
    END LOOP;
    DROP SCHEMA IF EXISTS rovodev CASCADE;
    DROP SCHEMA IF EXISTS pgmq CASCADE;
END $$";

/// Its functions back up `database` of the same server.
pub async fn start(
    postgres: &Postgres,
    s3: &S3,
    database: &str,
) -> Result<(Project, Value), Box<dyn Error>> {
    let admin = supabase::connect(&postgres.url("postgres")).await?;
    admin.batch_execute(FORGET).await?;
    project::set_up(postgres).await?;
    project::seed_tenants(postgres).await?;
    let (state, port) = (DevState::fresh()?, port::free()?);
    let mut variables = settings::of(postgres, s3, port, &state)?;
    for (name, value) in &mut variables {
        if *name == "DATABASE_URL" {
            *value = postgres.owner_url(database);
        }
    }
    let cron = variables.iter().find(|(name, _)| *name == "CRON_SECRET");
    let cron = cron.map(|(_, secret)| secret.clone());
    let settings = Settings::of(variables);
    let project = Project::start(postgres, state.project, Some(port), Some(settings)).await?;
    let told = json!({ "url": project.url(), "email": ADMIN, "password": PASSWORD, "cron": cron });
    Ok((project, told))
}
