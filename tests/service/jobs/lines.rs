//! A workplace whose worker reaches the source, the store and the catalog over lines that break.

use super::workplace::Workplace;
use crate::proxy::{Cut, Proxy};
use rovodev::config::Settings;

pub struct Lines {
    pub source: Proxy,
    pub store: Proxy,
    pub catalog: Proxy,
    settings: Settings,
}

impl Lines {
    pub async fn of(place: &Workplace) -> Self {
        let of = |name: &str| {
            let variable = place.variables.iter().find(|(n, _)| *n == name);
            variable.unwrap().1.clone()
        };
        let url = of("DATABASE_URL");
        let address = url.rsplit('@').next().unwrap().split('/').next().unwrap();
        let whole = |_: &str, _: usize| Cut::Nothing;
        let source = Proxy::before(address, whole).await;
        let store = Proxy::before(&of("S3_ENDPOINT"), whole).await;
        let catalog = Proxy::before(&of("SUPABASE_URL"), whole).await;
        let mut variables = place.variables.clone();
        for (name, value) in &mut variables {
            match *name {
                "DATABASE_URL" => *value = url.replace(address, &source.url()[7..]),
                "S3_ENDPOINT" => *value = store.url(),
                "SUPABASE_URL" => *value = catalog.url(),
                _ => {}
            }
        }
        Self {
            source,
            store,
            catalog,
            settings: Settings::of(variables),
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub async fn mend(&self) {
        for line in [&self.source, &self.store, &self.catalog] {
            line.now(|_, _| Cut::Nothing);
            line.listen().await;
        }
    }
}
