//! `local`: the stack for development (`dev`) and around a command (`run`).

use clap::{Parser, Subcommand};
use local::stack::Parts;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

/// The local stack: Postgres set up like Supabase, S3 and the demo app, on 127.0.0.1.
#[derive(Parser)]
#[command(name = "local")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring everything up with the demo app, and stay up until Ctrl-C
    Dev {
        /// Back the demo app up, break it, restore it, show what happened, and stop
        #[arg(long)]
        once: bool,
    },
    /// Run a command inside a fresh stack that goes when the command ends
    Run {
        /// PostgreSQL's major version; installed under .rovodev/ if the machine lacks it
        #[arg(long, value_name = "MAJOR")]
        postgres: Option<u32>,
        /// Start LocalStack too, as a second S3
        #[arg(long)]
        localstack: bool,
        /// Start the demo's project as well, with its pages and functions
        #[arg(long, conflicts_with_all = ["postgres", "localstack"])]
        project: bool,
        /// The command and its arguments
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Dev { once } => local::dev::dev(once).await,
        Command::Run {
            postgres,
            localstack,
            project,
            command,
        } => {
            let parts = Parts {
                postgres_major: postgres,
                localstack,
                ..Parts::default()
            };
            let ended = match project {
                true => local::run::run_in_project(&command).await,
                false => local::run::run(parts, &command).await,
            };
            ended.map(|status| {
                // A shell reports a death by signal in the same way.
                let code = status.code().or(status.signal().map(|it| 128 + it));
                code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
            })
        }
    };
    local::template::forget().await;
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("local: {error}");
            ExitCode::FAILURE
        }
    }
}
