//! What is told of damage: how much there is, what it concerns, and a few examples, however much it is.

use super::Problem;
use serde::{Deserialize, Serialize};

/// Tables and files that are named.
const NAMED: usize = 200;
/// Objects that are named.
const EXAMPLES: usize = 20;

/// Damage of one backup, as the catalog keeps it and people read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Stored objects that are gone or not what was written: one at least.
    pub objects: u64,
    /// Tables (`schema.name`) and files that are incomplete.
    pub concerns: Vec<String>,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its key in the store.
    pub object: String,
    /// As [`crate::error::Code::as_str`].
    pub code: String,
    /// For people, without an address.
    pub message: String,
    pub concerns: Vec<String>,
}

impl Damage {
    /// What was found before, and more.
    #[must_use]
    pub fn and(mut self, problems: &[Problem]) -> Self {
        for problem in problems {
            self.objects += 1;
            for what in &problem.concerns {
                if self.concerns.len() < NAMED && !self.concerns.contains(what) {
                    self.concerns.push(what.clone());
                }
            }
            if self.examples.len() < EXAMPLES {
                self.examples.push(Example {
                    object: problem.key.clone(),
                    code: problem.code.into(),
                    message: problem.meaning.into(),
                    concerns: problem.concerns.clone(),
                });
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn all_is_counted_and_some_is_named() {
        let lost = |n: usize| {
            let error = Error::new(Code::ObjectMissing, format!("s3://secret/{n} is gone"));
            Problem {
                concerns: vec!["public.calls".into(), format!("public.t{n}")],
                ..Problem::new(format!("segments/{n}"), &error)
            }
        };
        let (some, more): (Vec<_>, Vec<_>) = ((0..30).map(lost).collect(), vec![lost(0)]);
        let damage = Damage::default().and(&some).and(&more);
        assert_eq!(damage.objects, 31);
        assert_eq!(damage.concerns.len(), 31);
        assert_eq!(damage.examples.len(), EXAMPLES);
        assert_eq!(damage.examples[0].message, "A stored object is gone.");
        let text = serde_json::to_string(&damage).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}
