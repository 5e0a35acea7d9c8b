//! `tenant`: for operators, who hold the project's secret key.

use super::Service;
use crate::commands::tenant::{Action, Limit};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::remote;
use crate::table::Columns;
use rovodev::error::Result;
use rovodev::tasks::operators::{Operator, TenantRow};
use serde_json::json;

pub async fn run(service: &Service, action: Action) -> Result<Answer> {
    let operator = match service {
        Service::Catalog(workplace) => &workplace.operator,
        Service::Deployment(_) => {
            let why = "it takes the project's secret key";
            return Err(remote::refused("tenant", why));
        }
    };
    match action {
        Action::List => {
            let tenants = operator.tenants().await?;
            let text = table(&tenants).text();
            Ok(Answer::new(
                &json!({ "tenants": tenants }),
                text,
                Exit::Done,
            ))
        }
        Action::Quota(args) => quota(operator, args.limit).await,
    }
}

async fn quota(operator: &Operator, Limit(limit): Limit) -> Result<Answer> {
    let set = operator.set_quota(limit).await?;
    let stored = human::bytes(set.stored);
    let text = match set.quota {
        None => format!("No limit any more. Its backups take {stored}."),
        Some(quota) => format!(
            "The limit is {}. Its backups take {stored}.",
            human::bytes(quota)
        ),
    };
    Ok(Answer::new(&set, text, Exit::Done))
}

fn table(tenants: &[TenantRow]) -> Columns {
    let heads = ["<Tenant", "<Name", ">Backups", ">Stored", ">Limit"];
    let mut table = Columns::new(&heads).giving_way(1, 12);
    for t in tenants {
        table.row([
            t.slug.clone(),
            t.name.clone(),
            human::count(t.backups),
            human::bytes(t.stored),
            t.quota.map(human::bytes).unwrap_or_default(),
        ]);
    }
    table
}
