//! The demo app in a throw-away project: catalog, people and all.

use crate::dev_state::DevState;
use crate::error::Result;
use crate::postgres::Postgres;
use crate::project::{self, Project};
use crate::settings::{self, Variables};
use crate::stack::{Parts, Stack};
use crate::template::Contents;
use crate::{demo, port, supabase};
use rovodev::config::Settings;
use tokio_postgres::Client;

// Fields drop in this order: the project stops before its servers.
pub struct DemoProject {
    pub project: Project,
    /// Of functions, workers and the command line.
    pub variables: Variables,
    /// A session of the database's owner.
    pub owner: Client,
    pub stack: Stack,
}

impl DemoProject {
    /// Without functions a job waits until somebody else works on it.
    pub async fn start(functions: bool) -> Result<DemoProject> {
        let parts = Parts {
            contents: Contents::Demo,
            ..Parts::default()
        };
        let stack = Stack::start(parts).await?;
        let postgres = &stack.postgres;
        let owner = supabase::connect(&postgres.owner_url("postgres")).await?;
        let (state, port) = (DevState::fresh()?, port::free()?);
        let variables = settings::of(postgres, &stack.s3, port, &state)?;
        let settings = functions.then(|| Settings::of(variables.clone()));
        let project = Project::start(postgres, state.project, Some(port), settings).await?;
        Ok(DemoProject {
            project,
            variables,
            owner,
            stack,
        })
    }
}

/// The demo app, the catalog, its tenants and their people in a project's database.
pub async fn furnish(postgres: &Postgres) -> Result<()> {
    let mut owner = supabase::connect(&postgres.owner_url("postgres")).await?;
    demo::seed(&mut owner).await?;
    project::set_up(postgres).await?;
    project::seed_tenants(postgres).await
}
