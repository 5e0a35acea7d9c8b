//! A backup as one compressed script for `psql`.

use super::ddl::Ddl;
use super::frames::frame;
use super::layout::{Layout, Rows};
use super::script;
use crate::core::manifest::{Codec, Manifest};
use crate::error::Result;

pub async fn layout(manifest: &Manifest, ddl: &Ddl, codec: Codec) -> Result<Layout> {
    let mut layout = Layout::new(Rows::Frames(codec), !ddl.is_whole());
    layout.text(frame(codec, script::before_rows(manifest, ddl)).await?);
    let end = frame(codec, "\\.\n\n").await?;
    for (number, table) in manifest.tables.iter().enumerate() {
        if table.rows == 0 {
            continue;
        }
        let copy = format!("COPY {} FROM stdin;\n", script::copy_target(table));
        let copy = script::before_copy(table) + &copy;
        layout.text(frame(codec, copy).await?);
        layout.table(number, table);
        layout.text(end.clone());
        if table.platform {
            layout.text(frame(codec, script::after_copy(table)).await?);
        }
    }
    layout.text(frame(codec, script::after_rows(manifest, ddl)).await?);
    Ok(layout)
}
