//! Checks that hold deployments: opened and ended at Vercel, whoever finds them due. Each is claimed for a minute, so that
//! what a dead function left is taken up by the next.

use super::Workshop;
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{As, Repeat};
use crate::ports::vercel::{Told, Vercel};
use crate::tasks::{Context, check, open_store};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// All that Vercel is asked for one check: less than the claim of it.
const TELLING: Duration = Duration::from_secs(45);
/// A proof is claimed for a minute.
const RENEW: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct Claimed {
    checks: Vec<Check>,
    proofs: Vec<Proof>,
}

#[derive(Deserialize)]
struct Check {
    deployment: String,
    asked: u32,
    /// `succeeded`, `failed` or `neutral`; none where it is to be opened.
    conclusion: Option<String>,
    reason: Option<String>,
}

/// A backup that is to be read back from the store.
#[derive(Deserialize)]
struct Proof {
    backup: Uuid,
    tenant: String,
}

/// Opens, proves and ends what is due. What fails is due again in a minute, for whoever looks then.
pub async fn look_after_checks(workshop: &Workshop) {
    let Some(vercel) = &workshop.vercel else {
        return;
    };
    loop {
        let claimed = claim(workshop).await;
        match claimed {
            Ok(claimed) if claimed.checks.is_empty() && claimed.proofs.is_empty() => return,
            Ok(claimed) => {
                for check in &claimed.checks {
                    if let Err(error) = tell(workshop, vercel, check).await {
                        let deployment = &check.deployment;
                        tracing::warn!(deployment, %error, "Vercel was not told of a check and will be");
                    }
                }
                for proof in &claimed.proofs {
                    if let Err(error) = prove(workshop, proof).await {
                        tracing::warn!(backup = %proof.backup, %error, "a backup was not read back and will be");
                    }
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

/// Reads everything of a backup back, while the claim is renewed.
async fn prove(workshop: &Workshop, proof: &Proof) -> Result<()> {
    let ctx = Context::default();
    let reading = async {
        let key = workshop.store_key.as_deref();
        let store = open_store::open_to_read(&ctx, &workshop.store, key).await?;
        check::check(&ctx, &store, &proof.tenant, &[proof.backup]).await
    };
    tokio::pin!(reading);
    let report = loop {
        tokio::select! {
            report = &mut reading => break report?,
            () = tokio::time::sleep(RENEW) => note(workshop, proof, json!({})).await?,
        }
    };
    let first = report.problems.first().map(|p| p.message.clone());
    if let Some(damage) = &first {
        tracing::error!(backup = %proof.backup, damage, "a backup is not what was written");
    }
    let outcome = json!({ "checked": first.is_none(), "damaged": first });
    note(workshop, proof, outcome).await
}

async fn note(workshop: &Workshop, proof: &Proof, mut outcome: Value) -> Result<()> {
    outcome["backup"] = json!(proof.backup);
    write(workshop, "rovodev_note_proof", outcome).await
}

async fn write(workshop: &Workshop, function: &str, arguments: Value) -> Result<()> {
    let catalog = &workshop.catalog;
    let _: Value = catalog
        .call(As::Jobs, function, &arguments, Repeat::Safely)
        .await?;
    Ok(())
}
