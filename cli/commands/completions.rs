use crate::args::Cli;
use crate::output::Answer;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use rovodev::error::{Code, Error, Result};
use serde_json::json;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  rovodev completions bash > ~/.local/share/bash-completion/completions/rovodev
  rovodev completions zsh > \"${fpath[1]}/_rovodev\"
  rovodev completions fish > ~/.config/fish/completions/rovodev.fish

Touches nothing.")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rovodev", &mut script);
    let script = String::from_utf8(script)
        .map_err(|e| Error::new(Code::Internal, "the script is no text").source(e))?;
    let result = json!({ "shell": args.shell.to_string(), "script": script });
    Ok(Answer::new(
        &result,
        script.trim_end(),
        crate::exit::Exit::Done,
    ))
}
