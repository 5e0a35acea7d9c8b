//! The parts of one stack, started together and stopped together.

use crate::binaries::Binaries;
use crate::error::Result;
use crate::home::{Home, ThrowAway};
use crate::localstack::LocalStack;
use crate::postgres::Postgres;
use crate::s3::{Credentials, S3};
use crate::template::{self, Contents};

/// A throw-away stack in a fresh folder, on free ports. Everything goes when it is dropped.
// Fields drop in this order: the servers stop before their folder is removed.
#[derive(Debug)]
pub struct Stack {
    pub postgres: Postgres,
    pub s3: S3,
    pub localstack: Option<LocalStack>,
    folder: ThrowAway,
}

/// What a throw-away stack consists of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// PostgreSQL's major version; the newest on this machine where none is named.
    pub postgres_major: Option<u32>,
    pub contents: Contents,
    /// Whether LocalStack joins as a second S3.
    pub localstack: bool,
}

impl Stack {
    pub async fn start(parts: Parts) -> Result<Stack> {
        let home = Home::open()?;
        let folder = home.throw_away()?;
        let postgres = template::start(
            &home,
            &folder.path().join("postgres"),
            Binaries::find_or_install(&home, parts.postgres_major)?,
            parts.contents,
        )
        .await?;
        let s3 = S3::start(&folder.path().join("s3"), None, Credentials::random())?;
        let localstack = match parts.localstack {
            true => Some(LocalStack::start(&home, &folder.path().join("localstack")).await?),
            false => None,
        };
        Ok(Stack {
            postgres,
            s3,
            localstack,
            folder,
        })
    }

    /// The folder of this stack, for files that shall go with it.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// A server of its own for a test that stops, crashes or overloads it.
pub async fn throw_away_postgres(
    home: &Home,
    folder: &ThrowAway,
    major: Option<u32>,
) -> Result<Postgres> {
    let binaries = Binaries::find_or_install(home, major)?;
    let folder = folder.path().join("postgres");
    template::start(home, &folder, binaries, Contents::Project).await
}
