//! What signed-in people were refused, told to the audit log where no function of the catalog did.

use super::caller::caller;
use super::guard::{Failure, Route};
use super::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::note_refusal;
use bytes::Bytes;
use http::{Method, StatusCode};

/// A request without its body.
pub struct Asked(Request);

impl Asked {
    pub fn of(request: &Request) -> Self {
        let mut asked = Request::new(Bytes::new());
        *asked.method_mut() = request.method().clone();
        *asked.headers_mut() = request.headers().clone();
        Self(asked)
    }

    /// Behind the answer, so that it comes no later. A token that is none leaves nothing: strangers could fill the log.
    pub fn noted(
        self,
        route: &Route,
        service: &Service,
        problem: &Problem,
        answer: Answer,
    ) -> Answer {
        if !is_told(self.0.method(), problem) {
            return answer;
        }
        let (service, function, code) = (service.clone(), route.function, problem.code.clone());
        answer.behind(async move {
            let Ok(asker) = caller(&service, &self.0).await else {
                return;
            };
            let method = self.0.method().as_str();
            let noted = note_refusal(service.catalog(), &asker, function, method, &code);
            if let Err(error) = noted.await {
                tracing::warn!(%error, "a refusal could not be written down");
            }
        })
    }
}

/// The catalog itself writes down whom it refuses to change something of a tenant that is theirs.
fn is_told(method: &Method, problem: &Problem) -> bool {
    let unseen =
        *method == Method::GET || ["foreign_origin", "no_tenant"].contains(&&*problem.code);
    problem.status == StatusCode::FORBIDDEN.as_u16() && unseen
}

/// The problem that a handler told, if any.
pub fn told(handled: &Result<Answer, Failure>) -> Option<Problem> {
    match handled {
        Err(Failure::Told(problem)) => Some(problem.clone()),
        _ => None,
    }
}
