//! A project whose functions are the programs under test.

use crate::function::Function;
use crate::program::{Program, output};
use local::demo_project::DemoProject;
use local::visitor::{ADMIN, Visitor};
use rovodev::config::Settings;
use rovodev::core::manifest::{BackupType, Codec};
use rovodev::http::Service;
use rovodev::tasks::cataloged::{self, Asked, Asker, CreateBackup};
use serde_json::Value;

pub struct Platform {
    pub demo: DemoProject,
    /// An admin's.
    pub token: String,
}

impl Platform {
    pub async fn start() -> Platform {
        let mut demo = DemoProject::start(false).await.unwrap();
        if output().is_some() {
            // The functions bring their own.
            demo.variables.retain(|(name, _)| *name != "PG_DUMP");
        }
        let admin = Visitor::sign_in(&demo.project, ADMIN).await.unwrap();
        let token = admin.token().to_string();
        Platform { demo, token }
    }

    pub async fn function(&self, name: &str) -> Function {
        Function::start(Program::of(name), &self.demo.variables).await
    }

    /// With these variables, whatever the project's are.
    pub async fn function_with(&self, name: &str, more: [(&'static str, String); 2]) -> Function {
        let others = self.demo.variables.iter();
        let others = others.filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        let variables: Vec<_> = others.cloned().chain(more.iter().cloned()).collect();
        Function::start(Program::of(name), &variables).await
    }

    /// Calls the tick, as Vercel Cron does, and waits until its work is done.
    pub async fn tick(&self) {
        let tick = self.function("cron/tick").await;
        let (number, request) = tick.request("GET", "/api/cron/tick");
        let request = request.bearer_auth(self.variable("CRON_SECRET"));
        assert_eq!(request.send().await.unwrap().status(), 200);
        tick.end(number).await;
    }

    pub async fn get(&self, function: &Function, path: &str) -> Value {
        let (_, request) = function.request("GET", path);
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub fn variable(&self, name: &str) -> String {
        let mut all = self.demo.variables.iter();
        all.find(|(other, _)| *other == name).unwrap().1.clone()
    }

    /// The number of the request, and its answer of this status.
    pub async fn post(
        &self,
        function: &Function,
        path: &str,
        body: Value,
        status: u16,
    ) -> (u64, Value) {
        let (number, request) = function.request("POST", path);
        let request = request.header("content-type", "application/json");
        let request = request.bearer_auth(&self.token).body(body.to_string());
        let answer = request.send().await.unwrap();
        let (told, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(told, status, "{text}");
        (number, serde_json::from_str(&text).unwrap())
    }

    /// Asks the catalog for a backup without any function, so that its job waits; the backup's id.
    pub async fn asked_for(&self) -> String {
        let service = Service::new(Settings::of(self.demo.variables.clone())).unwrap();
        let asker = Asker {
            token: self.token.clone(),
            tenant: None,
            door: "api".into(),
            address: None,
        };
        let wanted = CreateBackup {
            kind: BackupType::Database,
            codec: Codec::Zstd,
            name: None,
            schemas: Vec::new(),
            tables: Vec::new(),
        };
        let asked = cataloged::create(service.catalog(), &asker, &wanted, None, "").await;
        match asked.unwrap() {
            Asked::Done(answer) => answer.id.to_string(),
            Asked::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    /// Whether a backup has its definitions, by the function `details`.
    pub async fn schema_of(&self, backup: &str) -> String {
        let details = self.function("backups/[id]/details").await;
        let path = format!("/api/backups/{backup}/details");
        let told = self.get(&details, &path).await;
        let schema = told["contents"]["schema"].as_str();
        schema.unwrap_or_else(|| panic!("{told}")).to_string()
    }

    /// Takes a backup by the function `create`; its id once it is completed and its invocation over.
    pub async fn backed_up(&self, body: Value) -> String {
        let create = self.function("backups/create").await;
        let (number, created) = self.post(&create, "/api/backups/create", body, 202).await;
        create.end(number).await;
        let id = created["id"].as_str().unwrap().to_string();
        let status = self.function("backups/[id]/restore/status").await;
        let path = format!("/api/backups/{id}/restore/status");
        let told = self.get(&status, &path).await;
        assert_eq!(told["status"], "completed", "{told}");
        id
    }
}
