//! Bodies that are checked while they pass. One that does not fit breaks off.

use super::{Content, Media, fits};
use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use jsonschema::Validator;
use rovodev::http::Body;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Ends an event.
const END: &[u8] = b"\n\n";

/// The same body. `what` says whose it is.
pub(super) fn through(body: Body, media: Arc<Media>, what: String) -> Body {
    let passed = Vec::new();
    Passing {
        body,
        media,
        what,
        passed,
    }
    .boxed()
}

struct Passing {
    body: Body,
    media: Arc<Media>,
    what: String,
    /// What was not checked yet: JSON to its end, an event that is not whole.
    passed: Vec<u8>,
}

impl Passing {
    fn more(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &self.media.content {
            Content::Bytes => Ok(()),
            Content::Json(_) => {
                self.passed.extend_from_slice(bytes);
                Ok(())
            }
            Content::Events(schema) => {
                self.passed.extend_from_slice(bytes);
                let ends = self.passed.windows(END.len()).rposition(|two| two == END);
                let whole = ends.map_or(0, |at| at + END.len());
                let whole: Vec<u8> = self.passed.drain(..whole).collect();
                events(schema, &whole)
            }
        }
    }

    fn end(&self) -> Result<(), String> {
        match &self.media.content {
            Content::Json(schema) => fits(schema, &self.passed),
            Content::Events(_) if !self.passed.is_empty() => Err("half an event".into()),
            Content::Events(_) | Content::Bytes => Ok(()),
        }
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let fits = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |bytes| self.more(bytes)),
            Some(Err(_)) => Ok(()),
            None => self.end(),
        };
        Poll::Ready(match fits {
            Ok(()) => frame,
            Err(why) => {
                let told = format!(
                    "{}, and its body is not as docs/openapi.json has it: {why}",
                    self.what
                );
                eprintln!("{told}");
                Some(Err(told.into()))
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whole events: comments, or an id, the name `status`, and JSON.
pub(super) fn events(schema: &Validator, bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    for event in text.split_terminator("\n\n") {
        let lines: Vec<&str> = event.lines().collect();
        match lines.as_slice() {
            [comment] if comment.starts_with(':') => {}
            [id, "event: status", data] if id.starts_with("id: ") => {
                let data = data.strip_prefix("data: ").unwrap_or_default();
                fits(schema, data.as_bytes())?;
            }
            _ => return Err(format!("no such event: {event:?}")),
        }
    }
    Ok(())
}
