//! Schedules over HTTP, the tick that claims them, and what retention does.

pub mod claims;
mod cli;
mod made;
mod retention;
mod year;
