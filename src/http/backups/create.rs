//! `POST /api/backups/create`: asks for a backup; the work goes on behind the response.

use crate::core::manifest::{BackupType, Codec};
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::{Answer, Problem, Request, Service, query};
use crate::tasks::cataloged::{self, CreateBackup};
use crate::tasks::jobs;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default, rename = "type")]
    kind: Kind,
    /// `true` is zstd, `false` is none; or the codec's name.
    #[serde(default)]
    compress: Compress,
    name: Option<String>,
    components: Option<Vec<Component>>,
    #[serde(default)]
    schemas: Vec<String>,
    #[serde(default)]
    tables: Vec<String>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Kind {
    #[default]
    Full,
    Database,
    Config,
    /// An older way to say why; what is taken is everything.
    Scheduled,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Component {
    Database,
    Config,
    Deployment,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Compress {
    Asked(bool),
    Named(Codec),
}

impl Default for Compress {
    fn default() -> Self {
        Self::Asked(true)
    }
}

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    query::parameters(&request, &[])?;
    let key = query::idempotency_key(&request)?;
    let hash = blake3::hash(request.body()).to_hex();
    let wanted = wanted(query::body(&request)?)?;
    // What is begun must be able to go on.
    let workshop = service.workshop()?;
    let asked = cataloged::create(service.catalog(), &asker, &wanted, key, &hash).await?;
    let created = granted(asked)?;
    let place = format!("/api/backups/{}/details", created.id);
    let answer = Answer::json(StatusCode::ACCEPTED, &created).header(
        header::LOCATION,
        HeaderValue::from_str(&place).map_err(|_| Problem::internal())?,
    );
    Ok(match created.replayed {
        true => answer,
        false => answer.behind(jobs::work_on(workshop, created.job_id)),
    })
}

fn wanted(body: Body) -> Result<CreateBackup, Problem> {
    let codec = match body.compress {
        Compress::Asked(true) => Codec::Zstd,
        Compress::Asked(false) => Codec::None,
        Compress::Named(codec) => codec,
    };
    if let Some(name) = &body.name {
        crate::tasks::create::usable(name).map_err(|e| Problem::from(&e))?;
    }
    let kind = kind(body.kind, body.components.as_deref())?;
    let chosen = !body.schemas.is_empty() || !body.tables.is_empty();
    if chosen && kind == BackupType::Config {
        return Err(Problem::bad_request(
            "bad_field",
            "A backup of the configuration holds no tables to choose from.",
        ));
    }
    Ok(CreateBackup {
        kind,
        codec,
        name: body.name,
        schemas: body.schemas,
        tables: super::restore::tables(&body.tables)?,
    })
}

/// `components` says the same as `type`, more finely.
pub(in crate::http) fn kind(
    asked: Kind,
    components: Option<&[Component]>,
) -> Result<BackupType, Problem> {
    let Some(components) = components else {
        return Ok(match asked {
            Kind::Full | Kind::Scheduled => BackupType::Full,
            Kind::Database => BackupType::Database,
            Kind::Config => BackupType::Config,
        });
    };
    let has = |c| components.contains(&c);
    match (
        has(Component::Database),
        has(Component::Config) || has(Component::Deployment),
    ) {
        (true, true) => Ok(BackupType::Full),
        (true, false) => Ok(BackupType::Database),
        (false, true) => Ok(BackupType::Config),
        (false, false) => Err(Problem::bad_request(
            "bad_field",
            "components names nothing to back up.",
        )),
    }
}
