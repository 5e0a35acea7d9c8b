//! `status` of a deployment: what its health says.

use super::Deployment;
use super::client::Repeat;
use crate::commands::status::line;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use dialoguer::console::style;
use reqwest::Method;
use rovodev::error::Result;
use serde_json::Value;

pub async fn status(deployment: &Deployment, detailed: bool) -> Result<Answer> {
    let path = "/api/status/health";
    let client = &deployment.0;
    let health: Value = client.call(Method::GET, path, None, Repeat::Safely).await?;
    let exit = Exit::with_warnings(health["healthy"] != true);
    let mut text = text(deployment.url(), &health);
    if detailed {
        text += &format!("\n\n{}", everything(&health));
    }
    Ok(Answer::new(&health, text, exit))
}

fn text(url: &str, health: &Value) -> String {
    let mut lines = vec![line("Deployment", &deployed(url, &health["deployment"]))];
    lines.push(line("Database", &database(&health["database"])));
    for (name, service) in health["services"].as_object().into_iter().flatten() {
        lines.push(line(name, &told(service)));
    }
    let missing = health["config"]["missing"].as_array();
    let missing: Vec<&str> = missing
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !missing.is_empty() {
        lines.push(line("Missing", &missing.join(", ")));
    }
    lines.push(match health["healthy"] == true {
        true => "All is well.".into(),
        false => format!("{} Not all is well.", style("!").yellow().bold()),
    });
    lines.join("\n")
}

/// Every word of the answer, one below the other; what is not known is left out.
fn everything(health: &Value) -> String {
    let mut table = Columns::new(&["<Said by the deployment", "<Value"]).giving_way(1, 12);
    let mut open = vec![(String::new(), health)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                let below = fields
                    .iter()
                    .rev()
                    .map(|(name, value)| match path.is_empty() {
                        true => (name.clone(), value),
                        false => (format!("{path}.{name}"), value),
                    });
                open.extend(below);
            }
            Value::Null => {}
            Value::Array(all) if all.is_empty() => table.row([path, "none".into()]),
            Value::Array(all) => {
                let all: Vec<_> = all.iter().map(word).collect();
                table.row([path, all.join(", ")]);
            }
            value => table.row([path, word(value)]),
        }
    }
    table.text()
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_string)
}

fn deployed(url: &str, deployment: &Value) -> String {
    match deployment["environment"].as_str() {
        Some(environment) => format!("{url} ({environment})"),
        None => url.into(),
    }
}

fn database(database: &Value) -> String {
    if database["connected"] != true {
        return style("not connected").red().to_string();
    }
    let count = |field: &str| database[field].as_u64();
    match (count("tables"), count("records")) {
        (Some(tables), Some(rows)) => format!(
            "{}, about {}",
            human::counted(tables, "table"),
            human::counted(rows, "row")
        ),
        _ => "connected".into(),
    }
}

/// A part's own word for how it is.
fn told(part: &Value) -> String {
    let message = part["message"].as_str().unwrap_or("says nothing");
    match part["status"] == "ok" {
        true => message.into(),
        false => style(message).red().to_string(),
    }
}
