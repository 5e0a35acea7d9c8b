//! Runs many definitions in few round trips, and finds the one that fails.

use crate::core::manifest::Warning;
use crate::error::{Code, During, Error, Result};
use crate::ports::postgres::{Session, sqlstate};
use crate::tasks::Context;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::error::SqlState;

/// A batch is one transaction, so it must not need more locks than the server has.
const BATCH_STEPS: usize = 100;
const BATCH_BYTES: usize = 256 << 10;

/// SQL that belongs together, and what it is for people.
#[derive(Debug, Clone)]
pub struct Step {
    pub label: String,
    pub sql: String,
    pub if_refused: IfRefused,
}

/// What becomes of a restore whose step the target refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRefused {
    Stop,
    /// It goes on with a warning where the step names what the target lacks.
    TellOfMissing,
    /// It goes on with a warning.
    Tell,
    /// It goes on with a warning, but where the role may not: the platform's own is there.
    TellUnlessTheirs,
}

impl Step {
    fn may_fail(&self, error: &Error) -> bool {
        match self.if_refused {
            IfRefused::Stop => false,
            IfRefused::TellOfMissing => is_missing(error),
            IfRefused::Tell | IfRefused::TellUnlessTheirs => true,
        }
    }

    fn is_told(&self, error: &Error) -> bool {
        let theirs =
            self.if_refused == IfRefused::TellUnlessTheirs && error.code == Code::PermissionDenied;
        !theirs && !is_there_already(error)
    }
}

/// What a restore tells at its end.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Vec<Warning>>);

impl Warnings {
    pub fn add(&self, code: &str, message: impl Into<String>) {
        let warning = Warning {
            code: code.into(),
            message: message.into(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    pub fn extend(&self, more: Vec<Warning>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(more);
    }

    pub fn take(&self) -> Vec<Warning> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs the steps in order. A batch that fails is undone by the server and run again one by one.
pub async fn run(
    ctx: &Context,
    session: &Session,
    steps: &[Step],
    warnings: &Warnings,
) -> Result<()> {
    let mut rest = steps;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(batch_length(rest));
        rest = later;
        let sql = batch
            .iter()
            .map(|s| s.sql.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let work = session.batch("making definitions", &sql);
        match session.cancellable(&ctx.cancel, work).await {
            Ok(()) => {}
            Err(e) if is_final(&e) => return Err(e),
            Err(_) => one_by_one(ctx, session, batch, warnings).await?,
        }
    }
    Ok(())
}

fn batch_length(steps: &[Step]) -> usize {
    let mut bytes = 0;
    let fits = |step: &&Step| {
        bytes += step.sql.len();
        bytes <= BATCH_BYTES
    };
    let many = steps.iter().take(BATCH_STEPS).take_while(fits).count();
    many.max(1)
}

async fn one_by_one(
    ctx: &Context,
    session: &Session,
    steps: &[Step],
    warnings: &Warnings,
) -> Result<()> {
    for step in steps {
        let work = session.batch("the database refused it", &step.sql);
        match session.cancellable(&ctx.cancel, work).await {
            Err(e) if is_final(&e) => return Err(e),
            Err(e) if step.may_fail(&e) => {
                if step.is_told(&e) {
                    warnings.add("not_restored", format!("{}: {e}", step.label));
                }
            }
            done => done.during(&step.label)?,
        }
    }
    Ok(())
}

fn is_final(error: &Error) -> bool {
    matches!(
        error.code,
        Code::Cancelled | Code::ConnectionLost | Code::NoSpace | Code::LockTableFull
    )
}

/// Whether a statement failed since something that it names is not there.
pub fn is_missing(error: &Error) -> bool {
    let missing = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    sqlstate(error).is_some_and(|state| missing.contains(state))
}

fn is_there_already(error: &Error) -> bool {
    let there = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_FUNCTION,
    ];
    sqlstate(error).is_some_and(|state| there.contains(state))
}
