//! Checks that hold deployments: opened and ended at Vercel, whoever finds them due. Each is claimed for a minute, so that
//! what a dead function left is taken up by the next.

use super::Workshop;
use super::read_back::read_back_for_gates;
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{As, Repeat};
use crate::ports::vercel::{Told, Vercel};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// All that Vercel is asked for one check: less than the claim of it.
const TELLING: Duration = Duration::from_secs(45);

#[derive(Deserialize)]
struct Claimed {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    deployment: String,
    asked: u32,
    /// `succeeded`, `failed` or `neutral`; none where it is to be opened.
    conclusion: Option<String>,
    reason: Option<String>,
}

/// Opens and ends what is due, and reads back what deployments wait for. What fails is due again in a minute, for whoever
/// looks then.
pub async fn look_after_checks(workshop: &Workshop) {
    let Some(vercel) = &workshop.vercel else {
        return;
    };
    loop {
        let claimed = claim(workshop).await;
        match claimed {
            Ok(claimed) => {
                for check in &claimed.checks {
                    if let Err(error) = tell(workshop, vercel, check).await {
                        let deployment = &check.deployment;
                        tracing::warn!(deployment, %error, "Vercel was not told of a check and will be");
                    }
                }
                let read = read_back_for_gates(workshop).await;
                let read = read.unwrap_or_else(|error| {
                    tracing::warn!(%error, "a backup was not read back and will be");
                    0
                });
                if claimed.checks.is_empty() && read == 0 {
                    return;
                }
            }
            Err(error) => {
                return tracing::warn!(%error, "checks of deployments wait for the next tick");
            }
        }
    }
}

async fn claim(workshop: &Workshop) -> Result<Claimed> {
    let catalog = &workshop.catalog;
    let function = "rovodev_claim_checks";
    catalog
        .call(As::Jobs, function, &json!({}), Repeat::Unsent)
        .await
}

async fn tell(workshop: &Workshop, vercel: &Vercel, check: &Check) -> Result<()> {
    let deployment = &check.deployment;
    let telling = async {
        match &check.conclusion {
            None => vercel.hold(deployment).await,
            Some(conclusion) => {
                let reason = check.reason.as_deref().unwrap_or_default();
                vercel.end(deployment, conclusion, reason).await
            }
        }
    };
    let told = tokio::time::timeout(TELLING, telling)
        .await
        .unwrap_or_else(|_| Err(Error::new(Code::VercelUnreachable, "Vercel is too slow")));
    let given_up = match told {
        Ok(Told::Yes) => None,
        Ok(Told::NoCheck) => Some("The project has no check; `rovodev init --plan pro` makes it."),
        Err(e) if e.code == Code::DeploymentNotFound => Some("Vercel has no such deployment."),
        Err(e) => return Err(e),
    };
    if let Some(why) = given_up {
        tracing::error!(deployment, why, "nothing holds this deployment");
    }
    let arguments = json!({
        "deployment": deployment, "asked": check.asked, "conclusion": check.conclusion, "given_up": given_up,
    });
    write(workshop, "rovodev_told_check", arguments).await
}

async fn write(workshop: &Workshop, function: &str, arguments: Value) -> Result<()> {
    let catalog = &workshop.catalog;
    let _: Value = catalog
        .call(As::Jobs, function, &arguments, Repeat::Safely)
        .await?;
    Ok(())
}
