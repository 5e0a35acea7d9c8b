//! Aligned columns for people. On a terminal they fit it: one column gives way, and then some are left out.

use crate::{human, width};
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// Between two columns.
const GAP: usize = 2;

/// Which way a column leans: `<` text, `>` numbers.
pub struct Columns {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// What is shortened in its middle, and to how many characters at least.
    giving_way: Option<(usize, usize)>,
    /// What is left out where that is not enough, the first first.
    expendable: &'static [usize],
}

impl Columns {
    /// `heads` are titles with their alignment in front, such as `"<Table"` or `">Rows"`.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
            giving_way: None,
            expendable: &[],
        }
    }

    /// The column that is shortened on a narrow terminal, to `least` characters.
    pub fn giving_way(mut self, column: usize, least: usize) -> Self {
        self.giving_way = Some((column, least));
        self
    }

    /// Columns that a narrow terminal does without, in this order.
    pub fn expendable(mut self, columns: &'static [usize]) -> Self {
        self.expendable = columns;
        self
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A line break inside a name would tear the table apart.
        let cells = cells.into_iter().map(|c| c.replace(['\n', '\r'], " "));
        self.rows.push(cells.collect());
    }

    /// The lines, without blanks at their ends.
    pub fn text(&self) -> String {
        self.fitted(width::of_stdout())
    }

    fn fitted(&self, columns: Option<usize>) -> String {
        let widths: Vec<usize> = (0..self.heads.len()).map(|c| self.width(c)).collect();
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        let mut room = usize::MAX;
        if let (Some(columns), Some((column, least))) = (columns, self.giving_way) {
            let others = |shown: &[usize]| -> usize {
                let others = shown.iter().filter(|c| **c != column);
                others.map(|c| widths[*c] + GAP).sum()
            };
            let least = least.min(widths[column]);
            for expendable in self.expendable {
                if others(&shown) + least > columns {
                    shown.retain(|c| c != expendable);
                }
            }
            room = columns.saturating_sub(others(&shown)).max(least);
        }
        let cell = |row: &[String], column: usize| match self.giving_way {
            Some((giving, _)) if giving == column => human::middle_cut(&row[column], room),
            _ => row[column].clone(),
        };
        let rows = self.rows.iter();
        let cells: Vec<Vec<String>> = rows
            .map(|row| shown.iter().map(|c| cell(row, *c)).collect())
            .collect();
        let heads: Vec<&str> = shown.iter().map(|c| self.heads[*c]).collect();
        drawn(&heads, cells)
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].chars().count());
        let head = self.heads[column].chars().count() - 1;
        cells.chain([head]).max().unwrap_or(head)
    }
}

fn drawn(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heads.iter().map(|h| &h[1..]));
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, GAP as u16));
        if head.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.add_rows(rows);
    let lines = table.lines().map(|l| l.trim_end().to_string());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::Columns;

    fn table() -> Columns {
        let mut table = Columns::new(&["<Id", "<Name", ">Size", "<Note"])
            .giving_way(1, 8)
            .expendable(&[2]);
        let row = ["1234", "backup_2026-11-22_04-10-33", "10 MiB", "partial"];
        table.row(row.map(String::from));
        table
    }

    #[test]
    fn one_column_gives_way_then_another_is_left_out() {
        let table = table();
        let widest = |columns| {
            let text = table.fitted(columns);
            text.lines().map(|l| l.chars().count()).max().unwrap_or(0)
        };
        assert_eq!(widest(None), 49);
        assert_eq!((widest(Some(49)), widest(Some(48))), (49, 48));
        assert!(table.fitted(Some(40)).contains("backup_2…04-10-33"));
        assert!(!table.fitted(Some(30)).contains("MiB"));
        assert!(widest(Some(30)) <= 30);
        assert!(table.fitted(Some(30)).contains("partial"));
    }
}
