//! What stands on a terminal after everything that a program wrote.

/// The lines, for a screen that is `columns` wide and high enough for all. Knows what our output uses: moves
/// up and down, clearing of lines, and wrapping at the right edge.
pub fn screen(written: &str, columns: usize) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => match control(&mut rest) {
                ('K', 2) => lines[row].clear(),
                ('K', _) => lines[row].truncate(column),
                ('A', n) => row = row.saturating_sub(n.max(1)),
                ('B', n) => row += n.max(1),
                _ => {}
            },
            _ => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    let text = |line: Vec<char>| line.into_iter().collect::<String>().trim_end().to_string();
    lines.into_iter().map(text).collect::<Vec<_>>().join("\n")
}

/// The last letter of `ESC [ number letter`, and its number.
fn control(rest: &mut std::str::Chars) -> (char, usize) {
    let mut number = String::new();
    for c in rest.by_ref() {
        match c {
            '[' | '?' => {}
            c if c.is_alphabetic() => return (c, number.parse().unwrap_or(0)),
            c => number.push(c),
        }
    }
    (' ', 0)
}

#[test]
fn a_screen_shows_what_was_not_overwritten() {
    assert_eq!(screen("abcdef\rxy", 80), "xycdef");
    assert_eq!(
        screen("abcdef\r\u{1b}[2Kxy\r\n\u{1b}[31mz\u{1b}[0m", 80),
        "xy\nz"
    );
    assert_eq!(screen("abcd\r\u{1b}[2Kx", 3), "abc\nx");
    assert_eq!(screen("one\r\ntwo\r\n\u{1b}[2A\u{1b}[2K!", 80), "!\ntwo\n");
}
