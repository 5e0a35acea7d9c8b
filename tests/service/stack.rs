//! One project for all tests of this binary, and calls as its people.

use local::lite::Lite;
use local::postgres::Postgres;
use local::project::{Project, ProjectKeys};
use local::stack::{Parts, Stack};
use local::template::Contents;
use local::{demo_project, supabase};
use rovodev::config::Settings;
use serde_json::{Value, json};

/// The servers, their project, and a client.
pub struct Running {
    // Stops before its database.
    lite: Option<Lite>,
    pub project: Project,
    pub stack: Stack,
    /// Of the functions, and of workers beside them.
    pub variables: Vec<(&'static str, String)>,
    http: reqwest::Client,
}

/// A person of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    Admin,
    Operator,
    Viewer,
    /// Admin of the tenant whose scope is one organization.
    Customer,
    CustomerOperator,
    CustomerViewer,
    /// Signed up in the app and in no tenant.
    Stranger,
}

impl Person {
    pub fn email(self) -> &'static str {
        match self {
            Person::Admin => "admin@callcenter.example",
            Person::Operator => "operator@callcenter.example",
            Person::Viewer => "viewer@callcenter.example",
            Person::Customer => "olga.petrova@northwind-dental.example",
            Person::CustomerOperator => "james.oneill@northwind-dental.example",
            Person::CustomerViewer => "mia.chen@northwind-dental.example",
            Person::Stranger => "sofia.garcia@harbor-homes.example",
        }
    }
}

/// Serves the dashboard besides the functions' own host.
pub const DASHBOARD: &str = "https://app.example/backups";
pub const ALLOWED_ORIGIN: &str = "https://dashboard.example";
const JWT_SECRET: &str = "of-a-project-that-was-made-years-ago";
pub const CRON_SECRET: &str = "a-secret-that-is-long-enough";

impl Running {
    pub async fn start() -> Self {
        Self::up("", false, &[]).await
    }

    /// With settings of the functions besides the usual ones.
    pub async fn start_with(more: &[(&'static str, String)]) -> Self {
        Self::up("", false, more).await
    }

    /// `prepare` is run by the superuser before anything is made in the database.
    pub async fn start_after(prepare: &str) -> Self {
        Self::up(prepare, false, &[]).await
    }

    /// With a second PostgREST, in a project that signs tokens with a shared secret.
    pub async fn start_on_lite() -> Self {
        Self::up("", true, &[]).await
    }

    async fn up(prepare: &str, on_lite: bool, more: &[(&'static str, String)]) -> Self {
        let contents = match prepare {
            "" => Contents::Demo,
            _ => Contents::Project,
        };
        let parts = Parts {
            contents,
            ..Parts::default()
        };
        let stack = Stack::start(parts).await.unwrap();
        let postgres: &Postgres = &stack.postgres;
        if contents == Contents::Project {
            let admin = supabase::connect(&postgres.url("postgres")).await.unwrap();
            admin.batch_execute(prepare).await.unwrap();
            demo_project::furnish(postgres).await.unwrap();
        }
        stack.s3.create_bucket("backups").unwrap();
        let keys = ProjectKeys::random().unwrap();
        let port = local::port::free().unwrap();
        let lite = match on_lite {
            true => Some(Lite::start(&stack, &keys, JWT_SECRET).await.unwrap()),
            false => None,
        };
        let own = format!("http://127.0.0.1:{port}");
        let supabase_url = lite.as_ref().map_or(own, Lite::url);
        let jwt_secret = lite.as_ref().map_or("", |_| JWT_SECRET);
        let credentials = stack.s3.credentials();
        let mut variables = vec![
            ("DATABASE_URL", postgres.owner_url("postgres")),
            ("BACKUP_STORE", "s3://backups".into()),
            ("STORE_KEY", "ab".repeat(32)),
            ("AWS_ACCESS_KEY_ID", credentials.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret.clone()),
            ("S3_ENDPOINT", stack.s3.endpoint()),
            ("SUPABASE_URL", supabase_url),
            ("SUPABASE_JWT_SECRET", jwt_secret.into()),
            ("SUPABASE_PUBLISHABLE_KEY", keys.publishable.clone()),
            ("SUPABASE_SECRET_KEY", keys.secret.clone()),
            ("CRON_SECRET", CRON_SECRET.into()),
            ("ALLOWED_ORIGINS", ALLOWED_ORIGIN.into()),
            ("ROVODEV_DASHBOARD_URL", DASHBOARD.into()),
            (
                "PG_DUMP",
                postgres.binaries().pg_dump().display().to_string(),
            ),
        ];
        variables.extend_from_slice(more);
        let settings = Settings::of(variables.clone());
        let project = Project::start(postgres, keys, Some(port), Some(settings))
            .await
            .unwrap();
        Self {
            lite,
            project,
            stack,
            variables,
            http: rovodev::ports::web::client().unwrap(),
        }
    }

    /// A session of the database's owner.
    pub async fn owner(&self) -> tokio_postgres::Client {
        let url = self.stack.postgres.owner_url("postgres");
        supabase::connect(&url).await.unwrap()
    }

    /// An access token.
    pub async fn sign_in(&self, person: Person) -> String {
        if let Some(lite) = &self.lite {
            return self.signed(person, &lite.url()).await;
        }
        let url = format!("{}/auth/v1/token?grant_type=password", self.project.url());
        let body = json!({ "email": person.email(), "password": "demo-password" });
        let answer: Value = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .map(|t| serde_json::from_str(&t).unwrap())
            .unwrap();
        answer["access_token"].as_str().unwrap().to_string()
    }

    /// A token of a project that answers at another address than its own.
    pub async fn signed_for(&self, person: Person, project: &str) -> String {
        let claims = self.claims(person, project).await;
        self.project.keys().sign(&claims).unwrap()
    }

    /// A token that is good for so many seconds.
    pub async fn expiring(&self, person: Person, seconds: i64) -> String {
        let mut claims = self.claims(person, &self.project.url()).await;
        claims["exp"] = json!(chrono::Utc::now().timestamp() + seconds);
        self.project.keys().sign(&claims).unwrap()
    }

    async fn claims(&self, person: Person, project: &str) -> Value {
        let sql = "SELECT id::text FROM auth.users WHERE email = $1";
        let email = person.email();
        let row = self.owner().await.query_one(sql, &[&email]).await.unwrap();
        json!({
            "iss": format!("{project}/auth/v1"), "aud": "authenticated", "role": "authenticated",
            "sub": row.get::<_, String>(0), "email": email, "exp": chrono::Utc::now().timestamp() + 3600,
        })
    }

    /// A token as a project with a shared secret makes it.
    async fn signed(&self, person: Person, project: &str) -> String {
        let claims = self.claims(person, project).await;
        let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    }

    /// As in `SUPABASE_URL`.
    pub fn supabase_url(&self) -> String {
        let own = || self.project.url();
        self.lite.as_ref().map_or_else(own, Lite::url)
    }

    /// A session with the rights of the database's superuser.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        supabase::connect(&self.stack.postgres.url("postgres"))
            .await
            .unwrap()
    }

    /// A backup that is asked for and completed; its id.
    pub async fn backed_up(&self, token: &str, body: Value) -> String {
        let (status, created) = self
            .call(token, "POST", "/api/backups/create", Some(body))
            .await;
        assert_eq!(status, 202, "{created}");
        let id = created["id"].as_str().unwrap().to_string();
        let path = format!("/api/backups/{id}/restore/status");
        let ended = self.ended(token, &path).await;
        assert_eq!(ended["status"], "completed", "{ended}");
        id
    }

    /// A schedule that is made; its id.
    pub async fn scheduled(&self, token: &str, body: Value) -> String {
        let (status, made) = self.call(token, "POST", "/api/schedules", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_string()
    }

    /// A function of the catalog, asked as a person without any of ours between.
    pub async fn rpc(&self, token: &str, function: &str, arguments: Value) -> Value {
        let answer = self
            .request("POST", &format!("/rest/v1/rpc/{function}"))
            .header("apikey", &self.project.keys().publishable)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(arguments.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{function}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Outcome and code of what the audit log holds of an action, in order.
    pub async fn audited(&self, action: &str) -> Vec<(String, Option<String>)> {
        let rows = self
            .superuser()
            .await
            .query(
                "SELECT outcome, code FROM public.rovodev_audit_log WHERE action = $1 ORDER BY id",
                &[&action],
            )
            .await
            .unwrap();
        rows.iter().map(|r| (r.get(0), r.get(1))).collect()
    }

    /// By any address: one of ours, or a link into the store.
    pub fn follow(&self, url: &str) -> reqwest::RequestBuilder {
        match url.starts_with('/') {
            true => self.request("GET", url),
            false => self.http.get(url),
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let host = match path.starts_with("/rest/v1") {
            true => self.supabase_url(),
            false => self.project.url(),
        };
        let url = format!("{host}{path}");
        self.http.request(method.parse().unwrap(), url)
    }

    /// Status and JSON of a call with a token.
    /// What health tells once all is well: on a busy machine a look may take longer than the second that it has.
    pub async fn well(&self, token: &str) -> Value {
        let mut told = Value::Null;
        for _ in 0..100 {
            told = self.call(token, "GET", "/api/status/health", None).await.1;
            if told["healthy"] == true {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{told}");
    }

    pub async fn call(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    /// Waits until a backup or its newest restore has ended, and returns its status.
    pub async fn ended(&self, token: &str, path: &str) -> Value {
        for _ in 0..600 {
            let (status, told) = self.call(token, "GET", path, None).await;
            assert_eq!(status, 200, "{told}");
            if ["completed", "failed", "cancelled", "expired"]
                .contains(&told["status"].as_str().unwrap())
            {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{path} did not end within a minute");
    }
}
