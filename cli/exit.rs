//! What a command's exit code tells the script that called it.

use rovodev::error::Class;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Warnings = 3,
    NotFound = 4,
    Refused = 5,
    CannotConnect = 6,
    Interrupted = 130,
}

impl Exit {
    pub const ALL: &[Exit] = &[
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Warnings,
        Exit::NotFound,
        Exit::Refused,
        Exit::CannotConnect,
        Exit::Interrupted,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "the command line or a setting is wrong",
            Exit::Warnings => "done, with warnings (schema missing, tables skipped, status unwell)",
            Exit::NotFound => "no such backup or restore",
            Exit::Refused => "refused: unsafe without --force, drift, target not empty",
            Exit::CannotConnect => "the database or the store cannot be reached",
            Exit::Interrupted => "interrupted",
        }
    }

    /// Done, or done with warnings.
    pub fn with_warnings(any: bool) -> Self {
        if any { Exit::Warnings } else { Exit::Done }
    }
}

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::Failed => Exit::Failed,
            Class::Usage => Exit::Usage,
            Class::NotFound => Exit::NotFound,
            Class::Refused => Exit::Refused,
            Class::Connect => Exit::CannotConnect,
            Class::Cancelled => Exit::Interrupted,
        }
    }
}

/// The end of every long help.
pub fn help() -> String {
    let lines = Exit::ALL
        .iter()
        .map(|e| format!("  {:>3}  {}", e.code(), e.meaning()));
    "Exit codes:\n".to_string() + &lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rovodev::error::Code;

    /// The rows of a Markdown table that follow `heading`, without header and rule.
    fn documented(heading: &str) -> Vec<String> {
        let text = include_str!("../docs/CLI.md");
        let (_, after) = text.split_once(heading).unwrap();
        let rows = after.lines().skip_while(|l| !l.starts_with('|'));
        rows.take_while(|l| l.starts_with('|'))
            .skip(2)
            .map(str::to_string)
            .collect()
    }

    #[test]
    fn the_documentation_lists_every_exit_code() {
        let told: Vec<_> = Exit::ALL
            .iter()
            .map(|e| format!("| {} | {} |", e.code(), e.meaning()))
            .collect();
        assert_eq!(documented("## Exit codes"), told);
    }

    #[test]
    fn the_documentation_lists_every_error_code() {
        let told: Vec<_> = Code::ALL
            .iter()
            .map(|c| {
                let exit = Exit::from(c.class()).code();
                format!("| `{}` | {exit} | {} |", c.as_str(), c.meaning())
            })
            .collect();
        assert_eq!(
            documented("## Error codes"),
            told,
            "docs/CLI.md should hold:\n{}",
            told.join("\n")
        );
    }
}
