//! Every function, by its name under `api/`.

use super::guard::{self, Route};
use super::{Answer, Problem, Request, Service};
use super::{backups, health, hooks, schedules, tick, workspace};
use http::Method;

pub static BACKUPS_LIST: Route = Route {
    function: "backups/list",
    methods: &[Method::GET],
    handle: |service, request| Box::pin(backups::list::handle(service, request)),
};
pub static BACKUPS_CREATE: Route = Route {
    function: "backups/create",
    methods: &[Method::POST],
    handle: |service, request| Box::pin(backups::create::handle(service, request)),
};
pub static BACKUPS_DETAILS: Route = Route {
    function: "backups/[id]/details",
    methods: &[Method::GET, Method::PATCH, Method::DELETE],
    handle: |service, request| Box::pin(backups::details::handle(service, request)),
};
pub static BACKUPS_RESTORE: Route = Route {
    function: "backups/[id]/restore",
    methods: &[Method::POST, Method::DELETE],
    handle: |service, request| Box::pin(backups::restore::handle(service, request)),
};
pub static BACKUPS_RESTORE_STATUS: Route = Route {
    function: "backups/[id]/restore/status",
    methods: &[Method::GET],
    handle: |service, request| Box::pin(backups::status::handle(service, request)),
};
pub static BACKUPS_DOWNLOAD: Route = Route {
    function: "backups/[id]/download",
    methods: &[Method::POST, Method::GET, Method::DELETE],
    handle: |service, request| Box::pin(backups::download::handle(service, request)),
};
pub static STATUS_HEALTH: Route = Route {
    function: "status/health",
    methods: &[Method::GET],
    handle: |service, request| Box::pin(health::handle(service, request)),
};
pub static SCHEDULES: Route = Route {
    function: "schedules",
    methods: &[Method::GET, Method::POST, Method::PATCH, Method::DELETE],
    handle: |service, request| Box::pin(schedules::handle(service, request)),
};
pub static WORKSPACE: Route = Route {
    function: "workspace/[part]",
    methods: &[Method::GET, Method::POST, Method::PATCH, Method::DELETE],
    handle: |service, request| Box::pin(workspace::handle(service, request)),
};
pub static CRON_TICK: Route = Route {
    function: "cron/tick",
    methods: &[Method::GET],
    handle: |service, request| Box::pin(tick::handle(service, request)),
};

pub static HOOKS_DEPLOY: Route = Route {
    function: "hooks/deploy",
    methods: &[Method::POST],
    handle: |service, request| Box::pin(hooks::handle(service, request)),
};

/// What the local server mounts; a test holds that each has its file under `api/`.
pub static ROUTES: &[&Route] = &[
    &BACKUPS_LIST,
    &BACKUPS_CREATE,
    &BACKUPS_DETAILS,
    &BACKUPS_RESTORE,
    &BACKUPS_RESTORE_STATUS,
    &BACKUPS_DOWNLOAD,
    &STATUS_HEALTH,
    &SCHEDULES,
    &WORKSPACE,
    &CRON_TICK,
    &HOOKS_DEPLOY,
];

/// The function that answers at a path, as Vercel finds it.
pub fn find(path: &str) -> Option<&'static Route> {
    let asked: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
    ROUTES.iter().copied().find(|route| {
        let own: Vec<&str> = route.function.split('/').collect();
        own.len() == asked.len()
            && own
                .iter()
                .zip(&asked)
                .all(|(own, asked)| own == asked || (own.starts_with('[') && !asked.is_empty()))
    })
}

/// Answers at any path, as the deployed functions do together.
pub async fn dispatch(service: &Service, request: Request) -> Answer {
    match find(request.uri().path()) {
        Some(route) => guard::answer(route, service, request).await,
        None => guard::turned_away(Problem::not_found()),
    }
}
