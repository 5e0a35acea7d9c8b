//! `GET /api/backups/list?format=csv|json`: the whole filtered list as a file, streamed page by page.

use super::list::{HIGHEST_LIMIT, bad, one, shown};
use crate::core::spreadsheet::cell;
use crate::error::{Code, Error, Result};
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::service::WORKING_TIME;
use crate::http::stream::{Writer, streamed};
use crate::http::{Answer, Problem, Service};
use crate::tasks::cataloged::{Asked, Asker, Filter, Listed, list, note_export};
use http::{HeaderValue, header};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
}

/// The first row, and which field of a backup each column shows.
const COLUMNS: &[&str] = &[
    "id",
    "name",
    "type",
    "trigger",
    "status",
    "createdAt",
    "createdBy",
    "startedAt",
    "finishedAt",
    "size",
    "tables",
    "records",
    "files",
    "components",
    "codec",
    "pinned",
    "verifiedAt",
    "expiresAt",
    "warnings",
    "errorCode",
    "error",
    "note",
    "path",
];

/// Whether the list is asked for as a file.
pub fn asked(given: &[(String, String)]) -> Result<Option<Format>, Problem> {
    let Some((_, value)) = given.iter().find(|(name, _)| name == "format") else {
        return Ok(None);
    };
    if given
        .iter()
        .any(|(name, _)| name == "limit" || name == "cursor")
    {
        return Err(bad(
            "format",
            "alone: a file holds the whole list, without limit and cursor",
        ));
    }
    Ok(Some(match one("format", value, &["csv", "json"])? {
        "csv" => Format::Csv,
        _ => Format::Json,
    }))
}

pub async fn answer(
    service: Service,
    asker: Asker,
    mut filter: Filter,
    format: Format,
) -> Result<Answer, Failure> {
    filter.limit = HIGHEST_LIMIT;
    let (suffix, media_type) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
        Format::Json => ("json", "application/json"),
    };
    granted(note_export(service.catalog(), &asker, suffix).await?)?;
    // What is refused is told before the file begins.
    let first = granted(list(service.catalog(), &asker, &filter).await?)?.backups;
    let (body, work) = streamed(WORKING_TIME, |mut writer| async move {
        put(&mut writer, format.before()).await?;
        let mut page = Page {
            format,
            first: true,
        };
        let mut backups = first;
        loop {
            let more = backups.len() > filter.limit;
            backups.truncate(filter.limit);
            put(&mut writer, &page.text(&backups)?).await?;
            let Some(last) = backups.last().filter(|_| more) else {
                break;
            };
            filter.after = Some((last.sort_value(filter.sort), last.id));
            backups = match list(service.catalog(), &asker, &filter).await? {
                Asked::Done(page) => page.backups,
                Asked::Refused(refusal) => {
                    return Err(Error::new(Code::CatalogRefused, refusal.message));
                }
            };
        }
        put(&mut writer, format.after()).await
    });
    let name = format!("attachment; filename=\"backups.{suffix}\"");
    let name = HeaderValue::from_str(&name).map_err(|_| Problem::internal())?;
    Ok(Answer::from(http::Response::new(body))
        .header(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
        .header(header::CONTENT_DISPOSITION, name)
        .behind(work))
}

impl Format {
    fn before(self) -> &'static [u8] {
        match self {
            Self::Csv => b"",
            Self::Json => b"{\"backups\":[",
        }
    }

    fn after(self) -> &'static [u8] {
        match self {
            Self::Csv => b"",
            Self::Json => b"\n]}\n",
        }
    }
}

struct Page {
    format: Format,
    first: bool,
}

impl Page {
    fn text(&mut self, backups: &[Listed]) -> Result<Vec<u8>> {
        let first = std::mem::replace(&mut self.first, false);
        match self.format {
            Format::Csv => csv(backups, first),
            Format::Json => Ok(json(backups, first)),
        }
    }
}

fn json(backups: &[Listed], first: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, backup) in backups.iter().enumerate() {
        text.extend_from_slice(if first && at == 0 { b"\n" } else { b",\n" });
        text.extend_from_slice(shown(backup).to_string().as_bytes());
    }
    text
}

fn csv(backups: &[Listed], first: bool) -> Result<Vec<u8>> {
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
        writer.write_record(COLUMNS).map_err(|e| broken(&e))?;
    }
    for backup in backups {
        let all = shown(backup);
        let cells = COLUMNS.iter().map(|column| plain(&all[*column]));
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
