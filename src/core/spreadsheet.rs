//! Cells that a spreadsheet shows and never runs.

use std::borrow::Cow;

/// The text of a cell. What a spreadsheet would take for a formula gets an apostrophe in front, which it shows as text;
/// numbers stay numbers, signs and all.
pub fn cell(text: &[u8]) -> Cow<'_, [u8]> {
    let first = text.iter().find(|b| **b != b' ');
    let risky = first.is_some_and(|b| b"=+-@\t\r\n|%".contains(b)) || is_wide(text);
    if !risky || is_number(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = Vec::with_capacity(text.len() + 1);
    safe.push(b'\'');
    safe.extend_from_slice(text);
    Cow::Owned(safe)
}

/// Full-width forms of the same signs, which some spreadsheets read alike.
fn is_wide(text: &[u8]) -> bool {
    ["＝", "＋", "－", "＠"]
        .iter()
        .any(|sign| text.starts_with(sign.as_bytes()))
}

/// Digits with at most a sign, a point and an exponent: nothing that computes.
fn is_number(text: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
    text.iter().all(plain)
        && text.iter().any(u8::is_ascii_digit)
        && std::str::from_utf8(text).is_ok_and(|t| t.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for text in [
            "=1+1",
            "+SUM(A1)",
            "-2+3",
            "@x",
            "\t=1",
            "\r=1",
            " =1",
            "|calc",
            "%x",
            "＝1",
            "-",
            "+49 30 1234",
            "\n=1",
        ] {
            assert_eq!(cell(text.as_bytes()), format!("'{text}").as_bytes());
        }
        for text in [
            "",
            "a",
            "-1",
            "+2.5",
            "-1e-9",
            "1+1",
            "a=b",
            "2026-11-22",
            "'x",
        ] {
            assert_eq!(cell(text.as_bytes()), text.as_bytes());
        }
    }
}
