//! `local dev`: the stack with the demo app, to work with or to show the main job once (`once`).

use crate::binaries::Binaries;
use crate::dev_state::DevState;
use crate::error::{Context, Result};
use crate::home::Home;
use crate::postgres::{Options, Postgres};
use crate::project::{self, Project};
use crate::s3::S3;
use crate::settings::{self, Variables};
use crate::visitor::{ADMIN, PASSWORD, Visitor};
use crate::{demo, once, port, supabase};
use rovodev::config::Settings;
use std::path::Path;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

/// As the Supabase command line has them.
const PROJECT_PORT: u16 = 54321;
const POSTGRES_PORT: u16 = 54322;
const S3_PORT: u16 = 54323;

/// Stays up until Ctrl-C; with `once` shows a backup, damage and a restore on a fresh stack and
/// returns 0 only if every table came back.
pub async fn dev(once: bool) -> Result<u8> {
    match once {
        true => once::show().await,
        false => stay_up().await.map(|()| 0),
    }
}

async fn stay_up() -> Result<()> {
    let begun = Instant::now();
    // From here on Ctrl-C is ours, so that everything is stopped in order.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        up = bring_up(begun) => {
            // What holds the servers; they stop when it is dropped.
            let _stack = up?;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("\nstopped");
    Ok(())
}

async fn bring_up(begun: Instant) -> Result<impl Sized> {
    let home = Home::open()?;
    let (folder, lock) = home.dev()?;
    let mut state = DevState::load(&folder)?;
    let postgres = start_postgres(&home, &folder, &mut state).await?;
    let s3_port = chosen_port("S3", S3_PORT)?;
    let s3 = S3::start(&folder.join("s3"), Some(s3_port), state.s3.clone())?;
    let project_port = chosen_port("the project", PROJECT_PORT)?;
    let variables = settings::of(&postgres, &s3, project_port, &state)?;
    let mut owner = supabase::connect(&postgres.owner_url("postgres")).await?;
    if demo::seed(&mut owner).await? {
        println!("seeded the demo app");
    }
    project::set_up(&postgres).await?;
    project::seed_tenants(&postgres).await?;
    let project = Project::start(
        &postgres,
        state.project.clone(),
        Some(project_port),
        Some(Settings::of(variables.clone())),
    )
    .await?;
    first_backup(&project, &folder).await?;
    print_addresses(&postgres, &project, &variables, begun);
    Ok((project, postgres, s3, lock))
}

/// Once in the life of this folder.
async fn first_backup(project: &Project, folder: &Path) -> Result<()> {
    let taken = folder.join("first-backup");
    if taken.exists() {
        return Ok(());
    }
    let admin = Visitor::sign_in(project, ADMIN).await?;
    println!("a first backup:");
    let id = once::backed_up(&admin).await?;
    std::fs::write(&taken, id).context("cannot note the first backup")
}

async fn start_postgres(home: &Home, folder: &Path, state: &mut DevState) -> Result<Postgres> {
    let binaries = Binaries::find_or_install(home, state.postgres_major)?;
    state.postgres_major = Some(binaries.major);
    // Saved before the cluster is made with these passwords.
    state.save(folder)?;
    Postgres::start(Options {
        folder: folder.join("postgres"),
        binaries,
        port: Some(chosen_port("Postgres", POSTGRES_PORT)?),
        passwords: state.passwords.clone(),
        throw_away: false,
    })
    .await
}

fn chosen_port(part: &str, wanted: u16) -> Result<u16> {
    let port = port::free_or_other(wanted)?;
    if port != wanted {
        println!("port {wanted} is taken; {part} uses {port} instead");
    }
    Ok(port)
}

fn print_addresses(postgres: &Postgres, project: &Project, variables: &Variables, begun: Instant) {
    println!(
        "\nup in {:.1} s; Ctrl-C stops everything\n",
        begun.elapsed().as_secs_f64()
    );
    println!("pages       {}/", project.url());
    println!("functions   {}/api", project.url());
    println!("sign-in     {ADMIN}, password {PASSWORD}");
    println!(
        "            also operator@ and viewer@callcenter.example, olga.petrova@northwind-dental.example"
    );
    println!("superuser   {}", postgres.url("postgres"));
    println!("\nsettings for rovodev, which works as the owner:\n");
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
}
