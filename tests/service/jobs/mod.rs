//! Jobs that die, that two workers hold, that are watched.

mod events;
mod fenced;
mod killed;
mod proxy;
mod workplace;
