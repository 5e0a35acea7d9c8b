//! Who works: functions behind their ticks, and a worker; each may die.

use crate::jobs::workplace::catalog;
use http::Method;
use rovodev::config::{self, Settings};
use rovodev::http::{Service, routes};
use rovodev::tasks::Context;
use rovodev::tasks::jobs::{Workshop, work};
use tokio::task::{JoinHandle, JoinSet};

pub struct Crew {
    settings: Settings,
    service: Service,
    functions: JoinSet<()>,
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
            functions: JoinSet::new(),
            ticks: 0,
            unanswered: 0,
            killed: 0,
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
        self.unanswered += u64::from(!answer.response.status().is_success());
        for work in answer.behind {
            self.functions.spawn(work);
        }
    }

    /// Every tenth time all functions, every fifteenth the worker: without a word, in the middle of whatever they do.
    pub async fn some_die(&mut self) {
        if self.ticks.is_multiple_of(10) {
            self.killed += self.functions.len() as u64;
            self.functions.shutdown().await;
        }
        if self.ticks.is_multiple_of(15) {
            self.killed += 1;
            self.worker.abort();
            self.worker = worker(&self.settings);
        }
    }

    pub async fn ends(mut self) -> String {
        self.worker.abort();
        self.functions.shutdown().await;
        self.told()
    }

    pub fn told(&self) -> String {
        format!("{} ticks, {} without an answer, {} killed", self.ticks, self.unanswered, self.killed)
    }
}

fn worker(settings: &Settings) -> JoinHandle<()> {
    let settings = settings.clone();
    tokio::spawn(async move {
        let workshop = Workshop::new(&settings, catalog(&settings), None).unwrap();
        // A catalog that is down when it begins ends a worker; somebody starts it again.
        while work(&Context::default(), &workshop, 2, false).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    })
}
