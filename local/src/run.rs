//! `local run`: a command inside a throw-away stack.

use crate::demo_project::DemoProject;
use crate::error::{Context, Result, message};
use crate::home::make_folder;
use crate::process::die_with_us;
use crate::stack::{Parts, Stack};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitStatus;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Runs `command` with the stack's addresses in its environment; returns how it ended.
pub async fn run(parts: Parts, command: &[OsString]) -> Result<ExitStatus> {
    let stack = Stack::start(parts).await?;
    with(environment(&stack)?, command).await
}

/// The same in the demo's project, with its pages and functions.
pub async fn run_in_project(command: &[OsString]) -> Result<ExitStatus> {
    let demo = DemoProject::start(true).await?;
    let mut variables = environment(&demo.stack)?;
    variables.push(("ROVODEV_TEST_PROJECT_URL", demo.project.url().into()));
    with(variables, command).await
}

async fn with(variables: Vec<(&str, OsString)>, command: &[OsString]) -> Result<ExitStatus> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| message("no command to run; name one after --"))?;
    let mut child = Command::new(program);
    child.args(arguments).envs(variables);
    // We are on the main thread, which lives as long as the process.
    die_with_us(child.as_std_mut(), Signal::TERM);
    // In a terminal the command must stay in the group that may read from it.
    let own_group = !std::io::stdin().is_terminal();
    if own_group {
        child.process_group(0);
    }
    let shown = program.to_string_lossy().into_owned();
    let child = child.spawn().context(format!("cannot start {shown}"))?;
    wait(child, own_group)
        .await
        .context(format!("lost {shown}"))
}

/// The variables that tests read. URLs name the database `postgres`. What they leave behind goes with the stack.
fn environment(stack: &Stack) -> Result<Vec<(&'static str, OsString)>> {
    let temporary = stack.folder().join("tmp");
    make_folder(&temporary)?;
    let postgres = &stack.postgres;
    let credentials = stack.s3.credentials();
    let mut variables: Vec<(&str, OsString)> = vec![
        (
            "ROVODEV_TEST_SUPERUSER_URL",
            postgres.url("postgres").into(),
        ),
        (
            "ROVODEV_TEST_OWNER_URL",
            postgres.owner_url("postgres").into(),
        ),
        ("TMPDIR", temporary.into()),
        ("ROVODEV_TEST_PG_BIN", postgres.bin_dir().into()),
        ("PG_DUMP", postgres.binaries().pg_dump().into()),
        ("ROVODEV_TEST_S3_ENDPOINT", stack.s3.endpoint().into()),
        ("ROVODEV_TEST_S3_KEY", credentials.key.clone().into()),
        ("ROVODEV_TEST_S3_SECRET", credentials.secret.clone().into()),
    ];
    if let Some(localstack) = &stack.localstack {
        variables.push((
            "ROVODEV_TEST_LOCALSTACK_ENDPOINT",
            localstack.endpoint().into(),
        ));
    }
    Ok(variables)
}

/// Waits for the command; Ctrl-C and SIGTERM are passed on, so that the stack outlives the command.
async fn wait(mut child: Child, own_group: bool) -> std::io::Result<ExitStatus> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let process = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    loop {
        let received = tokio::select! {
            status = child.wait() => return status,
            _ = interrupt.recv() => Signal::INT,
            _ = terminate.recv() => Signal::TERM,
        };
        let Some(process) = process else { continue };
        // The command may end right now; then there is nobody to tell.
        let _ = match own_group {
            true => kill_process_group(process, received),
            false if received == Signal::TERM => rustix::process::kill_process(process, received),
            // The terminal itself has told everyone in its group.
            false => Ok(()),
        };
    }
}
