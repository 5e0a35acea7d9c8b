//! `local dev --once`: the main job through HTTP on a fresh stack, and the proof that everything came back.

use crate::demo_project::DemoProject;
use crate::error::{Result, message};
use crate::visitor::{ADMIN, Visitor, text};
use crate::{demo, demo_report as report};
use serde_json::{Value, json};
use std::time::Instant;

/// Backs the demo app up, damages it, restores it; 0 only if every table came back.
pub(crate) async fn show() -> Result<u8> {
    let begun = Instant::now();
    let DemoProject {
        project,
        mut owner,
        stack,
        ..
    } = DemoProject::start(true).await?;
    println!(
        "1. Up in {:.1} s: PostgreSQL {}, S3, PostgREST, sign-in and every function, on 127.0.0.1",
        begun.elapsed().as_secs_f64(),
        stack.postgres.binaries().major,
    );
    let before = demo::contents(&mut owner).await?;
    println!("2. The demo app, an AI call centre with two tenants:");
    print!("{}", report::listing(&before));

    let admin = Visitor::sign_in(&project, ADMIN).await?;
    println!("3. {ADMIN} signs in and asks for a backup");
    let backup = backed_up(&admin).await?;

    demo::damage(&mut owner).await?;
    let broken = demo::contents(&mut owner).await?;
    if report::differing(&before, &broken) == 0 {
        return Err(message(
            "the damage changed nothing; a restore would prove nothing",
        ));
    }
    println!("4. Broken on purpose: rows deleted, transcripts garbled, rows added");
    print!("{}", report::comparison(&before, &broken));

    println!("5. Restored in place, after a safety backup");
    restored(&admin, &backup).await?;
    let after = demo::contents(&mut owner).await?;
    print!("{}", report::comparison(&before, &after));
    Ok(verdict(&before, &after))
}

/// Takes a backup of everything through the functions; returns its id.
pub(crate) async fn backed_up(admin: &Visitor) -> Result<String> {
    let asked = asked(admin, "/api/backups/create", json!({ "type": "full" })).await?;
    let id = text(&asked, "id")?;
    let begun = Instant::now();
    admin.completed(&id).await?;
    let details = format!("/api/backups/{id}/details");
    let taken = admin.call("GET", &details, None).await?;
    println!(
        "   completed after {:.1} s: {} records in {} tables",
        begun.elapsed().as_secs_f64(),
        taken["metadata"]["records"],
        taken["metadata"]["tables"]
    );
    Ok(id)
}

async fn restored(admin: &Visitor, backup: &str) -> Result<()> {
    let path = format!("/api/backups/{backup}/restore");
    asked(admin, &path, json!({ "mode": "exact" })).await?;
    let begun = Instant::now();
    let told = admin.completed(backup).await?;
    println!(
        "   completed after {:.1} s: {}",
        begun.elapsed().as_secs_f64(),
        told["result"]
    );
    Ok(())
}

async fn asked(admin: &Visitor, path: &str, body: Value) -> Result<Value> {
    println!("   POST {path} {body}");
    let answer = admin.call("POST", path, Some(body)).await?;
    println!("     {answer}");
    Ok(answer)
}

fn verdict(before: &demo::Contents, after: &demo::Contents) -> u8 {
    match report::differing(before, after) {
        0 => {
            println!(
                "Every table is as it was: {} tables, {} rows, all hashes equal.",
                after.len(),
                report::total_rows(after)
            );
            0
        }
        count => {
            println!("NOT RESTORED: {count} tables differ from what was backed up.");
            1
        }
    }
}
