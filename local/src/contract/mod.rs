//! `docs/openapi.json`, and whether answers are as it says. What it does not say is never let through: the answer becomes
//! a 500 with the code `undocumented_answer`, so that whoever provoked it hears of it.

mod document;
mod passing;

use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use jsonschema::Validator;
use rovodev::http::answer::full;
use rovodev::http::{Body, Problem, guard};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of HTTP itself, and not of any answer.
const FRAMING: &[HeaderName] = &[header::CONTENT_LENGTH, header::CONTENT_TYPE];
/// So much of a body is shown where it does not fit.
const SHOWN: usize = 2000;

/// What the document says.
pub struct Contract {
    paths: Vec<Path>,
    /// At a known path to OPTIONS, and to methods that are not possible there.
    options: Answers,
    other_methods: Answers,
    /// At paths that do not exist.
    other_paths: Answers,
    every_answer: Vec<Header>,
}

struct Path {
    /// `{name}` stands for whatever is there.
    segments: Vec<String>,
    methods: Vec<(Method, Answers)>,
}

/// What may be answered, by status.
type Answers = BTreeMap<u16, Documented>;

struct Documented {
    headers: Vec<Header>,
    /// Without any there is no body.
    bodies: Vec<Arc<Media>>,
}

struct Header {
    name: HeaderName,
    required: bool,
    schema: Validator,
}

struct Media {
    /// Without parameters, as `application/json`.
    name: String,
    content: Content,
}

enum Content {
    Json(Validator),
    /// Server-sent events whose data are JSON.
    Events(Validator),
    /// A file.
    Bytes,
}

impl Contract {
    /// The answer as it is, or what is wrong with it. A body that is streamed is checked while it passes.
    pub async fn hold(
        &self,
        method: &Method,
        path: &str,
        response: Response<Body>,
    ) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let what = format!("{method} {path} answered {}", parts.status);
        match self.checked(method, path, &parts, body, &what).await {
            Ok(body) => Response::from_parts(parts, body),
            Err(why) => {
                let detail = format!("{what}, and that not as docs/openapi.json has it: {why}");
                eprintln!("{detail}");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let problem = Problem::new(status, "undocumented_answer", detail);
                guard::turned_away(problem).response
            }
        }
    }

    async fn checked(
        &self,
        method: &Method,
        path: &str,
        parts: &Parts,
        body: Body,
        what: &str,
    ) -> Result<Body, String> {
        let status = parts.status.as_u16();
        let answers = self.answers(method, path);
        let documented = answers
            .get(&status)
            .ok_or_else(|| format!("statuses are {:?}", answers.keys().collect::<Vec<_>>()))?;
        self.check_headers(documented, &parts.headers)?;
        let media = documented.media(&parts.headers)?;
        if method == Method::HEAD {
            return Ok(body);
        }
        if let Some(media) = &media
            && http_body::Body::size_hint(&body).exact().is_none()
        {
            return Ok(passing::through(body, media.clone(), what.to_string()));
        }
        let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
        match media {
            Some(media) => media.check(&bytes)?,
            None if bytes.is_empty() => {}
            None => return Err(format!("a body of {} bytes", bytes.len())),
        }
        Ok(full(bytes))
    }

    fn answers(&self, method: &Method, path: &str) -> &Answers {
        let asked: Vec<&str> = path.split('/').collect();
        let Some(path) = self.paths.iter().find(|p| p.is(&asked)) else {
            return &self.other_paths;
        };
        let of = |wanted: &Method| path.methods.iter().find(|(method, _)| method == wanted);
        match *method {
            Method::OPTIONS => &self.options,
            Method::HEAD => of(&Method::GET).map_or(&self.other_methods, |(_, answers)| answers),
            _ => of(method).map_or(&self.other_methods, |(_, answers)| answers),
        }
    }

    fn check_headers(&self, documented: &Documented, sent: &HeaderMap) -> Result<(), String> {
        let known = || self.every_answer.iter().chain(&documented.headers);
        for header in known() {
            header.check(sent)?;
        }
        let unknown = |name: &&HeaderName| {
            !FRAMING.contains(name) && !known().any(|header| header.name == **name)
        };
        match sent.keys().find(unknown) {
            Some(name) => Err(format!("the header {name} is not documented")),
            None => Ok(()),
        }
    }
}

impl Path {
    fn is(&self, asked: &[&str]) -> bool {
        let fits = |(own, asked): (&String, &&str)| {
            own == asked || (own.starts_with('{') && !asked.is_empty())
        };
        self.segments.len() == asked.len() && self.segments.iter().zip(asked).all(fits)
    }
}

impl Documented {
    /// What the body is; none where there must be none.
    fn media(&self, sent: &HeaderMap) -> Result<Option<Arc<Media>>, String> {
        let Some(sent) = sent.get(header::CONTENT_TYPE) else {
            return match self.bodies.is_empty() {
                true => Ok(None),
                false => Err("it has no content-type".into()),
            };
        };
        let sent = sent.to_str().unwrap_or_default();
        let name = sent.split(';').next().unwrap_or_default().trim();
        let found = self.bodies.iter().find(|media| media.name == name);
        found
            .map(|media| Some(media.clone()))
            .ok_or_else(|| format!("the content type {sent} is not documented"))
    }
}

impl Header {
    fn check(&self, sent: &HeaderMap) -> Result<(), String> {
        let name = &self.name;
        let mut values = sent.get_all(name).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().map_err(|e| format!("{name}: {e}"))?,
            (None, _) if self.required => return Err(format!("the header {name} is missing")),
            (None, _) => return Ok(()),
            (Some(_), Some(_)) => return Err(format!("the header {name} is there twice")),
        };
        let number = value.parse::<u64>().map(Value::from).ok();
        let readings = [Some(Value::from(value)), number];
        let fits = readings.iter().flatten().any(|v| self.schema.is_valid(v));
        fits.then_some(())
            .ok_or_else(|| format!("the header {name} must not be {value:?}"))
    }
}

impl Media {
    fn check(&self, bytes: &[u8]) -> Result<(), String> {
        match &self.content {
            Content::Json(schema) => fits(schema, bytes),
            Content::Events(schema) => passing::events(schema, bytes),
            Content::Bytes => Ok(()),
        }
    }
}

/// Whether this is JSON as the schema has it.
fn fits(schema: &Validator, bytes: &[u8]) -> Result<(), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| format!("no JSON: {e}"))?;
    let wrong: Vec<String> = schema
        .iter_errors(&value)
        .map(|e| format!("at {:?}: {e}", e.instance_path().to_string()))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let mut shown: String = value.to_string().chars().take(SHOWN).collect();
    shown.insert_str(0, "; it is ");
    Err(wrong.join("; ") + &shown)
}
