//! With a catalog: what is asked for goes into its queue, and this process works on it.

use crate::args::Common;
use crate::progress::{self, Style};
use rovodev::config::Settings;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::store::Store;
use rovodev::tasks::Context;
use rovodev::tasks::jobs::Workshop;
use rovodev::tasks::operators::{Job, NewRestore, Operator, RestoreRow, carry_out};
use rovodev::tasks::places;
use uuid::Uuid;

/// The catalog, and what a job needs.
pub struct Workplace {
    pub operator: Operator,
    pub store: Store,
    pub workshop: Workshop,
}

impl Workplace {
    pub fn new(operator: Operator, settings: &Settings) -> Result<Self> {
        let workshop = Workshop::new(settings, operator.catalog().clone(), None)?;
        Ok(Self {
            operator,
            store: places::shared_store(settings)?,
            workshop,
        })
    }

    /// Works on a job with its progress shown, until it is over.
    pub async fn carry_out(&self, workshop: &Workshop, common: &Common, job: Job) -> Result<()> {
        let style = Style::choose(common.json, common.progress);
        progress::shown(style, async |ctx: &Context| {
            Box::pin(carry_out(ctx, &self.operator, workshop, job)).await
        })
        .await
    }

    /// Asks for work and does it. Ctrl-C has its meaning from before anything is asked for.
    pub async fn ask_and_carry_out(
        &self,
        workshop: &Workshop,
        common: &Common,
        ask: impl Future<Output = Result<Job>>,
    ) -> Result<Job> {
        let style = Style::choose(common.json, common.progress);
        progress::shown(style, async |ctx: &Context| {
            let job = ask.await?;
            Box::pin(carry_out(ctx, &self.operator, workshop, job)).await?;
            Ok(job)
        })
        .await
    }

    /// Asks for a restore, works on it, and answers how it ended.
    pub async fn restored(
        &self,
        workshop: &Workshop,
        common: &Common,
        backup: Uuid,
        request: &NewRestore,
    ) -> Result<RestoreRow> {
        let ask = self.operator.restore(backup, request);
        let job = self.ask_and_carry_out(workshop, common, ask).await?;
        let Job::Restore { operation, .. } = job else {
            return Err(Error::new(Code::Internal, "a restore that is none"));
        };
        let row = self.operator.restores(Some(operation)).await?.pop();
        row.ok_or_else(|| {
            Error::new(
                Code::OperationNotFound,
                "the restore's row is gone from the catalog",
            )
        })
    }
}
