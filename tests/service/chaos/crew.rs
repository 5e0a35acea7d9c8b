//! Who works: functions behind their ticks, and a worker; each may die.

use crate::jobs::workplace::catalog;
use http::Method;
use rovodev::config::{self, Settings};
use rovodev::http::{Service, routes};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{Workshop, work};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two deaths.
const LIVES: Duration = Duration::from_secs(5);
/// Between two ticks where nothing is due.
const PAUSE: Duration = Duration::from_secs(2);

pub struct Crew {
    settings: Settings,
    service: Service,
    functions: Vec<JoinHandle<()>>,
    ticked: Instant,
    died: Instant,
    worker: JoinHandle<()>,
    ticks: u64,
    unanswered: u64,
    killed: u64,
}

impl Crew {
    pub fn of(settings: &Settings) -> Self {
        Self {
            service: Service::new(settings.clone()).unwrap(),
            worker: worker(settings),
            settings: settings.clone(),
            functions: Vec::new(),
            ticked: Instant::now(),
            died: Instant::now(),
            ticks: 0,
            unanswered: 0,
            killed: 0,
        }
    }

    /// Where it is time for one.
    pub async fn tick_if(&mut self, due: bool) {
        if due || self.ticked.elapsed() > PAUSE {
            self.tick().await;
        }
    }

    /// Through the function itself; its work goes on behind the answer.
    pub async fn tick(&mut self) {
        let secret = self.settings.require(&config::CRON_SECRET).unwrap();
        let request = http::Request::builder()
            .method(Method::GET)
            .uri("/api/cron/tick")
            .header("authorization", format!("Bearer {secret}"))
            .body(bytes::Bytes::new())
            .unwrap();
        let answer = routes::dispatch(&self.service, request).await;
        self.ticks += 1;
        self.ticked = Instant::now();
        self.unanswered += u64::from(!answer.response.status().is_success());
        for work in answer.behind {
            self.functions.push(tokio::spawn(work));
        }
    }

    /// Every few seconds one of them: without a word, in the middle of whatever it does.
    pub fn one_dies(&mut self) {
        self.functions.retain(|function| !function.is_finished());
        if self.died.elapsed() < LIVES {
            return;
        }
        self.died = Instant::now();
        self.killed += 1;
        match self.functions.is_empty() || self.killed.is_multiple_of(2) {
            true => {
                self.worker.abort();
                self.worker = worker(&self.settings);
            }
            false => self.functions.remove(0).abort(),
        }
    }

    pub fn ends(self) -> String {
        self.worker.abort();
        self.functions.iter().for_each(JoinHandle::abort);
        self.told()
    }

    pub fn told(&self) -> String {
        format!(
            "{} ticks, {} without an answer, {} killed",
            self.ticks, self.unanswered, self.killed
        )
    }
}

fn worker(settings: &Settings) -> JoinHandle<()> {
    let settings = settings.clone();
    tokio::spawn(async move {
        let workshop = Workshop::new(&settings, catalog(&settings), None).unwrap();
        // A catalog that is down when it begins ends a worker; somebody starts it again.
        while work(&Context::default(), &workshop, 2, false)
            .await
            .is_err()
        {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    })
}
