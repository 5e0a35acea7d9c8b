//! A backup's file: a deployment makes a link, and what is behind it is read. A line that breaks is taken up where it
//! broke. Neither the deployment's link nor one into its store is shown the token: the link is the right.

use super::client::Repeat;
use super::{Deployment, problem};
use reqwest::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Client, Method, Response, StatusCode};
use rovodev::core::progress::Stage;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::web;
use rovodev::tasks::Context;
use rovodev::tasks::download::DownloadFormat;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt, Stdout};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

/// Nothing came for so long: the line is dead.
const SILENCE: Duration = Duration::from_secs(40);
/// A file is read for no longer than an export of it lasts.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a line may break without a byte in between, and a file be begun anew.
const BREAKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// How often a link is asked for, where exports have to be waited for in between.
const EXPORTS: usize = 3;

/// Where the bytes go.
pub enum Out<'a> {
    /// What was written is gone.
    Pipe(Stdout),
    /// Can be begun anew.
    File(&'a mut File),
}

impl Deployment {
    /// Writes the file to `out`; answers its bytes.
    pub async fn download(
        &self,
        ctx: &Context,
        backup: Uuid,
        format: DownloadFormat,
        out: Out<'_>,
    ) -> Result<u64> {
        let mut reader = Reader {
            http: web::client()?,
            deployment: self,
            out,
            written: 0,
            tag: None,
        };
        let mut breaks = 0;
        loop {
            let link = self.link(ctx, backup, format).await?;
            let before = reader.written;
            match ctx.or_cancelled(reader.read(ctx, &link)).await {
                Ok(()) => return Ok(reader.written),
                Err(e) if !e.retry => return Err(e),
                Err(e) => {
                    let went_on = reader.tag.is_some() && reader.written > before;
                    breaks = if went_on { 1 } else { breaks + 1 };
                    if breaks > BREAKS {
                        return Err(e);
                    }
                    ctx.progress.notice(format!("{e}; going on"));
                    ctx.or_cancelled(async {
                        tokio::time::sleep(PAUSE * breaks).await;
                        Ok(())
                    })
                    .await?;
                }
            }
        }
    }

    /// A link to the file, once it is ready.
    async fn link(&self, ctx: &Context, backup: Uuid, format: DownloadFormat) -> Result<Url> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Made {
            url: Option<String>,
            export_id: Option<Uuid>,
        }
        let path = format!("/api/backups/{backup}/download");
        let body = json!({ "format": format.suffix() });
        for _ in 0..EXPORTS {
            let ask = self
                .0
                .call(Method::POST, &path, Some(&body), Repeat::Safely);
            let made: Made = ctx.or_cancelled(ask).await?;
            match (made.url, made.export_id) {
                (Some(url), _) => return self.address(&url),
                (None, Some(export)) => {
                    ctx.progress.notice(
                        "It is too large to be sent at once: it is made ready in the deployment's store first.",
                    );
                    let ready = self.await_export(ctx, backup, export).await;
                    ready.map_err(|e| match e.code {
                        Code::Cancelled => e.hint(
                            "It is still made ready there; the same command goes on with it.",
                        ),
                        _ => e,
                    })?;
                }
                (None, None) => break,
            }
        }
        Err(problem::unreadable(self.url()))
    }

    /// A link of the deployment's own is told without its host.
    fn address(&self, link: &str) -> Result<Url> {
        let unreadable = |_| problem::unreadable(self.url());
        let base = Url::parse(self.url()).map_err(unreadable)?;
        base.join(link).map_err(unreadable)
    }
}

struct Reader<'a> {
    /// Knows no token.
    http: Client,
    deployment: &'a Deployment,
    out: Out<'a>,
    written: u64,
    /// What names the file that is read, where parts of it can be had.
    tag: Option<String>,
}

impl Reader<'_> {
    /// Reads what is still to come. An error may be tried again where it says so.
    async fn read(&mut self, ctx: &Context, link: &Url) -> Result<()> {
        let mut request = self.http.get(link.clone()).timeout(LONGEST);
        if let (Some(tag), 1..) = (&self.tag, self.written) {
            request = request
                .header(RANGE, format!("bytes={}-", self.written))
                .header(IF_RANGE, tag);
        }
        let sent = timeout(SILENCE, request.send()).await;
        let mut response = sent
            .map_err(|_| self.broken("does not answer"))?
            .map_err(|e| problem::unreachable(self.deployment.url(), e))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if self.goes_on(&response) => {}
            StatusCode::OK => self.begin(&response).await?,
            _ => return Err(self.refused(link, response).await),
        }
        let total = response.content_length().map(|left| self.written + left);
        ctx.progress.stage(Stage::Download, total.unwrap_or(0));
        ctx.progress.add_bytes(self.written);
        loop {
            let piece = timeout(SILENCE, response.chunk()).await;
            let piece = piece.map_err(|_| self.broken("went silent"))?;
            match piece.map_err(|e| self.broken("broke off").source(web::cause(e)))? {
                Some(bytes) => {
                    self.out.write(&bytes).await?;
                    self.written += bytes.len() as u64;
                    ctx.progress.add_bytes(bytes.len() as u64);
                }
                None if total.is_some_and(|t| t != self.written) => {
                    return Err(self.broken("ended too early"));
                }
                None => return self.out.finish().await,
            }
        }
    }

    /// Whether this is the part that was asked for.
    fn goes_on(&self, response: &Response) -> bool {
        let told = response.headers().get(CONTENT_RANGE);
        let begins = format!("bytes {}-", self.written);
        told.and_then(|v| v.to_str().ok())
            .is_some_and(|range| range.starts_with(&begins))
    }

    /// The whole file comes, and what was written of it or of another is thrown away.
    async fn begin(&mut self, response: &Response) -> Result<()> {
        if self.written > 0 {
            self.out.begin_anew().await?;
            self.written = 0;
        }
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let has_parts = text(ACCEPT_RANGES) == Some("bytes");
        let tag = text(ETAG).filter(|tag| has_parts && !tag.starts_with("W/"));
        self.tag = tag.map(str::to_string);
        Ok(())
    }

    fn broken(&self, how: &str) -> Error {
        let what = format!("the download from {} {how}", self.deployment.url());
        Error::new(Code::ServiceUnreachable, what)
            .hint("Run the same command again.")
            .retry(true)
    }

    async fn refused(&self, link: &Url, response: Response) -> Error {
        let url = self.deployment.url();
        if link.origin().ascii_serialization() == url {
            return self.deployment.0.refusal(response).await;
        }
        let status = response.status();
        let message = format!("the store of {url} answered {status} to the link that it made");
        Error::new(Code::ServiceError, message)
            .hint("Run the same command again; `rovodev --api … status` tells how the store is.")
            .retry(status.is_server_error())
    }
}

impl Out<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match self {
            Out::Pipe(out) => out.write_all(bytes).await,
            Out::File(out) => out.write_all(bytes).await,
        };
        written.map_err(unwritable)
    }

    async fn finish(&mut self) -> Result<()> {
        let flushed = match self {
            Out::Pipe(out) => out.flush().await,
            Out::File(out) => out.flush().await,
        };
        flushed.map_err(unwritable)
    }

    async fn begin_anew(&mut self) -> Result<()> {
        match self {
            Out::Pipe(_) => Err(Error::new(
                Code::ServiceUnreachable,
                "the line broke, and what was sent to stdout cannot be taken back",
            )
            .hint("Throw away what came, and download into a file: that is begun anew by itself.")),
            Out::File(out) => {
                out.set_len(0).await.map_err(unwritable)?;
                out.rewind().await.map(drop).map_err(unwritable)
            }
        }
    }
}

fn unwritable(error: std::io::Error) -> Error {
    Error::io("the download cannot be written", error)
}
