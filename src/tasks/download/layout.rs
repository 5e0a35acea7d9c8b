//! The parts that make up a file, in order: what is known before the first row is read.

use super::csv;
use super::frames::{Counted, recoded};
use crate::core::manifest::{Codec, Manifest, Object, Segment, Table};
use crate::core::progress::Stage;
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::{explained, fetch_object, fetch_rows, fetch_stored};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::ops::Range;
use tokio::io::AsyncWrite;

/// Parts fetched ahead; a segment is a few megabytes.
const AHEAD: usize = 4;

/// A file of one manifest, as places in it: it must be written with that same manifest.
pub struct Layout {
    parts: Vec<Part>,
    rows: Rows,
    rows_only: bool,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// As frames of this codec.
    Frames(Codec),
    Csv,
}

#[derive(Clone)]
pub(super) enum Part {
    Text(Bytes),
    Segment(Place),
    /// A configuration file, by its number.
    File(usize),
}

/// A segment, by the numbers of its table, its range and itself: a large backup has a hundred thousand.
#[derive(Clone, Copy)]
pub(super) struct Place(u32, u32, u32);

impl Layout {
    pub(super) fn new(rows: Rows, rows_only: bool) -> Self {
        Self {
            parts: Vec::new(),
            rows,
            rows_only,
        }
    }

    pub(super) fn text(&mut self, text: impl Into<Bytes>) {
        let text = text.into();
        if !text.is_empty() {
            self.parts.push(Part::Text(text));
        }
    }

    pub(super) fn file(&mut self, number: usize) {
        self.parts.push(Part::File(number));
    }

    /// The rows of the table of that number.
    pub(super) fn table(&mut self, number: usize, table: &Table) {
        for (range, r) in (0..).zip(&table.ranges) {
            for (segment, _) in (0..).zip(&r.segments) {
                let place = Place(number as u32, range, segment);
                self.parts.push(Part::Segment(place));
            }
        }
    }

    /// The file holds no table definitions.
    pub fn rows_only(&self) -> bool {
        self.rows_only
    }

    /// Bytes of the whole file, where they are known before it is made: what is stored is copied then.
    pub fn length(&self, manifest: &Manifest) -> Option<u64> {
        self.parts.iter().map(|p| self.size(p, manifest)).sum()
    }

    /// Equal for equal files, as far as their bytes are known beforehand.
    pub fn digest(&self, manifest: &Manifest) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(manifest.id.as_bytes());
        for part in &self.parts {
            match part {
                Part::Text(text) => hash.update(text),
                Part::Segment(place) => match place.find(manifest) {
                    Some((_, segment)) => hash.update(segment.stored_hash.as_bytes()),
                    None => &mut hash,
                },
                Part::File(number) => match object(manifest, *number) {
                    Some(object) => hash.update(object.stored_hash.as_bytes()),
                    None => &mut hash,
                },
            };
        }
        hash.finalize().to_hex()[..32].to_string()
    }

    fn size(&self, part: &Part, manifest: &Manifest) -> Option<u64> {
        match part {
            Part::Text(text) => Some(text.len() as u64),
            Part::Segment(place) => place
                .find(manifest)
                .filter(|_| self.rows == Rows::Frames(manifest.codec))
                .map(|(_, segment)| segment.stored_bytes),
            Part::File(number) => object(manifest, *number).map(|o| o.raw_bytes),
        }
    }

    /// Writes the file, or the bytes of it in `range`, in constant memory; returns the bytes written. A range needs a
    /// known [`Layout::length`].
    pub async fn write<W: AsyncWrite + Unpin + Send>(
        &self,
        ctx: &Context,
        store: &Store,
        manifest: &Manifest,
        range: Option<Range<u64>>,
        out: &mut W,
    ) -> Result<u64> {
        ctx.progress.stage(Stage::Rows, manifest.totals.raw_bytes);
        let written = self.write_parts(ctx, store, manifest, range, out).await;
        written.map_err(|e| explained(e, manifest, None))
    }

    async fn write_parts<W: AsyncWrite + Unpin + Send>(
        &self,
        ctx: &Context,
        store: &Store,
        manifest: &Manifest,
        range: Option<Range<u64>>,
        out: &mut W,
    ) -> Result<u64> {
        let mut out = Counted::new(out);
        let mut parts = stream::iter(self.within(manifest, range)?)
            .map(|(part, cut)| async move {
                let bytes = self.fetch(store, manifest, &part).await?;
                Ok::<_, Error>((part, cut.of(&bytes)))
            })
            .buffered(AHEAD);
        while let Some((part, bytes)) = ctx.or_cancelled(parts.try_next()).await? {
            ctx.or_cancelled(out.write(&bytes)).await?;
            if let Part::Segment(place) = part
                && let Some((table, segment)) = place.find(manifest)
            {
                let name = table.name.to_string();
                ctx.progress.add(&name, segment.rows, segment.raw_bytes);
            }
        }
        out.finish().await
    }

    /// The parts that hold something of `range`, and what of each.
    fn within(&self, manifest: &Manifest, range: Option<Range<u64>>) -> Result<Vec<(Part, Cut)>> {
        let Some(range) = range else {
            return Ok(self.parts.iter().map(|p| (p.clone(), Cut::WHOLE)).collect());
        };
        let mut found = Vec::new();
        let mut at = 0;
        for part in &self.parts {
            let size = self.size(part, manifest).ok_or_else(|| {
                Error::new(
                    Code::Usage,
                    "a part of a file of unknown length was asked for",
                )
            })?;
            let (start, end) = (range.start.max(at), range.end.min(at + size));
            if start < end {
                let (from, to) = (start - at, end - at);
                found.push((part.clone(), Cut { from, to }));
            }
            at += size;
        }
        Ok(found)
    }

    async fn fetch(&self, store: &Store, manifest: &Manifest, part: &Part) -> Result<Bytes> {
        let stale = || Error::new(Code::Internal, "the file was laid out for another backup");
        match part {
            Part::Text(text) => Ok(text.clone()),
            Part::File(number) => {
                fetch_object(store, object(manifest, *number).ok_or_else(stale)?).await
            }
            Part::Segment(place) => {
                let (_, segment) = place.find(manifest).ok_or_else(stale)?;
                match self.rows {
                    Rows::Frames(to) => {
                        let stored = fetch_stored(store, manifest.codec, segment).await?;
                        recoded(manifest.codec, to, stored, segment.raw_bytes).await
                    }
                    Rows::Csv => csv::of(fetch_rows(store, manifest.codec, segment).await?).await,
                }
            }
        }
    }
}

impl Place {
    fn find(self, manifest: &Manifest) -> Option<(&Table, &Segment)> {
        let table = manifest.tables.get(self.0 as usize)?;
        let range = table.ranges.get(self.1 as usize)?;
        Some((table, range.segments.get(self.2 as usize)?))
    }
}

fn object(manifest: &Manifest, number: usize) -> Option<&Object> {
    manifest.config.get(number).map(|f| &f.object)
}

/// The bytes of a part that are wanted.
struct Cut {
    from: u64,
    to: u64,
}

impl Cut {
    const WHOLE: Self = Self {
        from: 0,
        to: u64::MAX,
    };

    fn of(&self, bytes: &Bytes) -> Bytes {
        let within = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
        bytes.slice(within(self.from)..within(self.to))
    }
}
