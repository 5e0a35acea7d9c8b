//! Rows as COPY's text format has them.

use std::borrow::Cow;

/// The fields of one row, without its newline; `None` is NULL.
pub fn fields(row: &[u8]) -> impl Iterator<Item = Option<Cow<'_, [u8]>>> {
    // A row of a table without columns is an empty line.
    row.split(|b| *b == b'\t').map(|field| match field {
        b"\\N" => None,
        field if !field.contains(&b'\\') => Some(Cow::Borrowed(field)),
        field => Some(Cow::Owned(unescaped(field))),
    })
}

/// Postgres escapes these seven characters and no others.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            byte => byte,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_copy_escaped_comes_back() {
        let row = br"a\tb	\N	\\N		\b\f\n\r\v	c";
        let got: Vec<_> = fields(row).map(|f| f.map(Cow::into_owned)).collect();
        let some = |text: &[u8]| Some(text.to_vec());
        assert_eq!(
            got,
            [
                some(b"a\tb"),
                None,
                some(br"\N"),
                some(b""),
                some(b"\x08\x0c\n\r\x0b"),
                some(b"c"),
            ]
        );
    }
}
