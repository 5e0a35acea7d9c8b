//! Aligned columns for people.

use comfy_table::{CellAlignment, ContentArrangement, Table};

/// Which way a column leans: `<` text, `>` numbers.
pub struct Columns(Table);

impl Columns {
    /// `heads` are titles with their alignment in front, such as `"<Table"` or `">Rows"`.
    pub fn new(heads: &[&str]) -> Self {
        let mut table = Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(heads.iter().map(|h| &h[1..]));
        for (column, head) in table.column_iter_mut().zip(heads) {
            column.set_padding((0, 2));
            if head.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A line break inside a name would tear the table apart.
        self.0
            .add_row(cells.into_iter().map(|c| c.replace(['\n', '\r'], " ")));
    }

    /// The lines, without blanks at their ends.
    pub fn text(&self) -> String {
        self.0
            .lines()
            .map(|l| l.trim_end().to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }
}
