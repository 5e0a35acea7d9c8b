//! What is wrong with a command line, in clap's words: for people as clap prints it, for scripts as JSON.

use crate::exit::Exit;
use crate::output;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use rovodev::config;
use rovodev::error::{Code, Error};

const CODECS: [&str; 3] = ["zstd", "gzip", "none"];

/// Shows help, or an error of usage. `arguments` are those of the program, its name left out.
pub fn explain(mut wrong: clap::Error, arguments: &[String]) -> Exit {
    let said = |flag: &str| arguments.iter().any(|a| a == flag);
    if !wrong.use_stderr() {
        show(&wrong, said("--no-color"));
        return Exit::Done;
    }
    hide_secrets(&mut wrong);
    teach_compress(&mut wrong, arguments);
    if said("--json") {
        return output::show_error(&as_error(&wrong), true);
    }
    show(&wrong, said("--no-color"));
    Exit::Usage
}

/// A reader of our help that went away is no failure.
fn show(wrong: &clap::Error, plain: bool) {
    if !plain {
        let _ = wrong.print();
    } else if wrong.use_stderr() {
        eprint!("{}", wrong.render());
    } else {
        output::line(wrong.render().to_string().trim_end());
    }
}

/// Clap quotes what it does not understand, and that may be an address with its password.
fn hide_secrets(wrong: &mut clap::Error) {
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidValue,
        ContextKind::InvalidSubcommand,
    ] {
        let Some(ContextValue::String(text)) = wrong.get(kind) else {
            continue;
        };
        let shown = config::shown(text);
        if shown != *text {
            wrong.remove(ContextKind::Suggested);
            wrong.insert(kind, ContextValue::String(shown));
        }
    }
}

/// `--compress none`: the codec takes an equals sign, since `--compress` alone has a meaning too.
fn teach_compress(wrong: &mut clap::Error, arguments: &[String]) {
    let codec = arguments
        .windows(2)
        .find(|two| two[0] == "--compress" && CODECS.contains(&two[1].as_str()))
        .map(|two| two[1].as_str());
    let unknown = wrong.get(ContextKind::InvalidArg);
    let meant = codec.filter(|c| matches!(unknown, Some(ContextValue::String(arg)) if arg == c));
    if let Some(codec) = meant {
        let tip = StyledStr::from(format!("write --compress={codec}"));
        wrong.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
}

/// Clap's first paragraph is the message; tips and the usage are what to do.
fn as_error(wrong: &clap::Error) -> Error {
    let text = wrong.render().to_string();
    let mut paragraphs = text.split("\n\n").map(one_line);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.trim_start_matches("error: ");
    let mut hints: Vec<_> = paragraphs
        .filter_map(|p| match p.strip_prefix("tip: ") {
            Some(tip) => Some(format!("Tip: {tip}.")),
            None => p.starts_with("Usage: ").then(|| format!("{p}.")),
        })
        .collect();
    hints.push("`--help` tells more.".into());
    Error::new(Code::Usage, message).hint(hints.join(" "))
}

fn one_line(paragraph: &str) -> String {
    let words: Vec<_> = paragraph.split_whitespace().collect();
    words.join(" ")
}
