//! Schedules of a deployment.

use super::Deployment;
use super::client::Repeat;
use reqwest::Method;
use rovodev::error::Result;
use rovodev::tasks::cataloged::{ScheduleRun, Schedules};
use rovodev::tasks::schedules::{Preview, Schedule, Wanted};
use serde_json::json;
use uuid::Uuid;

const PATH: &str = "/api/schedules";

impl Deployment {
    /// Oldest first.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        let call = self.0.call(Method::GET, PATH, None, Repeat::Safely);
        let listed: Schedules = call.await?;
        Ok(listed.schedules)
    }

    pub async fn create_schedule(&self, wanted: &Wanted) -> Result<Schedule> {
        let body = json!(wanted);
        self.0
            .call(Method::POST, PATH, Some(&body), Repeat::Unsent)
            .await
    }

    pub async fn change_schedule(&self, id: Uuid, change: &Wanted) -> Result<Schedule> {
        let (path, body) = (one(id), json!(change));
        self.0
            .call(Method::PATCH, &path, Some(&body), Repeat::Safely)
            .await
    }

    pub async fn delete_schedule(&self, id: Uuid) -> Result<()> {
        self.0
            .call(Method::DELETE, &one(id), None, Repeat::Unsent)
            .await
    }

    /// Begins a backup of the schedule.
    pub async fn run_schedule(&self, id: Uuid) -> Result<ScheduleRun> {
        let body = json!({ "runNow": id });
        self.0
            .call(Method::POST, PATH, Some(&body), Repeat::Unsent)
            .await
    }

    /// A new secret to run the schedule by.
    pub async fn make_hook(&self, id: Uuid) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Made {
            secret: String,
        }
        let body = json!({ "makeHook": id });
        let made: Made = self
            .0
            .call(Method::POST, PATH, Some(&body), Repeat::Unsent)
            .await?;
        Ok(made.secret)
    }

    pub async fn remove_hook(&self, id: Uuid) -> Result<()> {
        let body = json!({ "removeHook": id });
        self.0
            .call(Method::POST, PATH, Some(&body), Repeat::Safely)
            .await
    }

    pub async fn preview_retention(&self, id: Uuid) -> Result<Preview> {
        let path = format!("{}&preview=retention", one(id));
        self.0.call(Method::GET, &path, None, Repeat::Safely).await
    }
}

fn one(id: Uuid) -> String {
    format!("{PATH}?id={id}")
}
