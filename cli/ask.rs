//! Questions to a person, on stderr. Never asked where nobody can answer.

use crate::progress::Signals;
use crate::{human, output, width};
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Password, Select};
use rovodev::error::{Error, Result};
use std::io::IsTerminal;
use std::sync::mpsc::{Sender, channel};

/// What a question has around it: a mark in front, `(y/n)` and the answer behind.
const BESIDE_QUESTION: usize = 14;
/// What an item of a choice has in front.
const BESIDE_ITEM: usize = 4;

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

/// Yes or no; Enter is a no.
pub fn yes(question: &str) -> Result<bool> {
    yes_or(question, false)
}

/// Yes or no; Enter is `default`.
pub fn yes_or(question: &str, default: bool) -> Result<bool> {
    let question = short(question);
    answer(move || {
        Confirm::with_theme(&*theme())
            .with_prompt(question)
            .default(default)
            .interact()
    })
}

/// A question of one line, for that is all the terminal can take back; what is longer is told before it.
fn short(question: &str) -> String {
    let fits = |columns: usize| question.chars().count() + BESIDE_QUESTION <= columns;
    if width::of_stderr().is_none_or(fits) {
        return question.to_string();
    }
    output::tell(question);
    "Go on?".into()
}

/// Whether the person types exactly `expected`; Enter alone is a no, and anything else is asked for again.
pub fn types(question: &str, expected: &str) -> Result<bool> {
    let (question, expected) = (question.to_string(), expected.to_string());
    let typed: String = answer(move || {
        Input::with_theme(&*theme())
            .with_prompt(question)
            .allow_empty(true)
            .validate_with(|typed: &String| match typed.trim() {
                "" => Ok(()),
                name if name == expected => Ok(()),
                _ => Err(format!("that is not {expected:?}; Enter alone stops here")),
            })
            .interact_text()
    })?;
    Ok(!typed.trim().is_empty())
}

/// A line of text, `default` where only Enter is pressed. One that `check` refuses is asked for again.
pub fn text(
    question: &str,
    default: Option<&str>,
    check: fn(&String) -> Result<(), Error>,
) -> Result<String> {
    let (question, default) = (question.to_string(), default.map(str::to_string));
    answer(move || {
        let theme = theme();
        let mut input = Input::with_theme(&*theme).with_prompt(question);
        if let Some(default) = default {
            input = input.default(default);
        }
        input.validate_with(check).interact_text()
    })
}

/// A line that is not echoed. One that `check` refuses is asked for again.
pub fn secret(question: &str, check: fn(&String) -> Result<(), Error>) -> Result<String> {
    let question = question.to_string();
    // The terminal itself reads this line, so that Ctrl-C stays a signal.
    let as_it_is = |_: &Modes| {};
    answer_with(as_it_is, move || {
        Password::with_theme(&*theme())
            .with_prompt(question)
            .allow_empty_password(true)
            .validate_with(check)
            .interact()
    })
}

/// The index of the chosen item. Where none is preselected, Enter alone chooses nothing.
pub fn choose(question: &str, items: &[String], preselected: Option<usize>) -> Result<usize> {
    let items = items.iter().map(|item| match width::of_stderr() {
        Some(columns) => human::short(item, columns.saturating_sub(BESIDE_ITEM)),
        None => item.clone(),
    });
    let (question, items) = (question.to_string(), items.collect::<Vec<_>>());
    answer(move || {
        let theme = theme();
        let mut select = Select::with_theme(&*theme)
            .with_prompt(question)
            .items(items)
            .max_length(15);
        if let Some(index) = preselected {
            select = select.default(index);
        }
        select.interact_opt()
    })?
    .ok_or_else(Error::cancelled)
}

/// Asks what is answered key by key. Ctrl-C is a key as well then, which the question reads itself: as a
/// signal between two keys it would end the wait, and the question change the terminal after that.
fn answer<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T> {
    answer_with(Modes::without_signals, question)
}

/// The terminal gets back the modes and, where nothing was answered, the cursor that it had.
fn answer_with<T: Send + 'static>(
    prepare: fn(&Modes),
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T> {
    let modes = Modes::now();
    prepare(&modes);
    let answered = wait_for(question);
    modes.restore();
    if answered.is_err() {
        let _ = Term::stderr().show_cursor();
        eprintln!();
    }
    answered
}

/// Asks on a thread of its own: a question cannot be called off, but the wait for its answer ends with
/// Ctrl-C or SIGTERM.
fn wait_for<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T> {
    let (tell, told) = channel();
    tell_when_interrupted(tell.clone());
    std::thread::spawn(move || tell.send(Some(question())));
    match told.recv() {
        Ok(Some(answer)) => answer.map_err(not_answered),
        Ok(None) | Err(_) => Err(Error::cancelled()),
    }
}

/// Sends `None` on Ctrl-C or SIGTERM; comes back once these are listened for.
fn tell_when_interrupted<T: Send + 'static>(tell: Sender<Option<T>>) {
    let (ready, is_ready) = channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        let within = runtime.enter();
        let signals = Signals::listen();
        drop((within, ready));
        if let Some(mut signals) = signals {
            runtime.block_on(signals.next());
            let _ = tell.send(None);
        }
    });
    // Its sender is dropped then.
    let _ = is_ready.recv();
}

/// How the terminal treats what is typed.
#[cfg(unix)]
struct Modes(Option<rustix::termios::Termios>);

#[cfg(unix)]
impl Modes {
    fn now() -> Self {
        Self(rustix::termios::tcgetattr(std::io::stdin()).ok())
    }

    fn without_signals(&self) {
        let mut modes = self.0.clone();
        if let Some(modes) = &mut modes {
            modes.local_modes.remove(rustix::termios::LocalModes::ISIG);
        }
        Self(modes).restore();
    }

    fn restore(&self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(modes) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, modes);
        }
    }
}

#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn now() -> Self {
        Self
    }

    fn without_signals(&self) {}

    fn restore(&self) {}
}

fn not_answered(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(io) = error;
    if io.kind() == std::io::ErrorKind::Interrupted {
        Error::cancelled()
    } else {
        Error::io("the answer could not be read", io)
    }
}
