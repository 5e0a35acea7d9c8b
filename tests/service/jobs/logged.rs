//! Every line of the log about a job says which backup and which operation it is about.

use super::workplace::Workplace;
use rovodev::tasks::Context;
use rovodev::tasks::jobs::work_off;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::instrument::WithSubscriber;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_job_carry_its_ids() {
    let place = Workplace::start().await;
    let log = Log::default();
    let writer = log.clone();
    // As the functions write it.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    let backup = place.ask_for_backup().await.id;
    let workshop = place.workshop();
    let restore = async {
        work_off(&workshop, &Context::default()).await.unwrap();
        let operation = place.ask_for_restore(backup).await.operation_id;
        work_off(&workshop, &Context::default()).await.unwrap();
        operation
    };
    let operation = restore.with_subscriber(subscriber).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    // Beside these, the safety backup that was not needed goes.
    let over = |line: &&Value| {
        line["fields"]["message"] == "the job is over"
            && line["span"]["backup"] == backup.to_string()
    };
    let over: Vec<&Value> = lines.iter().filter(over).collect();
    assert_eq!(over.len(), 2, "{text}");
    assert_eq!(
        over[1]["span"]["operation"],
        operation.to_string(),
        "{text}"
    );
}
