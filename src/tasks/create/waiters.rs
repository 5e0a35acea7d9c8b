//! Keeps an eye on who waits for us: a migration must not stand still because of a backup, nor the app
//! behind it.

use crate::error::{Code, Error};
use crate::ports::postgres::Session;
use crate::tasks::Context;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reports sessions that wait for a lock of `backends`; ends with [`Code::Yielded`] when one has waited
/// longer than `limit`.
pub async fn watch(ctx: &Context, session: &Session, backends: &[i32], limit: Duration) -> Error {
    let mut told = Vec::new();
    loop {
        tokio::time::sleep(LOOK_EVERY.min(limit / 2)).await;
        let asked = session
            .query(
                "looking for waiting sessions",
                "SELECT l.pid, coalesce(extract(epoch FROM clock_timestamp() - l.waitstart), 0)::float8, \
                 coalesce(l.relation::regclass::text, l.locktype) FROM pg_locks l \
                 WHERE NOT l.granted AND pg_blocking_pids(l.pid) && $1::int[]",
                &[&backends],
            )
            .await;
        let waiting = match asked {
            Ok(waiting) => waiting,
            Err(error) => return error,
        };
        for row in waiting {
            let (pid, seconds, what): (i32, f64, String) = (row.get(0), row.get(1), row.get(2));
            if seconds > limit.as_secs_f64() {
                return Error::new(
                    Code::Yielded,
                    format!(
                        "session {pid} waited {seconds:.0} s for {what}, so the backup gave way"
                    ),
                )
                .hint("Run the backup again when the migration is done.")
                .retry(true);
            }
            if !told.contains(&pid) {
                ctx.progress
                    .notice(format!("session {pid} waits for our lock on {what}"));
                told.push(pid);
            }
        }
    }
}
