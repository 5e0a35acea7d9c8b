//! Is everything well? Every part is asked at the same time, each with its own time limit.

mod warnings;

use crate::config::{self, Settings};
use crate::core::manifest::Manifest;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::overview::{Overview, overview};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session};
use serde::Serialize;
use std::time::Duration;

/// What one part answered, or why it did not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe<T> {
    Ok(T),
    Error(Error),
}

impl<T> Probe<T> {
    pub fn ok(&self) -> Option<&T> {
        match self {
            Probe::Ok(answer) => Some(answer),
            Probe::Error(_) => None,
        }
    }

    pub fn error(&self) -> Option<&Error> {
        match self {
            Probe::Ok(_) => None,
            Probe::Error(error) => Some(error),
        }
    }
}
