//! Schedules over HTTP, the tick that claims them, and what retention does.

mod claims;
mod cli;
mod made;
mod retention;
