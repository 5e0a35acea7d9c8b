//! Jobs that die, that two workers hold, that are watched.

mod busy;
mod crashed;
mod endings;
mod events;
mod faults;
mod fenced;
mod gone;
mod killed;
pub mod lines;
mod logged;
mod panicked;
mod proxy;
mod removed;
mod shared;
pub mod workplace;
