//! Checks that hold deployments: opened and ended at Vercel, whoever finds them due. Each is claimed for a minute, so that
//! what a dead function left is taken up by the next.

use super::Workshop;
use crate::error::Result;
use crate::ports::catalog::{As, Repeat};
use crate::ports::vercel::{Told, Vercel};
use crate::tasks::{Context, check, open_store};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

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
    let (deployment, reason) = (&check.deployment, check.reason.as_deref());
    let told = match &check.conclusion {
        None => vercel.hold(deployment).await?,
        Some(conclusion) => {
            let reason = reason.unwrap_or_default();
            vercel.end(deployment, conclusion, reason).await?
        }
    };
    if told == Told::NothingThere {
        tracing::error!(
            deployment,
            "nothing holds this deployment: it is gone, or its project has no check, which `rovodev init --plan pro` makes"
        );
    }
    let given_up =
        (told == Told::NothingThere).then_some("Vercel has no such check or deployment.");
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
