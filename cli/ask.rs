//! Questions to a person, on stderr. Never asked where nobody can answer.

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Password, Select};
use rovodev::error::{Code, Error, Result};
use std::io::IsTerminal;

/// Whether a person sits at both ends.
pub fn person_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn theme() -> Box<dyn Theme> {
    if dialoguer::console::colors_enabled_stderr() {
        Box::new(ColorfulTheme::default())
    } else {
        Box::new(SimpleTheme)
    }
}

/// Yes or no; no unless said otherwise.
pub fn yes(question: &str) -> Result<bool> {
    Confirm::with_theme(&*theme())
        .with_prompt(question)
        .default(false)
        .interact()
        .map_err(not_answered)
}

/// Whether the person types exactly `expected`.
pub fn types(question: &str, expected: &str) -> Result<bool> {
    let typed: String = Input::with_theme(&*theme())
        .with_prompt(question)
        .allow_empty(true)
        .interact_text()
        .map_err(not_answered)?;
    Ok(typed.trim() == expected)
}

/// A line of text, `default` where only Enter is pressed.
pub fn text(question: &str, default: Option<&str>) -> Result<String> {
    let theme = theme();
    let mut input = Input::with_theme(&*theme).with_prompt(question);
    if let Some(default) = default {
        input = input.default(default.to_string());
    }
    input.interact_text().map_err(not_answered)
}

/// A line that is not echoed; may be empty.
pub fn secret(question: &str) -> Result<String> {
    Password::with_theme(&*theme())
        .with_prompt(question)
        .allow_empty_password(true)
        .interact()
        .map_err(not_answered)
}

/// The index of the chosen item. Where none is preselected, Enter alone chooses nothing.
pub fn choose(question: &str, items: &[String], preselected: Option<usize>) -> Result<usize> {
    let theme = theme();
    let mut select = Select::with_theme(&*theme)
        .with_prompt(question)
        .items(items)
        .max_length(15);
    if let Some(index) = preselected {
        select = select.default(index);
    }
    select
        .interact_opt()
        .map_err(not_answered)?
        .ok_or_else(Error::cancelled)
}

fn not_answered(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(io) = error;
    if io.kind() == std::io::ErrorKind::Interrupted {
        Error::cancelled()
    } else {
        Error::new(Code::Io, "the answer could not be read").source(io)
    }
}
