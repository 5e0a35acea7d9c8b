//! Rovodev: exact backup and restore for apps that run on Supabase and Vercel.
//!
//! Imports run one way: doors (`api/`, `cli/`) → [`tasks`] → [`core`] and [`ports`]; `ports` → `core`;
//! `core` imports nothing of ours but the leaves [`error`] and [`config`]. `tests/engine/house.rs` holds this.

pub mod config;
pub mod core;
pub mod error;
pub mod http;
pub mod ports;
pub mod tasks;
