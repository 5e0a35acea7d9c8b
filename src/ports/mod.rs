//! The outside world.

pub mod catalog;
pub mod postgres;
pub mod store;
pub mod vercel;
pub mod web;
