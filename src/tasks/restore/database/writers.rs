//! Several connections that share a queue of jobs.

use crate::core::ident::QName;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{DatabaseUrl, Identity, Purpose, Session};
use crate::tasks::Context;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

pub struct Writers(Vec<Session>);

/// How a job locks a table against other jobs, as its statement does in the server: a session that waited there
/// would be idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Shared,
    Exclusive,
}

pub struct Job<T> {
    pub work: T,
    pub locks: Vec<(QName, Lock)>,
}

impl Writers {
    pub async fn connect(
        url: &DatabaseUrl,
        count: usize,
        expected: &Identity,
        settings: &str,
    ) -> Result<Self> {
        // The coordinator was let in; what is set by now came with the restored definitions.
        let url = &url.clone().even_read_only();
        let mut sessions = Vec::with_capacity(count.max(1));
        for _ in 0..count.max(1) {
            let session = Session::connect_same(url, Purpose::Write, expected).await?;
            session.batch("preparing a session", settings).await?;
            sessions.push(session);
        }
        Ok(Self(sessions))
    }

    pub fn first(&self) -> &Session {
        &self.0[0]
    }

    /// Takes the jobs in their order. The first failure stops the others.
    pub async fn run<T>(
        &self,
        ctx: &Context,
        jobs: Vec<Job<T>>,
        work: impl AsyncFn(&Context, &Session, T) -> Result<()>,
    ) -> Result<()> {
        let queue = Queue::new(jobs);
        let ctx = ctx.part();
        let worker = async |session: &Session| {
            while let Some(job) = queue.take().await {
                ctx.check()?;
                let done = work(&ctx, session, job.work).await;
                queue.release(&job.locks);
                done.inspect_err(|_| ctx.cancel.cancel())?;
            }
            Ok(())
        };
        let results = join_all(self.0.iter().map(worker)).await;
        let mut failures: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
        failures.sort_by_key(|e| e.code == Code::Cancelled);
        failures.into_iter().next().map_or(Ok(()), Err)
    }
}

struct Queue<T> {
    state: Mutex<State<T>>,
    released: Notify,
}

struct State<T> {
    jobs: Vec<Job<T>>,
    /// Holders per table; `usize::MAX` is one exclusive holder.
    held: BTreeMap<QName, usize>,
}

impl<T> Queue<T> {
    fn new(jobs: Vec<Job<T>>) -> Self {
        let held = BTreeMap::new();
        Self {
            state: Mutex::new(State { jobs, held }),
            released: Notify::new(),
        }
    }

    /// The first job that no running one excludes; `None` when all are taken.
    async fn take(&self) -> Option<Job<T>> {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.jobs.is_empty() {
                    return None;
                }
                let free = state.jobs.iter().position(|job| state.allows(&job.locks));
                if let Some(at) = free {
                    let job = state.jobs.remove(at);
                    state.hold(&job.locks);
                    return Some(job);
                }
            }
            released.await;
        }
    }

    fn release(&self, locks: &[(QName, Lock)]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, lock) in locks {
            match (lock, state.held.get_mut(table)) {
                (Lock::Shared, Some(held)) if *held > 1 => *held -= 1,
                _ => {
                    state.held.remove(table);
                }
            }
        }
        drop(state);
        self.released.notify_waiters();
    }
}

impl<T> State<T> {
    fn allows(&self, locks: &[(QName, Lock)]) -> bool {
        locks
            .iter()
            .all(|(table, lock)| match self.held.get(table) {
                None => true,
                Some(&held) => *lock == Lock::Shared && held != usize::MAX,
            })
    }

    fn hold(&mut self, locks: &[(QName, Lock)]) {
        for (table, lock) in locks {
            let held = self.held.entry(table.clone()).or_default();
            *held = match lock {
                Lock::Shared => *held + 1,
                Lock::Exclusive => usize::MAX,
            };
        }
    }
}
