//! `GET`: the file behind a link, or a range of it, streamed.

use super::{secret_hash, soon};
use crate::core::manifest::Manifest;
use crate::http::guard::Failure;
use crate::http::query::{id_in_path, parameters};
use crate::http::service::WORKING_TIME;
use crate::http::stream::streamed;
use crate::http::{Answer, Problem, Request, Service, range};
use crate::tasks::cataloged::{self, Link};
use crate::tasks::download::{self, Content, Extent, Layout};
use crate::tasks::{Context, backups};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let backup = id_in_path(&request)?;
    let given = parameters(&request, &["link"])?;
    let secret = given.first().map_or("", |(_, secret)| secret.as_str());
    let address = request.headers().get("x-real-ip");
    let address = address.and_then(|v| v.to_str().ok());
    let catalog = service.catalog();
    let link = cataloged::open_link(catalog, backup, &secret_hash(secret), address)
        .await?
        .ok_or_else(no_link)?;
    let content = link.content().ok_or_else(Problem::internal)?;
    let store = service.store()?;
    let manifest = soon(backups::read(&store, &link.tenant, backup)).await?;
    let extent = extent(&link, &manifest)?;
    let ctx = Context::default();
    let laid_out = download::layout(&ctx, &store, &manifest, &content, extent);
    let layout = soon(laid_out).await?;
    let file = File::of(&layout, &manifest, &content, &link);
    let range = match file.asked(&request) {
        Ok(range) => range,
        Err(problem) => return Ok(file.unsatisfiable(problem)),
    };
    let headers = file.headers(range.as_ref());
    let whole = range.is_none();
    let (id, began, catalog) = (link.id, Instant::now(), service.catalog().clone());
    let mut written = None;
    let (body, work) = streamed(WORKING_TIME, |mut writer| {
        written = Some(writer.written());
        async move {
            layout
                .write(&ctx, &store, &manifest, range, &mut writer)
                .await
                .map(drop)
        }
    });
    let mut answer = Answer::from(http::Response::new(body)).behind(async move {
        work.await;
        let bytes = written.map_or(0, |w| w.load(Ordering::Relaxed));
        let seconds = began.elapsed().as_secs_f64();
        if let Err(error) = cataloged::record_stream(&catalog, id, bytes, seconds).await {
            tracing::warn!(%error, "how fast a download went could not be noted");
        }
    });
    *answer.response.headers_mut() = headers;
    if !whole {
        *answer.response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

/// Forged, expired, revoked or another backup's: nobody learns which.
fn no_link() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_link",
        "This link has expired, was revoked, or never was one.",
    )
}

/// A tenant with a scope gets rows and nothing else, and only of a backup that was taken within a scope.
fn extent(link: &Link, manifest: &Manifest) -> Result<Extent, Problem> {
    match (link.scoped, &manifest.selection.scope) {
        (false, _) => Ok(Extent::Whole),
        (true, Some(_)) => Ok(Extent::RowsAlone),
        (true, None) => Err(no_link()),
    }
}

/// What is told of a file before it is sent.
struct File {
    /// Where it is known, ranges can be answered.
    length: Option<u64>,
    /// An entity tag, quoted.
    tag: String,
    name: String,
    media_type: &'static str,
}

impl File {
    fn of(layout: &Layout, manifest: &Manifest, content: &Content, link: &Link) -> Self {
        Self {
            length: layout.length(manifest),
            tag: format!("\"{}\"", layout.digest(manifest)),
            name: content.file_name(&link.name),
            media_type: content.media_type(),
        }
    }

    fn asked(&self, request: &Request) -> Result<Option<Range<u64>>, Problem> {
        match self.length {
            Some(length) => range::asked(request, length, &self.tag),
            None => Ok(None),
        }
    }

    fn headers(&self, range: Option<&Range<u64>>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, self.media_type.into());
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        set(header::CONTENT_DISPOSITION, disposition);
        match self.length {
            Some(length) => {
                set(header::ACCEPT_RANGES, "bytes".into());
                set(header::ETAG, self.tag.clone());
                let sent = range.map_or(length, |r| r.end - r.start);
                set(header::CONTENT_LENGTH, sent.to_string());
                if let Some(r) = range {
                    let told = format!("bytes {}-{}/{length}", r.start, r.end - 1);
                    set(header::CONTENT_RANGE, told);
                }
            }
            None => set(header::ACCEPT_RANGES, "none".into()),
        }
        headers
    }

    fn unsatisfiable(&self, problem: Problem) -> Answer {
        let length = self.length.unwrap_or_default();
        let answer = problem.into_answer();
        match HeaderValue::from_str(&format!("bytes */{length}")) {
            Ok(told) => answer.header(header::CONTENT_RANGE, told),
            Err(_) => answer,
        }
    }
}
