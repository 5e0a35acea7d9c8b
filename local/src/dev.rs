//! `local dev`: the stack with the demo app, to work with or to show the main job once.

use crate::binaries::Binaries;
use crate::dev_state::DevState;
use crate::error::{Context, Result, message};
use crate::home::Home;
use crate::postgres::{Options, Postgres};
use crate::rovodev::Rovodev;
use crate::s3::S3;
use crate::stack::{Parts, Stack};
use crate::{demo, demo_report as report, port, supabase};
use std::path::Path;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

const POSTGRES_PORT: u16 = 54322;
const S3_PORT: u16 = 54323;

/// Stays up until Ctrl-C; with `once` shows a backup, damage and a restore on a fresh stack and
/// returns 0 only if every table came back.
pub async fn dev(once: bool) -> Result<u8> {
    match once {
        true => show_once().await,
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
    let rovodev = Rovodev::new(&postgres, &s3, &state.store_key, &folder)?;
    let mut owner = supabase::connect(&postgres.owner_url("postgres")).await?;
    if demo::seed(&mut owner).await? {
        println!("seeded the demo app");
    }
    let first_backup = folder.join("first-backup");
    if !first_backup.exists() {
        let printed = rovodev.run(&["backup", "--json"]).await?;
        std::fs::write(&first_backup, &printed).context("cannot note the first backup")?;
        println!("took a first backup: {printed}");
    }
    print_addresses(&postgres, &rovodev, begun);
    Ok((postgres, s3, lock))
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

fn print_addresses(postgres: &Postgres, rovodev: &Rovodev, begun: Instant) {
    println!(
        "\nup in {:.1} s; Ctrl-C stops everything\n",
        begun.elapsed().as_secs_f64()
    );
    println!("superuser   {}", postgres.url("postgres"));
    println!("\nsettings for rovodev, which works as the owner:\n");
    for (name, value) in rovodev.settings() {
        println!("export {name}='{value}'");
    }
}

async fn show_once() -> Result<u8> {
    let begun = Instant::now();
    let stack = Stack::start(Parts::default()).await?;
    let state = DevState::fresh();
    let rovodev = Rovodev::new(&stack.postgres, &stack.s3, &state.store_key, stack.folder())?;
    let mut owner = supabase::connect(&stack.postgres.owner_url("postgres")).await?;
    println!(
        "1. Up in {:.1} s: PostgreSQL {} on 127.0.0.1:{}, S3 on 127.0.0.1:{}",
        begun.elapsed().as_secs_f64(),
        stack.postgres.binaries().major,
        stack.postgres.port(),
        stack.s3.port()
    );

    demo::seed(&mut owner).await?;
    let before = demo::contents(&mut owner).await?;
    println!("2. The demo app, an AI call centre with two tenants:");
    print!("{}", report::listing(&before));

    let seconds = timed(&rovodev, &["backup", "--json"]).await?;
    println!("3. Backed up as the owner, no superuser, in {seconds:.1} s");

    demo::damage(&mut owner).await?;
    let broken = demo::contents(&mut owner).await?;
    if report::differing(&before, &broken) == 0 {
        return Err(message(
            "the damage changed nothing; a restore would prove nothing",
        ));
    }
    println!("4. Broken on purpose: rows deleted, transcripts garbled, rows added");
    print!("{}", report::comparison(&before, &broken));

    let restore = [
        "restore", "--input", "latest", "--mode", "exact", "--force", "--json",
    ];
    let seconds = timed(&rovodev, &restore).await?;
    let after = demo::contents(&mut owner).await?;
    println!("5. Restored in place, after a safety backup, in {seconds:.1} s");
    print!("{}", report::comparison(&before, &after));
    Ok(verdict(&before, &after))
}

fn verdict(before: &demo::Contents, after: &demo::Contents) -> u8 {
    match report::differing(before, after) {
        0 => {
            println!(
                "Every table is as it was: {} tables, {} rows, all hashes equal.",
                after.len(),
                report::total_rows(after)
            );
            0
        }
        count => {
            println!("NOT RESTORED: {count} tables differ from what was backed up.");
            1
        }
    }
}

/// Runs rovodev, shows what it printed, and returns how many seconds it took.
async fn timed(rovodev: &Rovodev, arguments: &[&str]) -> Result<f64> {
    let begun = Instant::now();
    println!("   $ rovodev {}", arguments.join(" "));
    for line in rovodev.run(arguments).await?.lines() {
        println!("     {line}");
    }
    Ok(begun.elapsed().as_secs_f64())
}
