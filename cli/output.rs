//! Results on stdout, everything else on stderr; with `--json` one object on stdout, whatever happens.

use crate::exit::Exit;
use crate::width;
use dialoguer::console::style;
use rovodev::error::Error;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;

/// What a command has to say.
pub struct Answer {
    pub json: Value,
    /// For people, without a newline at the end.
    pub text: String,
    pub exit: Exit,
}

impl Answer {
    pub fn new(result: &impl Serialize, text: impl Into<String>, exit: Exit) -> Self {
        Self {
            json: serde_json::to_value(result).unwrap_or_else(|e| json!({"error": e.to_string()})),
            text: text.into(),
            exit,
        }
    }

    /// Adds another answer, in JSON under `key`; the worse exit stays.
    pub fn and(mut self, key: &str, other: Answer) -> Self {
        self.json[key] = other.json;
        self.text = format!("{}\n{}", self.text, other.text);
        if self.exit == Exit::Done {
            self.exit = other.exit;
        }
        self
    }

    pub fn show(self, as_json: bool) -> Exit {
        if as_json {
            line(&self.json.to_string());
        } else if !self.text.is_empty() {
            line(&width::wrapped(&self.text, width::of_stdout()));
        }
        self.exit
    }
}

/// Shows an error once: what, why, what to do.
pub fn show_error(error: &Error, as_json: bool) -> Exit {
    if as_json {
        line(&json!({ "error": error }).to_string());
    } else {
        let code = format!("error[{}]", error.code.as_str());
        let code = style(code).for_stderr().red().bold();
        tell(&format!("{code}: {}", error.message));
        for cause in causes(error) {
            tell(&format!("  because: {cause}"));
        }
        if let Some(hint) = &error.hint {
            let what = style("what to do").for_stderr().bold();
            tell(&format!("  {what}: {hint}"));
        }
    }
    Exit::from(error.code.class())
}

/// Causes that say something new. Those of the database driver are left out: the message holds them
/// already, and they may quote row data.
fn causes(error: &Error) -> Vec<String> {
    let mut told = error.message.clone();
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if cause.is::<tokio_postgres::Error>() {
            break;
        }
        let text = cause.to_string();
        if !text.is_empty() && !told.contains(&text) {
            told.push_str(&text);
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

/// Whether the terminal says of itself that it knows no colours and no movements.
pub fn terminal_is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// One line on stdout. A reader that went away (`| head`) is no failure.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Lines on stderr, which may be gone as well.
pub fn tell(text: &str) {
    let text = width::wrapped(text, width::of_stderr());
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Something worth knowing that needs no action, on stderr.
pub fn note(text: &str) {
    tell(&format!("{}: {text}", style("note").for_stderr().bold()));
}

/// A warning for people, on stderr.
pub fn warn(text: &str) {
    let warning = style("warning").for_stderr().yellow().bold();
    tell(&format!("{warning}: {text}"));
}
