//! Postgres and S3 for `bench/run`, up until standard input ends. Prints one JSON line: where they are.
//!
//! Unlike a throw-away stack the cluster is durable (`fsync` on) and stays for the next run.

use local::binaries::Binaries;
use local::home::Home;
use local::postgres::{Options, Passwords, Postgres};
use local::s3::{Credentials, REGION, S3};
use std::error::Error;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tokio::io::{AsyncReadExt, stdin};

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
    println!(
        "{}",
        serde_json::json!({
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
    stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
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
