//! `vercel.json` for a plan of Vercel: how long a function may run, how often the cron calls, and where. The file is
//! changed in its text, so that everything else in it stays as it is written.

use crate::error::{Code, Error, Result};
use serde_json::Value;

/// What the platform allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// A cron once a day, 300 seconds.
    Hobby,
    /// A cron every minute, 800 seconds, a region of choice.
    Pro,
}

impl Plan {
    /// Seconds.
    pub fn max_duration(self) -> u64 {
        match self {
            Plan::Hobby => 300,
            Plan::Pro => 800,
        }
    }

    fn schedule(self) -> &'static str {
        match self {
            Plan::Hobby => "0 3 * * *",
            Plan::Pro => "* * * * *",
        }
    }
}

const TICK: &str = "/api/cron/tick";

/// The text of `vercel.json` as `plan` wants it; `region` is one of Vercel's, such as `fra1`.
///
/// # Errors
/// [`Code::Config`] where the file is not as this program brought it, so that it has to be changed by hand.
pub fn planned(text: &str, plan: Plan, region: Option<&str>) -> Result<String> {
    let mut new = numbers(text, "\"maxDuration\":", &plan.max_duration().to_string());
    if let Some(at) = new.find(TICK) {
        let (before, after) = new.split_at(at);
        new = format!(
            "{before}{}",
            first_text(after, "\"schedule\":", plan.schedule())
        );
    }
    if let Some(region) = region {
        new = with_region(&new, region);
    }
    match holds(&new, plan, region) {
        true => Ok(new),
        false => Err(Error::new(
            Code::Config,
            "vercel.json is not as Rovodev brings it and cannot be adapted",
        )
        .hint(format!(
            "Set maxDuration of every function to {}, and the schedule of {TICK} to {:?}, by hand.",
            plan.max_duration(),
            plan.schedule()
        ))),
    }
}

/// Replaces the number behind each `name`.
fn numbers(text: &str, name: &str, value: &str) -> String {
    let mut parts = text.split(name);
    let mut new = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let number = part.trim_start();
        let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        let blanks = &part[..part.len() - number.len()];
        new += &format!("{name}{blanks}{value}{rest}");
    }
    new
}

/// Replaces the text behind the first `name`.
fn first_text(text: &str, name: &str, value: &str) -> String {
    let Some((before, after)) = text.split_once(name) else {
        return text.to_string();
    };
    let mut quotes = after.splitn(3, '"');
    match (quotes.next(), quotes.next(), quotes.next()) {
        (Some(blanks), Some(_), Some(rest)) => format!("{before}{name}{blanks}\"{value}\"{rest}"),
        _ => text.to_string(),
    }
}

fn with_region(text: &str, region: &str) -> String {
    let wanted = format!("\"regions\": [\"{region}\"]");
    if let Some((before, after)) = text.split_once("\"regions\":")
        && let Some((_, rest)) = after.split_once(']')
    {
        return format!("{before}{wanted}{rest}");
    }
    let framework = "\"framework\": null,";
    text.replacen(framework, &format!("{framework}\n  {wanted},"), 1)
}

fn holds(text: &str, plan: Plan, region: Option<&str>) -> bool {
    let Ok(json) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let mut functions = json["functions"].as_object().into_iter().flatten();
    let mut crons = json["crons"].as_array().into_iter().flatten();
    json["functions"]["api/**/*.rs"].is_object()
        && functions.all(|(_, f)| f["maxDuration"] == plan.max_duration())
        && crons.any(|c| c["path"] == TICK && c["schedule"] == plan.schedule())
        && region.is_none_or(|r| json["regions"][0] == r)
}

/// Vercel's region beside one of Amazon's, such as `eu-central-1`, which Supabase names in its pooler's host.
pub fn region_beside(host: &str) -> Option<&'static str> {
    const BESIDE: &[(&str, &str)] = &[
        ("us-east-1", "iad1"),
        ("us-east-2", "cle1"),
        ("us-west-1", "sfo1"),
        ("us-west-2", "pdx1"),
        ("ca-central-1", "yul1"),
        ("sa-east-1", "gru1"),
        ("eu-west-1", "dub1"),
        ("eu-west-2", "lhr1"),
        ("eu-west-3", "cdg1"),
        ("eu-central-1", "fra1"),
        ("eu-central-2", "fra1"),
        ("eu-north-1", "arn1"),
        ("ap-south-1", "bom1"),
        ("ap-southeast-1", "sin1"),
        ("ap-southeast-2", "syd1"),
        ("ap-northeast-1", "hnd1"),
        ("ap-northeast-2", "icn1"),
        ("ap-east-1", "hkg1"),
        ("af-south-1", "cpt1"),
    ];
    let fits = |(amazon, _): &&(&str, &str)| host.contains(*amazon);
    BESIDE.iter().find(fits).map(|(_, vercel)| *vercel)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("../../../vercel.json");

    #[test]
    fn a_plan_changes_what_it_must_and_back_again() {
        let pro = planned(COMMITTED, Plan::Pro, Some("fra1")).unwrap();
        assert!(pro.contains("\"maxDuration\": 800") && !pro.contains("300"));
        assert!(pro.contains("\"schedule\": \"* * * * *\""), "{pro}");
        assert_eq!(planned(&pro, Plan::Pro, Some("fra1")).unwrap(), pro);
        let moved = planned(&pro, Plan::Pro, Some("iad1")).unwrap();
        assert_eq!(moved, pro.replace("fra1", "iad1"));
        let back = planned(&pro, Plan::Hobby, None).unwrap();
        assert_eq!(back.replace("\n  \"regions\": [\"fra1\"],", ""), COMMITTED);
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        for text in [
            "{}",
            "not json",
            r#"{"functions":{"api/**/*.rs":{}},"crons":[]}"#,
        ] {
            assert_eq!(
                planned(text, Plan::Pro, None).unwrap_err().code,
                Code::Config
            );
        }
    }

    #[test]
    fn finds_the_region_beside_a_pooler() {
        assert_eq!(
            region_beside("aws-0-eu-central-1.pooler.supabase.com"),
            Some("fra1")
        );
        assert_eq!(region_beside("db.abcdefgh.supabase.co"), None);
    }
}
