//! Postgres and S3 for `bench/run`, up until standard input ends. Prints one JSON line: where they are. With `--project
//! DATABASE` also a project whose functions back up that database, and whose catalog is new; then every line that comes
//! in is answered by the number of requests that PostgREST was sent so far.
//!
//! Unlike a throw-away stack the cluster is durable (`fsync` on) and stays for the next run.

use local::binaries::Binaries;
use local::home::Home;
use local::postgres::{Options, Passwords, Postgres};
use local::s3::{Credentials, REGION, S3};
use serde_json::json;
use std::error::Error;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

mod project;

const BUCKET: &str = "bench";

/// A small production server. Checkpoints and vacuums come when the benchmark asks for them, not amid a run.
const SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "512MB"),
    ("maintenance_work_mem", "256MB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("bgwriter_lru_maxpages", "0"),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let home = Home::open()?;
    let (folder, _lock) = home.kept("bench")?;
    let binaries = Binaries::find_or_install(&home, None)?;
    let cluster = folder.join(format!("postgres-{}", binaries.major));
    let mut postgres = Postgres::start(Options {
        passwords: passwords(&folder.join(format!("passwords-{}.json", binaries.major)))?,
        folder: cluster.clone(),
        binaries,
        port: None,
        throw_away: false,
    })
    .await?;
    configure(&mut postgres).await?;
    let objects = folder.join("s3");
    if objects.exists() {
        fs::remove_dir_all(&objects)?;
    }
    let s3 = S3::start(&objects, None, Credentials::random())?;
    s3.create_bucket(BUCKET)?;
    let (project, told) = match database()? {
        Some(name) => {
            let (project, told) = project::start(&postgres, &s3, &name).await?;
            (Some(project), told)
        }
        None => (None, json!(null)),
    };
    println!(
        "{}",
        json!({
            "project": told,
            "bin": postgres.bin_dir(),
            "major": postgres.binaries().major,
            "superuser": postgres.url("postgres"),
            "owner": postgres.owner_url("postgres"),
            "postmaster": postmaster(&cluster)?,
            "folder": folder,
            "s3": {
                "endpoint": s3.endpoint(),
                "region": REGION,
                "key": s3.credentials().key,
                "secret": s3.credentials().secret,
                "bucket": BUCKET,
                "folder": objects.join(BUCKET),
            },
        })
    );
    let mut lines = BufReader::new(stdin()).lines();
    while lines.next_line().await?.is_some() {
        println!("{}", project.as_ref().map_or(0, |p| p.catalog_requests()));
    }
    Ok(())
}

/// As in `--project DATABASE`.
fn database() -> Result<Option<String>, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Ok(None),
        [flag, name] if flag == "--project" => Ok(Some(name.clone())),
        other => Err(format!("cannot read {other:?}").into()),
    }
}

/// The cluster keeps its passwords, so they are kept beside it.
fn passwords(file: &Path) -> Result<Passwords, Box<dyn Error>> {
    if file.exists() {
        return Ok(serde_json::from_slice(&fs::read(file)?)?);
    }
    let passwords = Passwords::random();
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    serde_json::to_writer(made, &passwords)?;
    Ok(passwords)
}

async fn configure(postgres: &mut Postgres) -> Result<(), Box<dyn Error>> {
    let client = local::supabase::connect(&postgres.url("postgres")).await?;
    for (name, value) in SETTINGS {
        client
            .batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'"))
            .await?;
    }
    drop(client);
    postgres.stop();
    Ok(postgres.restart().await?)
}

fn postmaster(cluster: &Path) -> Result<u32, Box<dyn Error>> {
    let text = fs::read_to_string(cluster.join("data/postmaster.pid"))?;
    let first = text.lines().next().unwrap_or_default();
    Ok(first.trim().parse()?)
}
