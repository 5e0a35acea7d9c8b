//! What makes a plain PostgreSQL look like a Supabase project: roles, schemas, rights.

use crate::error::{Context, Result};
use crate::postgres::{OWNER, Postgres};
use std::time::Duration;
use tokio_postgres::{Client, Config, NoTls};

const ROLES: &str = include_str!("../sql/roles.sql");
const DATABASE: [&str; 3] = [
    include_str!("../sql/auth.sql"),
    include_str!("../sql/storage.sql"),
    include_str!("../sql/database.sql"),
];

/// Gives a fresh cluster its roles, and its database `postgres` to the owner.
pub(crate) async fn set_up_cluster(postgres: &Postgres) -> Result<()> {
    let url = postgres.url("postgres");
    let client = connect(&url).await?;
    client
        .batch_execute(ROLES)
        .await
        .context("cannot make the roles")?;
    let passwords = postgres.passwords();
    for (role, password) in [
        (OWNER, &passwords.owner),
        ("authenticator", &passwords.authenticator),
    ] {
        // ALTER ROLE takes no bound values; the passwords are our own hexadecimal digits.
        client
            .batch_execute(&format!("ALTER ROLE {role} PASSWORD '{password}'"))
            .await
            .context(format!("cannot set the password of {role}"))?;
    }
    client
        .batch_execute(&format!("ALTER DATABASE postgres OWNER TO {OWNER}"))
        .await
        .context("cannot hand over the database")?;
    set_up_database(&url).await
}

/// Makes a database owned by the owner, with Supabase's schemas in it.
pub async fn create_database(admin_url: &str, new_url: &str, name: &str) -> Result<()> {
    let client = connect(admin_url).await?;
    client
        .batch_execute(&format!("CREATE DATABASE {name} OWNER {OWNER}"))
        .await
        .context(format!("cannot make the database {name}"))?;
    set_up_database(new_url).await
}

async fn set_up_database(url: &str) -> Result<()> {
    let client = connect(url).await?;
    for part in DATABASE {
        client
            .batch_execute(part)
            .await
            .context("cannot make Supabase's schemas")?;
    }
    Ok(())
}

/// A session on a server of this stack.
pub async fn connect(url: &str) -> Result<Client> {
    let mut config = url
        .parse::<Config>()
        .context("cannot read the database URL")?;
    config.connect_timeout(Duration::from_secs(10));
    config.options("-c statement_timeout=5min");
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("cannot connect to the local Postgres")?;
    // Ends when the client is dropped; its errors reach the client's own calls.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}
