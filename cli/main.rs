//! The command line: reads what is asked, runs the task, shows what came of it.

mod args;
mod ask;
mod commands;
mod exit;
mod human;
mod names;
mod output;
mod progress;
mod remote;
mod service;
mod table;
mod usage;
mod width;

use args::Cli;
use clap::Parser;
use output::Answer;
use rovodev::config::{self, Settings};
use rovodev::error::{Code, Error, Result};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => {
            let arguments: Vec<_> = std::env::args_os()
                .skip(1)
                .map(|a| a.to_string_lossy().into_owned())
                .collect();
            return ExitCode::from(usage::explain(wrong, &arguments).code());
        }
    };
    let json = cli.common.json;
    let exit = match run(cli) {
        Ok(answer) => answer.show(json),
        Err(error) => output::show_error(&error, json),
    };
    ExitCode::from(exit.code())
}

fn run(cli: Cli) -> Result<Answer> {
    // Before the settings are known, their own errors need to know about colours too.
    let no_color = std::env::var_os(config::NO_COLOR.name).is_some_and(|v| !v.is_empty());
    choose_colors(cli.common.no_color || no_color);
    let settings = Settings::load(Path::new(commands::ENV_FILE))?;
    choose_colors(cli.common.no_color || settings.get(&config::NO_COLOR).is_some());
    start_logging(cli.common.verbosity, &settings)?;
    let settings = settings
        .flag(&config::BACKUP_STORE, cli.common.store.clone())
        .flag(&config::ROVODEV_API, cli.common.api.clone())
        .flag(&config::ROVODEV_TENANT, cli.common.tenant.clone());
    let runtime = if cli.command.moves_data() {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let runtime = runtime.map_err(|e| Error::io("the program's threads could not start", e))?;
    let answer = runtime.block_on(commands::run(cli.command, cli.common, settings));
    // A name lookup or a disk that hangs must not keep an answer from being shown.
    runtime.shutdown_background();
    answer
}

fn choose_colors(off: bool) {
    use dialoguer::console::{set_colors_enabled, set_colors_enabled_stderr};
    let off = off || output::terminal_is_dumb();
    set_colors_enabled(!off && std::io::stdout().is_terminal());
    set_colors_enabled_stderr(!off && std::io::stderr().is_terminal());
}

fn start_logging(verbosity: u8, settings: &Settings) -> Result<()> {
    let asked = match verbosity {
        0 | 1 => settings.get(&config::RUST_LOG).unwrap_or("warn"),
        2 => "rovodev=debug,info",
        _ => "rovodev=trace,debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_new(asked).map_err(|e| {
        Error::new(Code::Config, format!("RUST_LOG cannot be read: {e}"))
            .hint("Write a level such as info, or rovodev=debug.")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(dialoguer::console::colors_enabled_stderr())
        .without_time()
        .init();
    Ok(())
}
