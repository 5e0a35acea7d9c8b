//! Texts that fit the terminal. In a pipe or a file nothing is cut or wrapped.

use dialoguer::console::{Term, measure_text_width};
use textwrap::{Options, WordSplitter};

/// Nobody reads a line that is narrower.
const NARROWEST: usize = 20;

/// Columns of the terminal that stdout is.
pub fn of_stdout() -> Option<usize> {
    columns(&Term::stdout())
}

/// Columns of the terminal that stderr is.
pub fn of_stderr() -> Option<usize> {
    columns(&Term::stderr())
}

fn columns(term: &Term) -> Option<usize> {
    let (_, columns) = term.size_checked().filter(|_| term.is_term())?;
    Some(usize::from(columns).max(NARROWEST))
}

/// Lines that are too long go on in the next, two columns further in.
pub fn wrapped(text: &str, columns: Option<usize>) -> String {
    further_in(text, columns, 2)
}

/// The same, `further` columns further in.
pub fn further_in(text: &str, columns: Option<usize>, further: usize) -> String {
    let Some(columns) = columns else {
        return text.to_string();
    };
    let lines = text.split('\n').map(|l| line(l, columns, further));
    lines.collect::<Vec<_>>().join("\n")
}

fn line(line: &str, columns: usize, further: usize) -> String {
    if measure_text_width(line) <= columns {
        return line.to_string();
    }
    let rest = line.trim_start();
    let own = " ".repeat(line.len() - rest.len());
    let next = own.clone() + &" ".repeat(further);
    let options = Options::new(columns)
        .initial_indent(&own)
        .subsequent_indent(&next)
        // An address or a command's word stays whole, so that it can be copied.
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(rest, options)
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn long_lines_go_on_further_in() {
        let text = "short\n  a line that is too long\nhttps://longer.example/than-that";
        let expected = "short\n  a line that is\n    too long\nhttps://longer.example/than-that";
        assert_eq!(wrapped(text, Some(17)), expected);
        assert_eq!(wrapped(text, None), text);
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[31mRefused:\u{1b}[0m as it is";
        assert_eq!(wrapped(text, Some(17)), text);
    }
}
