//! What goes wrong, and when it passes.

use crate::jobs::lines::Lines;
use crate::jobs::workplace::Workplace;
use crate::luck::Luck;
use crate::notify::receiver::{Manner, Receiver};
use crate::notify::smtp::Smtp;
use crate::proxy::{Cut, Proxy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A quarter of a minute of silence means death, and pauses before another attempt last a second.
pub async fn time_passes(place: &Workplace) {
    place
        .run(
            "SELECT pgmq.set_vt(queue, message_id, 0) FROM public.rovodev_jobs \
                 WHERE state = 'queued' OR (state = 'running' AND leased_until < now() + interval '45 seconds'); \
             UPDATE public.rovodev_jobs SET leased_until = now() \
                 WHERE state = 'running' AND leased_until < now() + interval '45 seconds'; \
             UPDATE public.rovodev_notification_deliveries SET next_attempt_at = now() \
                 WHERE state = 'waiting' AND last_attempt_at < now() - interval '15 seconds'",
        )
        .await;
}

pub struct Weather {
    stop: CancellationToken,
    blowing: JoinHandle<BTreeMap<&'static str, usize>>,
    lines: Arc<Lines>,
    _receivers: Arc<(Receiver, Receiver, Smtp)>,
}

impl Weather {
    pub fn begin(
        place: Arc<Workplace>,
        lines: Arc<Lines>,
        webhook: Receiver,
        slack: Receiver,
        smtp: Smtp,
    ) -> Self {
        let (stop, receivers) = (CancellationToken::new(), Arc::new((webhook, slack, smtp)));
        let blowing = tokio::spawn(blow(stop.clone(), place, lines.clone(), receivers.clone()));
        Self {
            stop,
            blowing,
            lines,
            _receivers: receivers,
        }
    }

    /// How often what happened.
    pub async fn clears(self) -> String {
        self.stop.cancel();
        let happened = self.blowing.await.unwrap();
        self.lines.mend().await;
        format!("{happened:?}")
    }
}

async fn blow(
    stop: CancellationToken,
    place: Arc<Workplace>,
    lines: Arc<Lines>,
    receivers: Arc<(Receiver, Receiver, Smtp)>,
) -> BTreeMap<&'static str, usize> {
    let mut luck = Luck::of(uuid::Uuid::new_v4().as_u64_pair().0);
    let mut below = |most: u64| luck.below(most);
    let mut happened = BTreeMap::new();
    let mut aged = Instant::now();
    while !stop.is_cancelled() {
        if aged.elapsed() > Duration::from_secs(1) {
            aged = Instant::now();
            time_passes(&place).await;
        }
        let lasts = Duration::from_millis(30 + below(400));
        let what = match below(14) {
            0..=2 => {
                down(&lines.store, lasts).await;
                "the store is down"
            }
            3 | 4 => {
                // Who hears nothing waits for half a minute; more of that would be a test of patience.
                let cut = match below(10) {
                    0 => Cut::Silence,
                    1..=5 => Cut::Middle,
                    _ => Cut::Answer,
                };
                some(&lines.store, cut, lasts).await;
                "the store loses answers"
            }
            5 => {
                down(&lines.source, lasts).await;
                "the database is down"
            }
            6 => {
                place.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rovodev' ORDER BY random() LIMIT 1").await;
                "a session is cut"
            }
            7 => {
                some(&lines.source, Cut::Late(lasts), lasts).await;
                "the database stalls"
            }
            8 => {
                down(&lines.catalog, lasts).await;
                "the catalog is down"
            }
            9 => {
                some(&lines.catalog, Cut::Answer, lasts).await;
                "the catalog loses answers"
            }
            _ => {
                receivers
                    .0
                    .answer([Manner::Status(500), Manner::Status(429), Manner::Hang]);
                receivers.1.answer([Manner::Status(503), Manner::Hang]);
                receivers
                    .2
                    .refuse(&["451 4.3.0 try again later\r\n", "421 4.3.2 going down\r\n"]);
                "receivers fail"
            }
        };
        *happened.entry(what).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(100 + below(900))).await;
    }
    happened
}

async fn down(line: &Proxy, lasts: Duration) {
    line.refuse().await;
    tokio::time::sleep(lasts).await;
    line.listen().await;
}

/// Every third answer.
async fn some(line: &Proxy, cut: Cut, lasts: Duration) {
    line.now(
        move |request, before| match (request.len() + before).is_multiple_of(3) {
            true => cut,
            false => Cut::Nothing,
        },
    );
    tokio::time::sleep(lasts).await;
    line.now(|_, _| Cut::Nothing);
}
