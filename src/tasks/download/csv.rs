//! One table for spreadsheets. NULL is an empty cell, and what would run as a formula is text.

use super::layout::{Layout, Rows};
use crate::core::ident::QName;
use crate::core::manifest::Manifest;
use crate::core::{copy_text, spreadsheet};
use crate::error::{Code, Error, Result};
use crate::tasks::segments::blocking;
use bytes::Bytes;

pub fn layout(manifest: &Manifest, wanted: &QName) -> Result<Layout> {
    let mut tables = manifest.tables.iter().enumerate();
    let Some((number, table)) = tables.find(|(_, t)| t.name == *wanted) else {
        let message = format!("this backup holds no table {wanted}");
        return Err(Error::new(Code::NothingSelected, message));
    };
    let mut layout = Layout::new(Rows::Csv, true);
    let names = table
        .columns
        .iter()
        .map(|c| spreadsheet::cell(c.name.as_bytes()));
    layout.text(records([names])?);
    layout.table(number, table);
    Ok(layout)
}

/// COPY's text as CSV.
pub async fn of(rows: Bytes) -> Result<Bytes> {
    blocking(move || {
        let lines = rows.strip_suffix(b"\n").unwrap_or(&rows);
        records(lines.split(|b| *b == b'\n').map(|line| {
            copy_text::fields(line).map(|field| match field {
                Some(text) => spreadsheet::cell(&text).into_owned(),
                None => Vec::new(),
            })
        }))
    })
    .await
}

fn records<C: AsRef<[u8]>, R: Iterator<Item = C>>(
    rows: impl IntoIterator<Item = R>,
) -> Result<Bytes> {
    let broken = |e: &dyn std::fmt::Display| {
        Error::new(
            Code::Internal,
            format!("a row could not be written as CSV: {e}"),
        )
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|e| broken(&e))?;
    }
    writer.into_inner().map(Bytes::from).map_err(|e| broken(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_become_records() {
        let rows = Bytes::from_static(b"1\ta,\"b\"\t\\N\n2\t=1+1\\n\t-5\n");
        let csv = of(rows).await.unwrap();
        assert_eq!(csv, "1,\"a,\"\"b\"\"\",\r\n2,\"'=1+1\n\",-5\r\n".as_bytes());
    }
}
