//! A whole list as a file, CSV or JSON, streamed page by page.

use super::service::WORKING_TIME;
use super::stream::{Writer, streamed};
use super::{Answer, Problem};
use crate::core::spreadsheet::cell;
use crate::error::{Code, Error, Result};
use futures_util::{Stream, TryStreamExt};
use http::{HeaderValue, header};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
}

/// What the file holds.
pub struct TableFile {
    /// Of the file, and of the list in JSON.
    pub name: &'static str,
    /// The first row of CSV, and which field each column shows.
    pub columns: &'static [&'static str],
}

impl Format {
    /// What `format=` asks for, if anything.
    pub fn asked(given: &[(String, String)]) -> Result<Option<Format>, Problem> {
        let bad = |detail: &str| Err(Problem::bad_request("bad_parameter", detail));
        let Some((_, value)) = given.iter().find(|(name, _)| name == "format") else {
            return Ok(None);
        };
        if given
            .iter()
            .any(|(name, _)| ["limit", "cursor", "offset"].contains(&name.as_str()))
        {
            return bad(
                "format must be alone: a file holds the whole list, without limit, cursor and offset.",
            );
        }
        match value.as_str() {
            "csv" => Ok(Some(Format::Csv)),
            "json" => Ok(Some(Format::Json)),
            _ => bad("format must be one of csv, json."),
        }
    }

    pub fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Answers the file while its pages are read.
pub fn answer(
    file: &'static TableFile,
    format: Format,
    pages: impl Stream<Item = Result<Vec<Value>>> + Send + 'static,
) -> Result<Answer, Problem> {
    let (body, work) = streamed(WORKING_TIME, |mut writer| async move {
        let mut pages = std::pin::pin!(pages);
        let mut first = true;
        if format == Format::Json {
            put(&mut writer, format!("{{\"{}\":[", file.name).as_bytes()).await?;
        }
        while let Some(rows) = pages.try_next().await? {
            let text = match format {
                Format::Csv => csv(file.columns, &rows, first)?,
                Format::Json => json(&rows, first),
            };
            first = first && rows.is_empty() && format == Format::Json;
            put(&mut writer, &text).await?;
        }
        match format {
            Format::Csv => Ok(()),
            Format::Json => put(&mut writer, b"\n]}\n").await,
        }
    });
    let disposition = format!("attachment; filename=\"{}.{}\"", file.name, format.suffix());
    let disposition = HeaderValue::from_str(&disposition).map_err(|_| Problem::internal())?;
    let media_type = HeaderValue::from_static(format.media_type());
    Ok(Answer::from(http::Response::new(body))
        .header(header::CONTENT_TYPE, media_type)
        .header(header::CONTENT_DISPOSITION, disposition)
        .behind(work))
}

fn json(rows: &[Value], first: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        text.extend_from_slice(if first && at == 0 { b"\n" } else { b",\n" });
        text.extend_from_slice(row.to_string().as_bytes());
    }
    text
}

fn csv(columns: &[&str], rows: &[Value], first: bool) -> Result<Vec<u8>> {
    let broken = |e: &dyn std::fmt::Display| {
        Error::new(
            Code::Internal,
            format!("the list could not be written as CSV: {e}"),
        )
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    if first {
        writer.write_record(columns).map_err(|e| broken(&e))?;
    }
    for row in rows {
        let cells = columns.iter().map(|column| plain(&row[*column]));
        let safe = cells.map(|text| cell(text.as_bytes()).into_owned());
        writer.write_record(safe).map_err(|e| broken(&e))?;
    }
    writer.into_inner().map_err(|e| broken(&e))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(several) => several.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

async fn put(writer: &mut Writer, bytes: &[u8]) -> Result<()> {
    writer
        .write_all(bytes)
        .await
        .map_err(|e| Error::new(Code::Io, "the list could not be sent").source(e))
}
