//! What `init` does for the catalog and the deployment: each step may be done again, and says whether it changed
//! anything.

use super::InitArgs;
use crate::ask;
use crate::service::actor;
use rovodev::config::{self, Settings, Variable};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::vercel::Vercel;
use rovodev::ports::web;
use rovodev::tasks::Context;
use rovodev::tasks::init::{self, bucket, catalog, minutely, vercel};
use serde::Serialize;
use std::time::Duration;
use url::Url;

const VERCEL_JSON: &str = "vercel.json";

/// What the functions on Vercel are told; those that are set, in this order.
const ON_VERCEL: &[Variable] = &[
    config::DATABASE_URL,
    config::BACKUP_STORE,
    config::STORE_KEY,
    config::AWS_ACCESS_KEY_ID,
    config::AWS_SECRET_ACCESS_KEY,
    config::AWS_REGION,
    config::S3_ENDPOINT,
    config::S3_FORCE_PATH_STYLE,
    config::SUPABASE_URL,
    config::SUPABASE_PUBLISHABLE_KEY,
    config::SUPABASE_SECRET_KEY,
    config::SUPABASE_JWT_SECRET,
    config::CRON_SECRET,
    config::VERCEL_WEBHOOK_SECRET,
    config::VERCEL_TOKEN,
    config::APP_PROJECT_ID,
    config::VERCEL_TEAM_ID,
    config::METRICS_SECRET,
];

/// Of these, what not every project has.
const RARE: &[Variable] = &[
    config::SUPABASE_JWT_SECRET,
    config::S3_ENDPOINT,
    config::S3_FORCE_PATH_STYLE,
    config::VERCEL_WEBHOOK_SECRET,
    config::VERCEL_TOKEN,
    config::APP_PROJECT_ID,
    config::VERCEL_TEAM_ID,
    config::METRICS_SECRET,
];

/// One thing that was done, or found done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub name: &'static str,
    pub changed: bool,
    pub message: String,
}

/// A variable to be set on Vercel.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnVercel {
    pub name: &'static str,
    pub secret: bool,
    pub set: bool,
}

/// Whether somebody keeps a catalog.
pub fn is_wanted(settings: &Settings) -> bool {
    settings.get(&config::SUPABASE_URL).is_some()
}

/// Keys that nobody has yet: what Vercel Cron shows.
pub fn with_cron_secret(settings: Settings) -> Settings {
    match is_wanted(&settings) && settings.get(&config::CRON_SECRET).is_none() {
        true => settings.flag(&config::CRON_SECRET, Some(init::new_store_key())),
        false => settings,
    }
}

/// Makes the bucket where it is missing and somebody agrees.
pub async fn make_bucket(
    args: &InitArgs,
    settings: &Settings,
    person: bool,
    limit: Duration,
) -> Result<Option<Step>> {
    let Some(store) = bucket::missing(settings, limit).await? else {
        return Ok(None);
    };
    let place = store.describe();
    let agreed = args.yes || person && ask::yes(&format!("{place} has no bucket. Make it?"))?;
    if !agreed {
        return Err(
            Error::new(Code::ConfirmationNeeded, format!("{place} has no bucket"))
                .hint("Make it, or say --yes to have it made."),
        );
    }
    store.make_bucket().await?;
    Ok(Some(Step {
        name: "bucket",
        changed: true,
        message: format!("made for {place}"),
    }))
}

/// Refuses what [`set_up`] would refuse, as far as it can be known before anything is written.
pub fn beforehand(args: &InitArgs, settings: &Settings) -> Result<()> {
    if is_wanted(settings) {
        settings.require(&config::SUPABASE_SECRET_KEY)?;
        catalog::database(settings)?;
        return match args.plan {
            Some(plan) => adapted(args, plan.into(), settings).map(drop),
            None => Ok(()),
        };
    }
    let flag = match (&args.admin, args.plan) {
        (Some(_), _) => "--admin",
        (None, Some(_)) => "--plan",
        (None, None) => return Ok(()),
    };
    Err(
        Error::new(Code::Usage, format!("{flag} goes with a catalog"))
            .hint("Set SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY."),
    )
}

/// Migrations, the first admin, and `vercel.json`.
pub async fn set_up(args: &InitArgs, settings: &Settings) -> Result<Vec<Step>> {
    if !is_wanted(settings) {
        return Ok(Vec::new());
    }
    let database = catalog::database(settings)?;
    let applied = catalog::migrate(&Context::default(), &database).await?;
    let mut steps = vec![Step {
        name: "catalog",
        changed: !applied.is_empty(),
        message: match applied.last() {
            Some(last) => format!("{} migrations applied, up to {last}", applied.len()),
            None => "every migration is applied".into(),
        },
    }];
    if let Some(email) = &args.admin {
        let tenant = settings.require(&config::ROVODEV_TENANT)?;
        let changed = catalog::make_admin(&database, tenant, email, &actor()).await?;
        steps.push(Step {
            name: "admin",
            changed,
            message: match changed {
                true => format!("{email} is an admin of tenant {tenant} now"),
                false => format!("{email} is an admin of tenant {tenant} already"),
            },
        });
    }
    if let Some(plan) = args.plan {
        steps.push(plan_of_vercel(args, plan.into(), settings)?);
        steps.extend(minutes(args, plan.into(), settings).await?);
        if vercel::Plan::from(plan) == vercel::Plan::Pro {
            steps.extend(deploy_check(settings).await?);
        }
    }
    Ok(steps)
}

/// The check that holds deployments, where a token lets us make it. Webhooks, which tell of deployments, are Pro's.
async fn deploy_check(settings: &Settings) -> Result<Option<Step>> {
    let Some(vercel) = Vercel::new(settings, web::client()?) else {
        return Ok(None);
    };
    let changed = vercel.set_up().await?;
    let made = if changed { "was made" } else { "is there" };
    Ok(Some(Step {
        name: "deployments",
        changed,
        message: format!(
            "the check that holds deployments {made}; schedules say for what (--gate)"
        ),
    }))
}

/// Who calls the tick each minute.
async fn minutes(args: &InitArgs, plan: vercel::Plan, settings: &Settings) -> Result<Option<Step>> {
    let database = catalog::database(settings)?;
    let step = |changed, message| Step {
        name: "tick",
        changed,
        message,
    };
    if plan == vercel::Plan::Pro {
        let ended = minutely::end(&database).await?;
        let message = "Vercel calls it each minute now, and the database does not any more";
        return Ok(ended.then(|| step(true, message.into())));
    }
    let Some(deployment) = deployment(args, settings)? else {
        let message =
            "Vercel calls it once a day; with --deployment URL the database calls it each minute";
        return Ok(Some(step(false, message.into())));
    };
    let secret = settings.require(&config::CRON_SECRET)?;
    let changed = minutely::set_up(&database, &deployment, secret).await?;
    let message = format!("the database calls {deployment} each minute; set CRON_SECRET there");
    Ok(Some(step(changed, message)))
}

/// Where the functions are: named, or the host of the dashboard.
fn deployment(args: &InitArgs, settings: &Settings) -> Result<Option<Url>> {
    let dashboard = || settings.get(&config::ROVODEV_DASHBOARD_URL).map(Url::parse);
    let found = match &args.deployment {
        Some(named) => Some(named.clone()),
        None => dashboard().transpose().map_err(|e| {
            let message = "ROVODEV_DASHBOARD_URL cannot be read as an address";
            Error::new(Code::Config, message).source(e)
        })?,
    };
    match found {
        Some(url) if url.scheme() != "https" || url.host().is_none() => Err(Error::new(
            Code::Config,
            format!("{url} cannot be called: the secret goes over https alone"),
        )
        .hint("Name the deployment: --deployment https://PROJECT.vercel.app.")),
        found => Ok(found.and_then(|url| url.join("/").ok())),
    }
}

/// `vercel.json` as it is and as the plan wants it, and the region of it.
struct Adapted<'a> {
    before: String,
    after: String,
    region: Option<&'a str>,
}

fn adapted<'a>(
    args: &'a InitArgs,
    plan: vercel::Plan,
    settings: &'a Settings,
) -> Result<Adapted<'a>> {
    let before = std::fs::read_to_string(VERCEL_JSON).map_err(|e| {
        Error::new(
            Code::Io,
            format!("{VERCEL_JSON} cannot be read; nothing was written"),
        )
        .hint("--plan adapts it: run init in the folder that is deployed, or leave --plan out.")
        .source(e)
    })?;
    let beside = settings
        .get(&config::DATABASE_URL)
        .and_then(vercel::region_beside)
        .filter(|_| plan == vercel::Plan::Pro);
    let region = args.region.as_deref().or(beside);
    let after = vercel::planned(&before, plan, region)?;
    Ok(Adapted {
        before,
        after,
        region,
    })
}

fn plan_of_vercel(args: &InitArgs, plan: vercel::Plan, settings: &Settings) -> Result<Step> {
    let Adapted {
        before,
        after,
        region,
    } = adapted(args, plan, settings)?;
    if after != before {
        std::fs::write(VERCEL_JSON, &after).map_err(|e| {
            Error::new(Code::Io, format!("{VERCEL_JSON} cannot be written")).source(e)
        })?;
    }
    let place = match region {
        Some(region) => format!(", in {region}"),
        None if plan == vercel::Plan::Pro => {
            ", in Vercel's default region (--region names one beside the database)".into()
        }
        None => String::new(),
    };
    Ok(Step {
        name: "vercel.json",
        changed: after != before,
        message: format!(
            "functions run {} seconds at most{place}; deploy for it to take effect",
            plan.max_duration()
        ),
    })
}

pub fn on_vercel(settings: &Settings) -> Vec<OnVercel> {
    if !is_wanted(settings) {
        return Vec::new();
    }
    let shown = |v: &&Variable| {
        // Only older projects sign tokens with a shared secret; only other S3s have an endpoint.
        !RARE.contains(v) || settings.get(v).is_some()
    };
    let told = |v: &Variable| OnVercel {
        name: v.name,
        secret: v.secret,
        set: settings.get(v).is_some(),
    };
    ON_VERCEL.iter().filter(shown).map(told).collect()
}

/// For people.
pub fn text(steps: &[Step], variables: &[OnVercel]) -> String {
    let mut lines: Vec<String> = steps
        .iter()
        .map(|s| {
            let mark = if s.changed { "done   " } else { "as is  " };
            format!("{mark}  {:<11} {}", s.name, s.message)
        })
        .collect();
    if !variables.is_empty() {
        lines.push("\nVariables to set on Vercel (vercel env add NAME production):".into());
        lines.extend(variables.iter().map(|v| {
            let secret = if v.secret {
                ", secret: add --sensitive"
            } else {
                ""
            };
            let missing = if v.set { "" } else { ", not set here yet" };
            format!("  - {}{secret}{missing}", v.name)
        }));
    }
    lines.join("\n")
}
