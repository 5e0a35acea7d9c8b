//! Stored rows into one `COPY … FROM STDIN`, a few segments at a time.

use crate::core::manifest::{Codec, Segment};
use crate::error::Result;
use crate::ports::postgres::{Session, from_postgres};
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::fetch_rows;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt, stream};

/// Segments in flight per connection: one is written while the next is fetched.
const AHEAD: usize = 2;
/// Bytes of one protocol message. A segment in one piece would be copied whole into the connection's buffer.
const MESSAGE: usize = 128 << 10;

/// Where stored rows go.
pub struct CopyIn<'a> {
    pub session: &'a Session,
    pub doing: &'a str,
    /// The COPY statement, without options.
    pub sql: &'a str,
    /// Whether the rows are written frozen, into a table that the transaction has emptied.
    pub freeze: bool,
    /// The table, for progress.
    pub label: &'a str,
}

impl CopyIn<'_> {
    /// Writes the rows of `segments` in their order; returns how many the server took.
    pub async fn write(
        &self,
        ctx: &Context,
        store: &Store,
        codec: Codec,
        segments: &[&Segment],
    ) -> Result<u64> {
        let Self { session, doing, .. } = *self;
        let begun = session.copy_in(doing, self.sql, self.freeze);
        let sink = session.answered(doing, begun).await??;
        let mut sink = std::pin::pin!(sink);
        let fetches: Vec<_> = segments.iter().map(|s| fetch(store, codec, s)).collect();
        let mut fetched = stream::iter(fetches).buffered(AHEAD);
        while let Some((rows, mut text)) = fetched.try_next().await? {
            let bytes = text.len() as u64;
            while !text.is_empty() {
                let part = text.split_to(MESSAGE.min(text.len()));
                if let Err(error) = session.answered(doing, sink.send(part)).await? {
                    // The server's own words come with the end of the COPY.
                    let told = session.answered(doing, sink.as_mut().finish()).await?;
                    return Err(from_postgres(doing, told.err().unwrap_or(error)));
                }
            }
            ctx.progress.add(self.label, rows, bytes);
        }
        let done = session.answered(doing, sink.finish()).await?;
        done.map_err(|e| from_postgres(doing, e))
    }
}

/// Named, so that the compiler sees that it may move between threads.
fn fetch<'a>(
    store: &'a Store,
    codec: Codec,
    segment: &'a Segment,
) -> BoxFuture<'a, Result<(u64, Bytes)>> {
    async move { Ok((segment.rows, fetch_rows(store, codec, segment).await?)) }.boxed()
}
