//! A tenant's backups, page by page, newest first.

use super::Service;
use rovodev::error::Result;
use rovodev::tasks::operators::BackupRow;

/// The largest page that a deployment answers.
const LARGEST: usize = 200;

pub struct Pages<'a> {
    service: &'a Service,
    size: usize,
    seen: usize,
    /// Where a deployment goes on; none where there is no page after this.
    cursor: Option<String>,
    ended: bool,
    /// Backups on all pages; known after the first.
    pub total: u64,
}

impl<'a> Pages<'a> {
    pub fn new(service: &'a Service, size: usize) -> Self {
        Self {
            service,
            size: size.clamp(1, LARGEST),
            seen: 0,
            cursor: None,
            ended: false,
            total: 0,
        }
    }

    /// Empty at the end.
    pub async fn next(&mut self) -> Result<Vec<BackupRow>> {
        if self.ended {
            return Ok(Vec::new());
        }
        let rows = match self.service {
            Service::Catalog(workplace) => {
                let (total, rows) = workplace.operator.backups(self.size, self.seen).await?;
                self.total = total;
                self.ended = rows.len() < self.size;
                rows
            }
            Service::Deployment(deployment) => {
                let page = deployment.page(self.size, self.cursor.as_deref()).await?;
                self.total = page.total;
                self.cursor = page.next_cursor;
                self.ended = self.cursor.is_none();
                page.backups
            }
        };
        self.seen += rows.len();
        Ok(rows)
    }

    /// The first `limit` backups.
    pub async fn first(&mut self, limit: usize) -> Result<Vec<BackupRow>> {
        Ok(self.first_of(limit, |_| true).await?.0)
    }

    /// The first `limit` of those that are wanted, and how many others came before the last of them.
    pub async fn first_of(
        &mut self,
        limit: usize,
        wanted: impl Fn(&BackupRow) -> bool,
    ) -> Result<(Vec<BackupRow>, usize)> {
        let (mut all, mut passed_over) = (Vec::new(), 0);
        while all.len() < limit {
            let page = self.next().await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                match wanted(&row) {
                    _ if all.len() == limit => break,
                    true => all.push(row),
                    false => passed_over += 1,
                }
            }
        }
        Ok((all, passed_over))
    }
}
