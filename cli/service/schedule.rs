//! `schedule`: in the catalog, where the tick finds them.

use super::Service;
use crate::args::Common;
use crate::commands::schedule::{Action, HookArgs, NamedArgs};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::Utc;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::short_id;
use rovodev::tasks::deployments::new_secret;
use rovodev::tasks::operators::Job;
use rovodev::tasks::schedules::{Preview, Schedule, Shown, Trigger};
use serde_json::json;

pub async fn run(service: &Service, action: Action, common: &Common) -> Result<Answer> {
    match action {
        Action::List => list(service).await,
        Action::Add(args) => {
            let made = match service {
                Service::Catalog(at) => at.operator.create_schedule(args.wanted()).await?,
                Service::Deployment(at) => at.create_schedule(&args.wanted()).await?,
            };
            Ok(told("Made", made))
        }
        Action::Change(args) => {
            let change = args.wanted()?;
            let old = find(service, &args.schedule).await?;
            let changed = match service {
                Service::Catalog(at) => at.operator.change_schedule(&old, change).await?,
                Service::Deployment(at) => at.change_schedule(old.id, &change).await?,
            };
            Ok(told("Changed", changed))
        }
        Action::Remove(args) => remove(service, &args).await,
        Action::Run(args) => run_now(service, &args, common).await,
        Action::Hook(args) => hook(service, &args).await,
        Action::Preview(args) => {
            let schedule = find(service, &args.schedule).await?;
            let previewed = match service {
                Service::Catalog(at) => at.operator.preview_retention(schedule.id).await?,
                Service::Deployment(at) => at.preview_retention(schedule.id).await?,
            };
            let text = preview(&schedule, &previewed);
            Ok(Answer::new(&previewed, text, Exit::Done))
        }
    }
}

async fn all(service: &Service) -> Result<Vec<Schedule>> {
    match service {
        Service::Catalog(at) => at.operator.schedules().await,
        Service::Deployment(at) => at.schedules().await,
    }
}

/// By its name, its id, or the end of that as the list shows it.
async fn find(service: &Service, wanted: &str) -> Result<Schedule> {
    let fits =
        |s: &Schedule| s.name == wanted || s.id.to_string() == wanted || short_id(s.id) == wanted;
    let mut found: Vec<Schedule> = all(service).await?.into_iter().filter(fits).collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Error::new(
            Code::ScheduleNotFound,
            format!("there is no schedule {wanted:?}"),
        )
        .hint("`rovodev schedule list` shows those that are there.")),
        (Some(_), more) => Err(Error::new(
            Code::Usage,
            format!("{} schedules are called {wanted:?}", more + 1),
        )
        .hint("Name one by its id.")),
    }
}

async fn list(service: &Service) -> Result<Answer> {
    let now = Utc::now();
    let shown: Vec<Shown> = all(service)
        .await?
        .into_iter()
        .map(|s| s.shown(now))
        .collect();
    let mut table = Columns::new(&["<Id", "<Name", "<When", "<Next run", "<Last", "<Keeps"])
        .giving_way(1, 12)
        .expendable(&[5, 4]);
    for one in &shown {
        let schedule = &one.schedule;
        table.row([
            short_id(schedule.id),
            schedule.name.clone(),
            when(schedule),
            next(one),
            last(schedule),
            keeps(schedule),
        ]);
    }
    let text = match shown.is_empty() {
        true => "No schedules yet. Make one with `rovodev schedule add`.".into(),
        false => table.text(),
    };
    Ok(Answer::new(
        &json!({ "schedules": shown }),
        text,
        Exit::Done,
    ))
}

fn when(schedule: &Schedule) -> String {
    match (&schedule.cron, schedule.trigger) {
        (Some(cron), _) => format!("{cron} {}", schedule.timezone),
        (None, Trigger::Deploy) => "at a deployment".into(),
        (None, _) => "by hand".into(),
    }
}

fn next(shown: &Shown) -> String {
    match (shown.next_runs.first(), shown.schedule.enabled) {
        (_, false) => "off".into(),
        (None, true) => "-".into(),
        (Some(run), true) => run.local.format("%Y-%m-%d %H:%M %:z").to_string(),
    }
}

fn last(schedule: &Schedule) -> String {
    match (&schedule.last_result, schedule.failures_in_a_row) {
        (None, _) => "-".into(),
        (Some(_), n) if n > 1 => format!("failed {n} times"),
        (Some(result), _) => result.clone(),
    }
}

fn keeps(schedule: &Schedule) -> String {
    let policy = &schedule.retention;
    let rules = [
        ("last", policy.keep_last),
        ("hourly", policy.keep_hourly),
        ("daily", policy.keep_daily),
        ("weekly", policy.keep_weekly),
        ("monthly", policy.keep_monthly),
        ("yearly", policy.keep_yearly),
        ("days", policy.keep_days),
    ];
    let told: Vec<String> = rules
        .iter()
        .filter_map(|(name, n)| n.map(|n| format!("{n} {name}")))
        .collect();
    match told.is_empty() {
        true => "all".into(),
        false => told.join(", "),
    }
}

fn told(done: &str, schedule: Schedule) -> Answer {
    let shown = schedule.shown(Utc::now());
    let mut lines = vec![format!(
        "{done} {} ({}): {}, keeps {}.",
        shown.schedule.name,
        short_id(shown.schedule.id),
        when(&shown.schedule),
        keeps(&shown.schedule)
    )];
    if !shown.next_runs.is_empty() {
        let later = shown.schedule.jitter_seconds;
        lines.push(format!("Next runs, each {later} seconds later:"));
    }
    lines.extend(shown.next_runs.iter().map(|run| {
        let local = run.local.format("  %a %Y-%m-%d %H:%M %:z");
        match run.clock_change {
            None => local.to_string(),
            Some(_) => format!("{local}, as clocks change"),
        }
    }));
    Answer::new(&shown, lines.join("\n"), Exit::Done)
}

async fn remove(service: &Service, args: &NamedArgs) -> Result<Answer> {
    let schedule = find(service, &args.schedule).await?;
    match service {
        Service::Catalog(at) => at.operator.delete_schedule(schedule.id).await?,
        Service::Deployment(at) => at.delete_schedule(schedule.id).await?,
    }
    let result = json!({ "deleted": schedule.id, "name": schedule.name });
    let text = format!("Deleted the schedule {}. Its backups stay.", schedule.name);
    Ok(Answer::new(&result, text, Exit::Done))
}

async fn hook(service: &Service, args: &HookArgs) -> Result<Answer> {
    let schedule = find(service, &args.of.schedule).await?;
    if args.remove {
        match service {
            Service::Catalog(at) => at.operator.set_hook(schedule.id, None).await?,
            Service::Deployment(at) => at.remove_hook(schedule.id).await?,
        }
        let result = json!({ "id": schedule.id, "name": schedule.name, "hook": false });
        let text = format!("{} has no secret any more.", schedule.name);
        return Ok(Answer::new(&result, text, Exit::Done));
    }
    let secret = match service {
        Service::Catalog(at) => {
            let (secret, hash) = new_secret();
            at.operator.set_hook(schedule.id, Some(&hash)).await?;
            secret
        }
        Service::Deployment(at) => at.make_hook(schedule.id).await?,
    };
    let text = format!(
        "{secret}\nWho knows this runs {}; it is not shown again, and one that was there ends:\n  \
         curl --request POST --header \"Authorization: Bearer $SECRET\" https://PROJECT.vercel.app/api/hooks/deploy",
        schedule.name
    );
    let result =
        json!({ "id": schedule.id, "name": schedule.name, "hook": true, "secret": secret });
    Ok(Answer::new(&result, text, Exit::Done))
}

async fn run_now(service: &Service, args: &NamedArgs, common: &Common) -> Result<Answer> {
    let schedule = find(service, &args.schedule).await?;
    match service {
        Service::Deployment(at) => {
            let begun = at.run_schedule(schedule.id).await?;
            let text = format!(
                "Asked for a backup. Follow it with:  rovodev show {}",
                begun.id
            );
            Ok(Answer::new(&begun, text, Exit::Done))
        }
        Service::Catalog(at) => {
            let ask = at.operator.run_schedule(schedule.id);
            let job = at.ask_and_carry_out(&at.workshop, common, ask).await?;
            let Job::Backup { backup, .. } = job else {
                return Err(Error::new(Code::Internal, "a backup that is none"));
            };
            let row = at.operator.backup(backup).await?;
            let result = json!({ "id": row.id, "name": row.name, "status": row.status });
            let text = format!("Took {} ({}).", row.name, short_id(row.id));
            Ok(Answer::new(&result, text, Exit::Done))
        }
    }
}

fn preview(schedule: &Schedule, previewed: &Preview) -> String {
    let mut table = Columns::new(&["<Id", "<Name", "<Taken", "<", "<Why"]).giving_way(1, 12);
    for backup in &previewed.backups {
        let why: Vec<&str> = backup.reasons.iter().map(|r| r.text.as_str()).collect();
        table.row([
            short_id(backup.id),
            backup.name.clone(),
            human::moment(backup.created_at),
            if backup.keep { "keep" } else { "expire" }.into(),
            why.join("; "),
        ]);
    }
    let counted = |n: usize| human::counted(n as u64, "backup");
    let (keeps, expires) = (counted(previewed.keeps), counted(previewed.expires));
    let summary = format!("{}: {keeps} kept, {expires} to expire.", schedule.name);
    match previewed.backups.is_empty() {
        true => summary,
        false => format!("{}\n{summary}", table.text()),
    }
}
