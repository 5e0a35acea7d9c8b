//! Reads `docs/openapi.json`.

use super::{Answers, Content, Contract, Documented, Header, Media, Path};
use crate::error::{Context, Result, at, message};
use crate::home::checkout;
use axum::http::{HeaderName, Method};
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};
use std::sync::Arc;

/// Names the document where schemas refer to it; nobody is asked there.
const ADDRESS: &str = "https://rovodev.invalid/openapi.json";

impl Contract {
    /// The document of the checkout.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read() -> Result<Contract> {
        let path = checkout().join("docs/openapi.json");
        let text = std::fs::read(&path).context(at("read", &path))?;
        let document: Value = serde_json::from_slice(&text)
            .map_err(|e| message(format!("docs/openapi.json is no JSON: {e}")))?;
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(ADDRESS, document.clone())
            .and_then(|builder| builder.prepare())
            .map_err(|e| message(format!("docs/openapi.json: {e}")))?;
        let reader = Reader {
            document: &document,
            registry: &registry,
        };
        reader.contract()
    }
}

struct Reader<'a> {
    document: &'a Value,
    registry: &'a Registry<'a>,
}

/// A value of the document and its JSON pointer.
struct Place<'a> {
    pointer: String,
    value: &'a Value,
}

impl<'a> Reader<'a> {
    fn contract(&self) -> Result<Contract> {
        let paths = self.entries("/paths");
        let paths = paths.into_iter().map(|(path, place)| {
            Ok(Path {
                segments: path.split('/').map(str::to_string).collect(),
                methods: self.methods(&place)?,
            })
        });
        Ok(Contract {
            paths: paths.collect::<Result<_>>()?,
            options: self.answers("/x-every-path/options")?,
            other_methods: self.answers("/x-every-path/otherMethods")?,
            other_paths: self.answers("/x-every-path/otherPaths")?,
            every_answer: self.headers("/x-every-answer")?,
        })
    }

    fn methods(&self, path: &Place) -> Result<Vec<(Method, Answers)>> {
        self.entries(&path.pointer)
            .into_iter()
            .filter(|(_, operation)| operation.value.get("responses").is_some())
            .map(|(name, operation)| {
                let method = name
                    .to_uppercase()
                    .parse()
                    .map_err(|e| wrong(&operation, e))?;
                let responses = format!("{}/responses", operation.pointer);
                Ok((method, self.answers(&responses)?))
            })
            .collect()
    }

    fn answers(&self, pointer: &str) -> Result<Answers> {
        self.some(pointer)?
            .into_iter()
            .map(|(status, place)| {
                let status = status.parse().map_err(|e| wrong(&place, e))?;
                let documented = Documented {
                    headers: self.headers(&format!("{}/headers", place.pointer))?,
                    bodies: self.bodies(&format!("{}/content", place.pointer))?,
                };
                Ok((status, documented))
            })
            .collect()
    }

    fn headers(&self, pointer: &str) -> Result<Vec<Header>> {
        self.some(pointer)?
            .into_iter()
            .map(|(name, place)| {
                Ok(Header {
                    name: HeaderName::try_from(name).map_err(|e| wrong(&place, e))?,
                    required: place.value["required"] == true,
                    schema: self.schema(&format!("{}/schema", place.pointer))?,
                })
            })
            .collect()
    }

    fn bodies(&self, pointer: &str) -> Result<Vec<Arc<Media>>> {
        self.entries(pointer)
            .into_iter()
            .map(|(name, place)| {
                let schema = |of: &str| self.schema(&format!("{}/{of}", place.pointer));
                let content = match name {
                    "text/event-stream" => Content::Events(schema("schema/contentSchema")?),
                    _ if name.ends_with("json") => Content::Json(schema("schema")?),
                    _ => Content::Bytes,
                };
                let name = name.to_string();
                Ok(Arc::new(Media { name, content }))
            })
            .collect()
    }

    fn schema(&self, pointer: &str) -> Result<Validator> {
        if self.document.pointer(pointer).is_none() {
            return Err(message(format!("docs/openapi.json has no {pointer}")));
        }
        // Braces stand in paths, and may not in an address.
        let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(self.registry)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .offline()
            .build(&json!({ "$ref": format!("{ADDRESS}#{fragment}") }))
            .map_err(|e| message(format!("docs/openapi.json, {pointer}: {e}")))
    }

    /// What lies below; at least one, for what is misspelt would promise nothing.
    fn some(&self, pointer: &str) -> Result<Vec<(&'a str, Place<'a>)>> {
        match self.entries(pointer) {
            none if none.is_empty() => Err(message(format!("docs/openapi.json has no {pointer}"))),
            some => Ok(some),
        }
    }

    /// The fields of an object with their places, where a `$ref` leads.
    fn entries(&self, pointer: &str) -> Vec<(&'a str, Place<'a>)> {
        let Some(fields) = self.document.pointer(pointer).and_then(Value::as_object) else {
            return Vec::new();
        };
        let place = |name: &str, value: &'a Value| {
            let name = name.replace('~', "~0").replace('/', "~1");
            let pointer = format!("{pointer}/{name}");
            self.followed(Place { pointer, value })
        };
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), place(name, value)))
            .collect()
    }

    fn followed(&self, place: Place<'a>) -> Place<'a> {
        let target = place.value["$ref"]
            .as_str()
            .and_then(|t| t.strip_prefix('#'));
        match target.and_then(|t| Some((t, self.document.pointer(t)?))) {
            Some((pointer, value)) => Place {
                pointer: pointer.to_string(),
                value,
            },
            None => place,
        }
    }
}

fn wrong(place: &Place, error: impl std::fmt::Display) -> crate::Error {
    message(format!("docs/openapi.json, {}: {error}", place.pointer))
}
